"""Does the long work that the API was asked for, one job after the other."""

import os
import time
from contextlib import closing
from functools import partial
from threading import Event

from consumers.composition import now_us, open_catalog, open_judging, open_log
from consumers.embedded import open_jobs
from consumers.jobs.worker import Worker
from consumers.rules.engine.passed import passed
from consumers.rules.history.jobs import History
from consumers.rules.history.routing import with_channels
from pipeline.settings import Settings


def run(settings: Settings, stop: Event) -> None:
    """Work until told to stop; what is under way then begins anew at the next start."""
    with (
        open_log(settings) as log,
        open_catalog(settings, log) as catalog,
        closing(open_judging(settings)) as judging,
        open_jobs(settings) as jobs,
    ):
        routing = partial(with_channels, catalog, settings, os.environ)
        history = History(log, catalog, routing, time.perf_counter_ns, partial(passed, judging, log))
        Worker(jobs, history.kinds(), now_us, stop.is_set).run(stop)
