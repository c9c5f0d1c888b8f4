"""How the embedded parts are opened from settings: the one place where paths, clocks and parts meet.

Only doors use this. The real clock is read here and handed on as an argument. What is opened here is closed with its block.
"""

import os
import random
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING
from uuid import UUID

from uuid6 import uuid7

from consumers.home import Home
from pipeline.errors import SettingRejected
from pipeline.log.port import Log
from pipeline.log.sqlite import SqliteLog
from pipeline.quarantine.port import Quarantine
from pipeline.quarantine.sqlite import SqliteQuarantine
from pipeline.settings import Settings
from projections.catalog import Catalog
from projections.stores.sqlite import SqliteStore

if TYPE_CHECKING:
    from pipeline.desks.desk import Desk
    from pipeline.desks.recorder.port import Recorders
    from pipeline.ingest import Ingest


def now_us() -> int:
    """The time of day, in microseconds since the epoch."""
    return time.time_ns() // 1000  # noqa: TID251 -- the door's clock


def writer_token(role: str) -> str:
    """A name for one writer's life, which no other writer has."""
    return f"{role}/{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}"


def open_home(settings: Settings) -> Home:
    """The data folder of these settings, made if it is absent. Raises ``SettingRejected`` for settings of functions on AWS."""
    for name in ("log_url", "store_url", "bodies_url"):
        if getattr(settings, name):
            message = f"FINDSTREAM_{name.upper()}: is for functions on AWS; this works on the data in FINDSTREAM_HOME: unset it"
            raise SettingRejected(message)
    home = Home(settings.home.absolute())
    home.make()
    return home


def settings_of_data() -> Settings:
    """The settings of this process, for commands that work on data that is there. Raises ``SettingRejected``, ``NoData``."""
    settings = Settings.load()
    Home(settings.home.absolute()).expect_data()
    return settings


@contextmanager
def open_log(settings: Settings) -> Iterator[SqliteLog]:
    """The event log, made if it is absent."""
    with closing(SqliteLog(open_home(settings).log, shards=settings.shards, clock=now_us)) as log:
        yield log


def open_store(settings: Settings) -> SqliteStore:
    """The generations of all projections. To be closed by who asked."""
    return SqliteStore(open_home(settings).projections, clock=now_us)


@contextmanager
def open_catalog(settings: Settings, log: SqliteLog) -> Iterator[Catalog]:
    """The read side over what serves now."""
    with closing(open_store(settings)) as store, closing(Catalog(store, log, retention_days=settings.retention_days)) as catalog:
        yield catalog


@contextmanager
def open_quarantine(settings: Settings) -> Iterator[SqliteQuarantine]:
    """The quarantine, made if it is absent."""
    with closing(SqliteQuarantine(open_home(settings).quarantine, clock=now_us)) as quarantine:
        yield quarantine


def ingest_into(settings: Settings, log: Log, quarantine: Quarantine) -> "Ingest":
    """The way in, over parts that are open."""
    from pipeline.ingest import Ingest  # noqa: PLC0415 -- all sources with their schemas: who only reads need not wait for them

    return Ingest(log, quarantine, clock=now_us, custom_sources=settings.registered_sources)


def draw_id() -> UUID:
    """An id for what a command makes: a UUID of version 7, so that ids sort by time."""
    return UUID(int=uuid7().int)


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


@contextmanager
def open_ingest(settings: Settings) -> "Iterator[Ingest]":
    """The way in, over parts of its own."""
    with open_log(settings) as log, open_quarantine(settings) as quarantine:
        yield ingest_into(settings, log, quarantine)
