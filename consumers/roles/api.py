"""Serves the API, the pages, the live feed and the metrics."""

import os
import secrets
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from functools import cache
from threading import Event

from consumers.api.app import build
from consumers.api.guard import listed
from consumers.api.server import listen, names_of, serve
from consumers.api.telling import Notified
from consumers.assuming import StsAssume, sts_client
from consumers.build import version
from consumers.composition import ingest_into, now_us, open_catalog, open_keys, open_log, open_people, open_quarantine
from consumers.draw import draw_id
from consumers.embedded import open_desk, open_jobs
from consumers.jobs.asking import Asks
from consumers.notifier.assembly import open_ledger
from consumers.notifier.channels.opening import open_channels
from consumers.notifier.ledger.port import Ledger
from consumers.people.reach import expect_sign_in
from consumers.people.sign_in import SignIn
from consumers.people.tokens import Tokens
from pipeline.settings import Settings


def run(settings: Settings, stop: Event) -> None:
    """Answer until told to stop."""
    with (
        open_log(settings) as log,
        open_catalog(settings, log) as catalog,
        open_quarantine(settings) as quarantine,
        open_people(settings) as people,
        closing(open_ledger(settings.home.absolute())) as ledger,
        open_desk(settings) as desk,
        open_jobs(settings) as jobs,
    ):
        expect_sign_in(settings, people)
        tokens = Tokens(open_keys(settings), clock=now_us, entropy=secrets.token_bytes)
        app = build(
            reading=catalog,
            judged=catalog,
            decided=catalog,
            notified=Notified(ledger, cache(lambda: open_channels(settings, os.environ, clock=now_us)), settings.links_base),
            asks=Asks(jobs, now_us, draw_id),
            ingest=ingest_into(settings, log, quarantine),
            log=log,
            quarantine=quarantine,
            people=people,
            sign_in=SignIn(people, tokens, clock=now_us, entropy=secrets.token_bytes),
            entropy=secrets.token_bytes,
            local=settings.bound_to_loopback,
            hosts=names_of(settings),
            desk=desk,
            assume=StsAssume(sts_client),
            clock=now_us,
            version=version(),
            notices=lambda: _by_state(ledger),
            origins=listed(settings.cors_origins),
        )
        serve(app, listen(settings.port, settings.bind), stop)


def _by_state(ledger: Ledger) -> Mapping[str, int]:
    counts: Counter[str] = Counter()
    for tally in ledger.tallies():
        counts[tally.state.value] += tally.count
    return counts
