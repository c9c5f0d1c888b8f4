"""One role as a process of its own: ``python -m consumers.role <role> [--lifeline FD]``.

Ends:   with 0 when asked to stop (SIGTERM, SIGINT, or the end of the lifeline, which means that the supervisor is gone),
        with 1 on an error, which is logged; with 2 if settings or arguments are wrong.
Forced: a role that does not stop within ``GRACE_SECONDS`` after its lifeline ended is ended by force.
"""

import argparse
import logging
import os
import selectors
import signal
import sys
from collections.abc import Sequence
from threading import Event, Thread
from typing import Final

from consumers import logs
from consumers.embedded import expect_folder
from consumers.garbage import collect_seldom
from consumers.roles import NAMES, load
from pipeline.errors import SettingRejected
from pipeline.settings import Settings

GRACE_SECONDS: Final = 15.0
_ASKED_BY: Final = (signal.SIGTERM, signal.SIGINT)
_logger = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one role until it is told to stop; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m consumers.role", description=__doc__)
    parser.add_argument("role", choices=NAMES)
    parser.add_argument("--lifeline", type=int, metavar="FD", help="a pipe whose end means: stop")
    asked = parser.parse_args(arguments)
    try:
        settings = Settings.load()
        expect_folder(settings)
    except SettingRejected as rejected:
        print(f"findstream: {rejected}", file=sys.stderr)  # noqa: T201 -- before there are logs
        return 2
    logs.configure(asked.role, settings.log_level)
    stop = Event()
    _listen(stop, asked.lifeline)
    try:
        run = load(asked.role)
        collect_seldom()
        run(settings, stop)
    except Exception:
        _logger.exception("%s ended by an error", asked.role)
        return 1
    _logger.info("%s stopped", asked.role)
    return 0


def _listen(stop: Event, lifeline: int | None) -> None:
    """Set ``stop`` when a signal or the end of the lifeline asks for it.

    Signals reach a thread by a pipe, since the main thread may hold the event's own lock when one arrives.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in _ASKED_BY:
        signal.signal(number, lambda *_: None)
    Thread(target=_wait, args=(stop, reading, lifeline), name="lifeline", daemon=True).start()


def _wait(stop: Event, signals: int, lifeline: int | None) -> None:
    """Until the process ends: pass on who asks to stop; without a supervisor, insist on it."""
    with selectors.DefaultSelector() as selector:
        selector.register(signals, selectors.EVENT_READ)
        if lifeline is not None:
            selector.register(lifeline, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd == lifeline:
                    stop.set()
                    Event().wait(GRACE_SECONDS)
                    os._exit(1)
                if any(number in _ASKED_BY for number in os.read(signals, 256)):
                    stop.set()


if __name__ == "__main__":
    sys.exit(main())
