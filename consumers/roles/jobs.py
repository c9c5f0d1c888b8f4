"""Does the long work that the API was asked for, one job after the other."""

import os
import time
from threading import Event

from consumers.composition import now_us, open_catalog, open_log
from consumers.embedded import open_jobs
from consumers.jobs.worker import Worker
from consumers.rules.history.jobs import History
from consumers.rules.history.routing import routing_of
from pipeline.settings import Settings


def run(settings: Settings, stop: Event) -> None:
    """Work until told to stop; what is under way then begins anew at the next start."""
    with open_log(settings) as log, open_catalog(settings, log) as catalog, open_jobs(settings) as jobs:
        history = History(log, catalog, lambda: routing_of(settings, os.environ), time.perf_counter_ns)
        Worker(jobs, history.kinds(), now_us, stop.is_set).run(stop)
