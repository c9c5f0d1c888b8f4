"""Issues the daily reports."""

from threading import Event

from consumers.composition import now_us, open_catalog, open_log
from consumers.reports.reporter import Reporter
from consumers.reports.routed import Routed
from pipeline.settings import Settings


def run(settings: Settings, stop: Event) -> None:
    """Issue each day's reports when they are due."""
    with open_log(settings) as log, open_catalog(settings, log) as catalog:
        Reporter(log, catalog, clock=now_us, reports=Routed(catalog)).run(stop)
