"""Does the chores: renews outdated projections, re-packs the log's small blocks, tells of silent agents."""

import time
from contextlib import closing
from threading import Event

from consumers.composition import now_us, open_catalog, open_store, writer_token
from consumers.embedded import open_log
from consumers.maintenance import Chore, Renewal, keep
from consumers.silence.watch import SilenceWatch
from pipeline.log.sqlite import SqliteLog
from pipeline.settings import Settings
from projections.projector import Projector
from projections.rebuild import Rebuilder


def run(settings: Settings, stop: Event) -> None:
    """Do each chore in its own time."""
    with open_log(settings) as log, open_catalog(settings, log) as catalog, closing(open_store(settings)) as store:
        token = writer_token("maintainer")
        renewal = Renewal(Projector(log, store, token=token), Rebuilder(log, store, token, cancelled=stop.is_set))
        chores = [
            Chore("renewing outdated projections", 60.0, renewal.step),
            Chore("re-packing the log", 20.0, lambda: _repack(log, stop)),
            Chore("looking for silent agents", 30.0, SilenceWatch(log, catalog, clock=now_us).step),
        ]
        keep(chores, time.monotonic, stop)


def _repack(log: SqliteLog, stop: Event) -> None:
    """Merge small blocks until none are left that fill a large one."""
    while not stop.is_set() and log.repack().before:
        pass
