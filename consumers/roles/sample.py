"""Makes findings up, as they come in life, at ``FINDSTREAM_SAMPLE_RATE`` a second."""

import logging
from collections.abc import Sequence
from threading import Event
from typing import Final

from consumers.composition import now_us, open_ingest
from consumers.sample import Item, generate
from consumers.sample.pacing import due
from consumers.sample.story import trickle
from pipeline.errors import LogUnavailable, QuarantineUnavailable
from pipeline.ingest import Ingest
from pipeline.settings import Settings
from schemas.identity import MICROSECONDS

_PATIENCE_SECONDS: Final = 1.0
_logger = logging.getLogger(__name__)


def run(settings: Settings, stop: Event) -> None:
    """Take them in when they are due; each start tells another story of the same world."""
    began_us = now_us()
    story = generate(began_us, began_us, step_us=MICROSECONDS / settings.sample_rate, mix=trickle(settings.sample_rate))
    with open_ingest(settings) as desk:
        for batch in due(story, now_us, stop):
            while not stop.is_set() and not _taken(desk, batch):
                stop.wait(_PATIENCE_SECONDS)


def _taken(desk: Ingest, batch: Sequence[Item]) -> bool:
    """Whether the batch is in; if not, it is given again: what is there already counts as a duplicate."""
    try:
        desk.take_lines([item.payload for item in batch], origin="sample")
    except (LogUnavailable, QuarantineUnavailable) as broken:
        _logger.warning("waiting: %s", broken)
        return False
    return True
