"""The notifier put together from the settings: where a door meets everything else in this room.

The ledger is ``<home>/notices.db``. Secrets are read here, once, and go to their channels only.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from consumers.notifier import seeding
from consumers.notifier.channels.opening import open_channels
from consumers.notifier.courier import Clock
from consumers.notifier.ledger.port import Ledger
from consumers.notifier.notifier import Notifier
from pipeline.log.port import Log
from pipeline.settings import Settings
from projections.catalog import Catalog

if TYPE_CHECKING:
    from consumers.notifier.ledger.sqlite import SqliteLedger

LEDGER: Final = "notices.db"


def open_ledger(home: Path) -> "SqliteLedger":
    """The ledger of ``home``, made if it is missing. Raises ``LedgerUnavailable``, ``LedgerUnreadable``."""
    from consumers.notifier.ledger.sqlite import SqliteLedger  # noqa: PLC0415 -- only where data lies in a folder

    home.mkdir(parents=True, exist_ok=True)
    return SqliteLedger(home / LEDGER)


def open_notifier(
    settings: Settings,
    log: Log,
    ledger: Ledger,
    catalog: Catalog,
    environ: Mapping[str, str],
    *,
    clock: Clock,
    random: Callable[[], float],
) -> Notifier:
    """The notifier that ``settings`` describe. It has then taken ``ledger`` over. Raises ``ChannelsRejected``.

    ``catalog`` tells what people had decided by the time at which it begins.
    """
    return Notifier(
        log,
        ledger,
        open_channels(settings, environ, clock=clock),
        lambda: seeding.seed(log, catalog, ledger.marks() or {}, clock()),
        console_url=settings.links_base,
        clock=clock,
        random=random,
    )
