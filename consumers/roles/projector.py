"""Folds the log into the serving generation of every projection."""

import logging
from contextlib import closing
from threading import Event
from typing import Final

from consumers.agreement import ask_of_projections
from consumers.composition import open_log, open_store, writer_token
from pipeline.settings import Settings
from projections.errors import Fenced, NewerVersion
from projections.projector import Projector

_AFTER_FENCE_SECONDS: Final = 0.5
_logger = logging.getLogger(__name__)


def run(settings: Settings, stop: Event) -> None:
    """Follow the log. Who takes over for a moment (a redrive) is let through; then this goes on with a new token.

    Raises ``LogCutShort``.
    """
    with open_log(settings) as log, closing(open_store(settings)) as store:
        ask_of_projections(log, store)
        while not stop.is_set():
            projector = Projector(log, store, token=writer_token("projector"), on_stop=_stopped)
            try:
                projector.run(stop)
            except Fenced as fenced:
                _logger.warning("another writer took over: %s; taking it back", fenced)
                stop.wait(_AFTER_FENCE_SECONDS)
            finally:
                projector.close()


def _stopped(newer: NewerVersion) -> None:
    _logger.error("a projection stops: %s", newer)
