"""How the parts in a data folder (``FINDSTREAM_HOME``) are opened from settings. Only doors use this.

The real clock is read here and handed on as an argument. What is opened here is closed with its block.
"""

import random
import secrets
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from consumers.draw import draw_id
from consumers.home import Home
from consumers.jobs.sqlite import SqliteJobs
from consumers.people.keeping import FileKeys
from consumers.people.sqlite import SqlitePeople
from pipeline.errors import SettingRejected
from pipeline.log.sqlite import SqliteLog
from pipeline.quarantine.sqlite import SqliteQuarantine
from pipeline.settings import Settings
from projections.stores.sqlite import SqliteStore

if TYPE_CHECKING:
    from pipeline.desks.desk import Desk
    from pipeline.desks.recorder.port import Recorders


def now_us() -> int:
    """The time of day, in microseconds since the epoch."""
    return time.time_ns() // 1000  # noqa: TID251 -- the door's clock


def expect_folder(settings: Settings) -> None:
    """Raise ``SettingRejected`` if these settings name parts on AWS: for what can only be done where data lies in a folder."""
    for name in ("log_url", "store_url", "bodies_url"):
        if getattr(settings, name):
            message = f"FINDSTREAM_{name.upper()}: names what is on AWS, and this works on data in FINDSTREAM_HOME only: unset it"
            raise SettingRejected(message)


def open_home(settings: Settings) -> Home:
    """The data folder of these settings, made if it is absent. Raises ``SettingRejected`` if they name parts on AWS."""
    expect_folder(settings)
    home = Home(settings.home.absolute())
    home.make()
    return home


@contextmanager
def open_log(settings: Settings) -> Iterator[SqliteLog]:
    """The event log, made if it is absent."""
    with closing(SqliteLog(open_home(settings).log, shards=settings.shards, clock=now_us)) as log:
        yield log


def open_store(settings: Settings) -> SqliteStore:
    """The generations of all projections. To be closed by who asked."""
    return SqliteStore(open_home(settings).projections, clock=now_us)


def open_judging(settings: Settings) -> SqliteStore:
    """What the rules have counted. To be closed by who asked."""
    return SqliteStore(open_home(settings).rules, clock=now_us)


@contextmanager
def open_quarantine(settings: Settings) -> Iterator[SqliteQuarantine]:
    """The quarantine, made if it is absent."""
    with closing(SqliteQuarantine(open_home(settings).quarantine, clock=now_us)) as quarantine:
        yield quarantine


def open_keys(settings: Settings) -> FileKeys:
    """The keys that sign tokens, made if they are absent."""
    return FileKeys(open_home(settings).keys, clock=now_us, entropy=secrets.token_bytes)


@contextmanager
def open_people(settings: Settings) -> Iterator[SqlitePeople]:
    """The store of people, made if it is absent."""
    with closing(SqlitePeople(open_home(settings).people)) as people:
        yield people


@contextmanager
def open_jobs(settings: Settings) -> Iterator[SqliteJobs]:
    """Where long work is kept that was asked for, made if it is absent."""
    with closing(SqliteJobs(open_home(settings).jobs)) as jobs:
        yield jobs


@contextmanager
def open_recorders(settings: Settings) -> "Iterator[Recorders]":
    """What keeps the desks' facts, made if it is absent."""
    from pipeline.desks.recorder.sqlite import open_sqlite  # noqa: PLC0415 -- who only reads need not wait for its library

    recorders = open_sqlite(open_home(settings).desks)
    try:
        yield recorders
    finally:
        recorders.close()


@contextmanager
def open_desk(settings: Settings) -> "Iterator[Desk]":
    """Where commands are carried out."""
    from pipeline.desks.desk import Desk  # noqa: PLC0415 -- as above

    with open_recorders(settings) as recorders:
        yield Desk(
            recorders.events,
            recorders.snapshots,
            clock=now_us,
            new_id=draw_id,
            pause=time.sleep,
            dice=random.Random(),  # noqa: S311 -- jitter
        )
