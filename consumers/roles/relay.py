"""Brings what people command onto the log, as it comes."""

from threading import Event

from consumers.composition import open_log, open_recorders
from pipeline.desks.relay import Relay
from pipeline.settings import Settings


def run(settings: Settings, stop: Event) -> None:
    """Relay until told to stop. Raises ``RelayStuck``."""
    with open_log(settings) as log, open_recorders(settings) as recorders:
        Relay(recorders, log).run(stop)
