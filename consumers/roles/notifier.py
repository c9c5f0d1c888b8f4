"""Decides who is told of what is on the log, and tells them."""

import logging
import os
import random
from contextlib import closing
from threading import Event

from consumers.agreement import ask_of_ledger
from consumers.composition import now_us, open_catalog, open_log
from consumers.notifier.assembly import open_ledger, open_notifier
from consumers.notifier.errors import LedgerTaken
from pipeline.settings import Settings

_logger = logging.getLogger(__name__)


def run(settings: Settings, stop: Event) -> None:
    """Follow the log from the ledger's mark on. Ends if another notifier takes the ledger over. Raises ``LogCutShort``."""
    with open_log(settings) as log, closing(open_ledger(settings.home.absolute())) as ledger:
        ask_of_ledger(log, ledger)
        with open_catalog(settings, log) as catalog:
            notifier = open_notifier(settings, log, ledger, catalog, os.environ, clock=now_us, random=random.random)
        try:
            notifier.run(stop)
        except LedgerTaken as taken:
            _logger.warning("ending: %s", taken)
