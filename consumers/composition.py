"""How the parts are opened from settings: the one place where their URLs choose the backends.

Here:   without URLs, everything lies in the folder ``FINDSTREAM_HOME`` (``consumers.embedded``).
On AWS: with ``FINDSTREAM_LOG_URL`` and ``FINDSTREAM_STORE_URL``, in that stream and table, events whole in the bucket of
        ``FINDSTREAM_BODIES_URL`` if it is set (``consumers.aws``). Who has one URL and lacks another is told which.

Only doors use this. AWS's libraries are imported only where a URL asks for them.
"""

import os
import secrets
import socket
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from consumers import embedded
from consumers.embedded import now_us, open_home
from consumers.home import Home
from consumers.people.keeping import Keys
from consumers.people.port import People
from consumers.rules.engine import JUDGING
from pipeline.errors import SettingRejected
from pipeline.log.port import Log
from pipeline.quarantine.port import Quarantine
from pipeline.settings import Settings
from projections.catalog import Catalog
from projections.stores.port import Store

if TYPE_CHECKING:
    from consumers.notifier.ledger.dynamodb import DynamoLedger
    from consumers.notifier.ledger.sqlite import SqliteLedger
    from pipeline.ingest import Ingest

__all__ = [
    "ingest_into",
    "now_us",
    "open_catalog",
    "open_ingest",
    "open_judged",
    "open_judging",
    "open_keys",
    "open_ledger",
    "open_log",
    "open_people",
    "open_quarantine",
    "open_store",
    "people_named",
    "settings_of_data",
    "writer_token",
]


def writer_token(role: str) -> str:
    """A name for one writer's life, which no other writer has."""
    return f"{role}/{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}"


def settings_of_data() -> Settings:
    """The settings of this process, for commands that work on data that is there. Raises ``SettingRejected``, ``NoData``."""
    settings = Settings.load()
    if not _on_aws(settings):
        Home(settings.home.absolute()).expect_data()
    return settings


@contextmanager
def open_log(settings: Settings) -> Iterator[Log]:
    """The event log; one in a folder is made if it is absent."""
    if _on_aws(settings):
        from consumers import aws  # noqa: PLC0415 -- as the module says

        yield aws.log_of(settings, aws.quarantine_of(settings))
    else:
        with embedded.open_log(settings) as log:
            yield log


def open_store(settings: Settings) -> Store:
    """The generations of all projections. To be closed by who asked."""
    if _on_aws(settings):
        from consumers import aws  # noqa: PLC0415

        return aws.store_of(settings)
    return embedded.open_store(settings)


def open_judging(settings: Settings) -> Store:
    """What the rules have counted; on AWS it stands among the projections. To be closed by who asked."""
    return open_store(settings) if _on_aws(settings) else embedded.open_judging(settings)


@contextmanager
def open_catalog(settings: Settings, log: Log) -> Iterator[Catalog]:
    """The read side over what serves now."""
    with closing(open_store(settings)) as store, closing(Catalog(store, log, retention_days=settings.retention_days)) as catalog:
        yield catalog


@contextmanager
def open_judged(settings: Settings, log: Log) -> Iterator[Catalog]:
    """How far the rules have judged: only ``states`` and ``parked`` answer."""
    with (
        closing(open_judging(settings)) as store,
        closing(Catalog(store, log, retention_days=settings.retention_days, projections=[JUDGING])) as catalog,
    ):
        yield catalog


@contextmanager
def open_quarantine(settings: Settings) -> Iterator[Quarantine]:
    """The quarantine; one in a folder is made if it is absent."""
    if _on_aws(settings):
        from consumers import aws  # noqa: PLC0415

        yield aws.quarantine_of(settings)
    else:
        with embedded.open_quarantine(settings) as quarantine:
            yield quarantine


def open_ledger(settings: Settings) -> "DynamoLedger | SqliteLedger":
    """The notifier's ledger, to look at and for redrives. To be closed by who asked."""
    if _on_aws(settings):
        from consumers import aws  # noqa: PLC0415

        return aws.ledger_of(settings)
    from consumers.notifier import assembly  # noqa: PLC0415 -- routes and templates: few commands need them

    return assembly.open_ledger(open_home(settings).path)


def open_keys(settings: Settings) -> Keys:
    """The keys that sign tokens; those in a folder are made if they are absent. On AWS they are in the secret that is named."""
    if settings.signing_keys_secret:
        from consumers import aws  # noqa: PLC0415

        return aws.keys_of(settings)
    return embedded.open_keys(settings)


@contextmanager
def open_people(settings: Settings) -> Iterator[People]:
    """The store of people; one in a folder is made if it is absent. It needs no log, so the table alone may be named."""
    if settings.store_url:
        from consumers import aws  # noqa: PLC0415

        yield aws.people_of(settings)
    else:
        with embedded.open_people(settings) as people:
            yield people


def people_named(settings: Settings) -> Callable[[Collection[str]], Mapping[str, str]]:
    """What answers people's names by their ids; the store of people is opened when it is asked."""

    def names(user_ids: Collection[str]) -> Mapping[str, str]:
        with open_people(settings) as people:
            return people.users.names(user_ids)

    return names


def ingest_into(settings: Settings, log: Log, quarantine: Quarantine) -> "Ingest":
    """The way in, over parts that are open."""
    from pipeline.ingest import Ingest  # noqa: PLC0415 -- all sources with their schemas: who only reads need not wait for them

    return Ingest(log, quarantine, clock=now_us, custom_sources=settings.registered_sources)


@contextmanager
def open_ingest(settings: Settings) -> "Iterator[Ingest]":
    """The way in, over parts of its own."""
    with open_log(settings) as log, open_quarantine(settings) as quarantine:
        yield ingest_into(settings, log, quarantine)


def _on_aws(settings: Settings) -> bool:
    """Whether the parts are on AWS. Raises ``SettingRejected`` if a URL, or what it takes to speak to AWS, is missing."""
    if not settings.on_aws:
        return False
    if find_spec("boto3") is None:
        message = "FINDSTREAM_LOG_URL, FINDSTREAM_STORE_URL: parts on AWS need boto3 here; pip install 'findstream[aws]'"
        raise SettingRejected(message)
    from pipeline.opening import url_of  # noqa: PLC0415

    for name in ("log_url", "store_url"):
        url_of(settings, name)
    return True
