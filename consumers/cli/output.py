"""What a command prints: JSON or text on stdout, everything else on stderr.

JSON:  one document, or one a line where a command streams; nothing else is on stdout then.
Text:  for people; what came from findings is freed of control characters first, so that it cannot steer a terminal.
Pipes: if the reader of stdout goes away, ``ReaderGone`` ends the command.
"""

import io
import shutil
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from consumers.palette import tone
from schemas.identity import MICROSECONDS

Json = Annotated[bool, typer.Option("--json", help="Answer in JSON on stdout, with nothing else there.")]

NO_CHANNEL: Final = "no channel"
"""What stands for the channel of notices whose route is no more."""

_WIDTH_OF_A_PIPE: Final = 2000
_NEVER_CUT: Final = {"Id", "Key", "Account"}
"""Columns whose cells are what the next command takes."""
_STEERING: Final = dict.fromkeys(
    (*range(32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A)), "\N{REPLACEMENT CHARACTER}"
)


class ReaderGone(Exception):
    """Whoever read stdout has gone. Nothing is wrong; the command ends."""


def plain(text: str) -> str:
    """``text`` on one line, without characters that steer a terminal or turn the direction of writing."""
    return text.translate(_STEERING)


def emit(text: str) -> None:
    """Print a line on stdout. Raises ``ReaderGone``."""
    emit_bytes(text.encode("utf-8", "replace"))


def emit_bytes(line: bytes) -> None:
    """Print a line on stdout. Raises ``ReaderGone``."""
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(line + b"\n")
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise ReaderGone from None


def emit_json(document: Any) -> None:
    """Print a JSON document on a line of stdout."""
    emit_bytes(orjson.dumps(document, default=str, option=orjson.OPT_NON_STR_KEYS))


def complain(message: str) -> None:
    """Say on stderr, in one line, what is wrong."""
    print(f"findstream: {plain(message)}", file=sys.stderr, flush=True)  # noqa: T201 -- a command's own words


def remark(message: str) -> None:
    """Say something on stderr that is good to know."""
    print(plain(message), file=sys.stderr, flush=True)  # noqa: T201 -- a command's own words


def emit_table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "") -> None:
    """Print rows for people, as wide as the terminal. A ``Text`` cell keeps its style; others are made plain."""
    table = Table(title=title or None, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, no_wrap=heading in _NEVER_CUT, overflow="ignore" if heading in _NEVER_CUT else "ellipsis")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(plain(str(cell))) for cell in row))
    on_terminal = sys.stdout.isatty()
    page = io.StringIO()
    width = shutil.get_terminal_size().columns if on_terminal else _WIDTH_OF_A_PIPE
    Console(file=page, width=width, force_terminal=on_terminal, highlight=False).print(table)
    for line in page.getvalue().splitlines():
        emit(line.rstrip())


def severity(level: int) -> Text:
    """The word of a severity, in its colour."""
    look = tone(level)
    return Text(look.word, style=look.color)


def moment(time_us: int | None) -> str:
    """A time as people read it: UTC, to the second; ``-`` if never."""
    if time_us is None:
        return "-"
    return datetime.fromtimestamp(time_us // MICROSECONDS, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def counted(number: int, thing: str) -> str:
    """``1 item``, ``2 items``, ``1,000 items``."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def size(number: float) -> str:
    """Bytes as people read them."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024:  # noqa: PLR2004 -- the step of these units
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"
