"""Serves the API, the pages, the live feed and the metrics, on loopback."""

from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from threading import Event

from consumers.api.app import build
from consumers.api.commands import Desks
from consumers.api.guard import listed
from consumers.api.server import serve
from consumers.assuming import StsAssume, sts_client
from consumers.build import version
from consumers.composition import ingest_into, now_us, open_catalog, open_log, open_quarantine
from consumers.embedded import open_desk
from consumers.notifier.assembly import open_ledger
from consumers.notifier.ledger.port import Ledger
from consumers.people.stand_in import OPERATOR, IdsOnly
from pipeline.settings import Settings


def run(settings: Settings, stop: Event) -> None:
    """Answer until told to stop."""
    with (
        open_log(settings) as log,
        open_catalog(settings, log) as catalog,
        open_quarantine(settings) as quarantine,
        closing(open_ledger(settings.home.absolute())) as ledger,
        open_desk(settings) as desk,
    ):
        app = build(
            reading=catalog,
            ingest=ingest_into(settings, log, quarantine),
            log=log,
            quarantine=quarantine,
            desks=Desks(desk, principal=lambda: OPERATOR, directory=IdsOnly()),
            assume=StsAssume(sts_client),
            clock=now_us,
            version=version(),
            notices=lambda: _by_state(ledger),
            origins=listed(settings.cors_origins),
        )
        serve(app, settings.port, stop)


def _by_state(ledger: Ledger) -> Mapping[str, int]:
    counts: Counter[str] = Counter()
    for tally in ledger.tallies():
        counts[tally.state.value] += tally.count
    return counts
