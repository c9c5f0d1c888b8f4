"""Judges findings by the rules that are in force, and raises alerts."""

import logging
from contextlib import closing
from threading import Event
from typing import Final

from consumers.agreement import ask_of_judging
from consumers.composition import now_us, open_catalog, open_judging, open_log, writer_token
from consumers.rules.engine.engine import Engine
from consumers.rules.engine.opening import open_book
from pipeline.settings import Settings
from projections.errors import Fenced, NewerVersion

_AFTER_FENCE_SECONDS: Final = 0.5
_logger = logging.getLogger(__name__)


def run(settings: Settings, stop: Event) -> None:
    """Follow the log. Who takes over for a moment is let through; then this goes on with a new token. Raises ``LogCutShort``."""
    with open_log(settings) as log, open_catalog(settings, log) as catalog, closing(open_judging(settings)) as store:
        ask_of_judging(log, store)
        book = open_book(catalog, clock=now_us)
        while not stop.is_set():
            engine = Engine(log, store, book, token=writer_token("rules"), clock=now_us, on_stop=_stopped)
            try:
                engine.run(stop)
            except Fenced as fenced:
                _logger.warning("another engine took over: %s; taking it back", fenced)
                stop.wait(_AFTER_FENCE_SECONDS)
            finally:
                engine.close()


def _stopped(newer: NewerVersion) -> None:
    _logger.error("judging stops: %s", newer)
