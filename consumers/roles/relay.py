"""Brings what people command onto the log, as it comes."""

import logging
from threading import Event

from consumers.embedded import open_log, open_recorders
from pipeline.desks.relay import Relay
from pipeline.settings import Settings

_logger = logging.getLogger(__name__)


def run(settings: Settings, stop: Event) -> None:
    """Tell the log what it lacks, then relay until told to stop. Raises ``RelayStuck``."""
    with open_log(settings) as log, open_recorders(settings) as recorders:
        relay = Relay(recorders, log)
        if lacked := relay.mend(log.find):
            _logger.warning("the log lacked %d facts that had been relayed to it; it has them again", lacked)
        relay.run(stop)
