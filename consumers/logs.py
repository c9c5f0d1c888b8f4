"""Structured logs, one way everywhere: modules log to ``logging.getLogger(__name__)``, doors configure it here, once.

A line is a JSON object on stderr, written by the formatter of AWS Lambda Powertools, so that a role logs the same on a machine
and in a function. ``extra={...}`` becomes fields. On a terminal the same record is one line for people.
"""

import logging
import sys
from typing import Final, TextIO

from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

_PLAIN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_COLOURS: Final = {"WARNING": "\x1b[33m", "ERROR": "\x1b[31m", "CRITICAL": "\x1b[1;31m", "DEBUG": "\x1b[2m"}
_QUIET: Final = ("httpx", "httpcore", "uvicorn", "asyncio")


class ForPeople(logging.Formatter):
    """``12:03:04 projector WARNING what happened  field=value``, then the trace if there is one."""

    def __init__(self, service: str, *, colour: bool) -> None:
        super().__init__()
        self._service = service
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        """One line, or more with a trace."""
        fields = "".join(f"  {name}={value}" for name, value in vars(record).items() if name not in _PLAIN)
        level = f"{record.levelname:<7}"
        if self._colour and record.levelname in _COLOURS:
            level = f"{_COLOURS[record.levelname]}{level}\x1b[0m"
        line = f"{self.formatTime(record, '%H:%M:%S')} {self._service:<10} {level} {record.getMessage()}{fields}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info and record.exc_info[0] else line


def configure(service: str, level: str, stream: TextIO | None = None) -> None:
    """Send all records of ``level`` and above to ``stream`` (stderr), named after ``service``. The last call wins."""
    out = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(out)
    if out.isatty():
        handler.setFormatter(ForPeople(service, colour=True))
    else:
        handler.setFormatter(LambdaPowertoolsFormatter(utc=True, use_rfc3339=True, service=service))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
