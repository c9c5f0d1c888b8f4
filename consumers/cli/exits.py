"""How a command ends: its exit code, and one line on stderr if it did not do what was asked.

=====  ==================================================================================================
0      done
1      failed: something broke; the line names it and what to do
2      wrong usage: an option, an argument or a setting; the line names it and the accepted form
3      refused, or done in part: understood, but it should not be done, or not all of it was; the line says why
130    interrupted by Ctrl-C (143: by SIGTERM)
141    the reader of stdout went away (``| head``)
=====  ==================================================================================================
"""

import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, Final

from typer import TyperException

from consumers.cli.output import ReaderGone, complain
from consumers.errors import ApiMisused, ConsumerError, Refused
from consumers.notifier.errors import ChannelsRejected, NotifierError, RoutesRejected
from consumers.people.errors import EmailTaken, KeyUnknown, LastAdmin, NobodyThere, PasswordRefused, UserChanged
from pipeline.errors import BackupRejected, PipelineError, SettingRejected
from projections.errors import CursorRejected, GenesisLost, ParkedEvents, ProjectionError, RebuildRunning

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
REFUSED: Final = 3
INTERRUPTED: Final = 130
TERMINATED: Final = 143
READER_GONE: Final = 141

_CODES: Final[Sequence[tuple[tuple[type[Exception], ...], int]]] = (
    ((SettingRejected, ChannelsRejected, RoutesRejected, CursorRejected, ApiMisused, PasswordRefused), USAGE),
    (
        (
            Refused,
            ParkedEvents,
            RebuildRunning,
            GenesisLost,
            BackupRejected,
            EmailTaken,
            KeyUnknown,
            LastAdmin,
            NobodyThere,
            UserChanged,
        ),
        REFUSED,
    ),
    ((PipelineError, ProjectionError, NotifierError, ConsumerError, OSError), FAILED),
)


def guarded(command: Callable[[], Any]) -> int:
    """Run a command and return its exit code; whatever it raises becomes one line on stderr."""
    before = signal.signal(signal.SIGTERM, _terminated)
    try:
        code = command()
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except (ReaderGone, BrokenPipeError):
        _close_stdout()
        return READER_GONE
    except Exception as broken:  # noqa: BLE001 -- the door's outermost line
        return _explained(broken)
    finally:
        signal.signal(signal.SIGTERM, before)
    return code if isinstance(code, int) else OK


def _explained(broken: Exception) -> int:
    """Say what broke, and return the exit code for it."""
    if isinstance(broken, TyperException):
        if told := broken.format_message():
            complain(told.replace(": Value error, ", ": "))
        return broken.exit_code
    for kinds, code in _CODES:
        if isinstance(broken, kinds):
            complain(str(broken) or type(broken).__name__)
            return code
    if os.environ.get("FINDSTREAM_LOG_LEVEL") == "DEBUG":
        traceback.print_exception(broken)
    complain(f"a defect of findstream: {type(broken).__name__}: {broken} (FINDSTREAM_LOG_LEVEL=DEBUG shows where)")
    return FAILED


def _terminated(_number: int, _frame: FrameType | None) -> None:
    """End like Ctrl-C does, so that what is half done is cleaned away."""
    raise SystemExit(TERMINATED)


def _close_stdout() -> None:
    """Nobody reads any more: let the interpreter's last flush go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
