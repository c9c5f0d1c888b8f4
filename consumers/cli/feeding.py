"""Commands that put findings in: ``ingest`` from files and pipes, ``sample`` from a generator."""

import io
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated, Final

import typer

from consumers.cli.arguments import share, time_us
from consumers.cli.exits import REFUSED
from consumers.cli.output import Json, complain, counted, emit, emit_bytes, emit_json, remark
from consumers.cli.progress import Tell, bar
from consumers.composition import now_us, open_ingest
from consumers.embedded import expect_folder
from consumers.home import Home
from consumers.notifier.ledger.sqlite import SqliteLedger
from consumers.sample import Item, Mix, generate, spread
from consumers.sample.pacing import due
from pipeline.errors import InputRejected
from pipeline.ingest import Ingest, Tally
from pipeline.settings import Settings
from schemas.identity import MICROSECONDS

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_DAY_US: Final = 86_400 * MICROSECONDS
_BATCH: Final = 1000
_CHUNK_BYTES: Final = 1 << 20
STDIN: Final = "-"

Told = dict[str, int]
"""read, accepted, duplicate, quarantined."""


def ingest(
    sources: Annotated[list[str], typer.Argument(metavar="FILE", help="Files, folders of files, or - for stdin.")],
    *,
    as_json: Json = False,
) -> int:
    """Take findings in: JSON in any arrangement (objects, arrays, NDJSON), wrapped by SNS, SQS, … or not, gzip or not.

    What cannot be understood goes to the quarantine with the reason; that is no failure.
    Taking the same input twice changes nothing: repeats are counted as duplicates.
    What is there before the first findstream run is never notified, so that an old export floods nobody.
    Exit code 3 if a file could not be read to its end.

    Examples:
      findstream ingest findings.ndjson
      findstream ingest exports/ more.json.gz --json
      cat alarm.json | findstream ingest -
    """
    paths = list(_files(sources))
    settings = Settings.load()
    total = [0, 0, 0, 0]
    broken = 0
    with open_ingest(settings) as desk, bar("ingest", "bytes", _bytes(paths)) as tell:
        done = 0
        for path in paths:
            with _opened(path, tell, done) as stream:
                try:
                    counts = _counts(
                        desk.take_stream(io.BufferedReader(stream, _CHUNK_BYTES), origin="stdin" if path == STDIN else path)
                    )
                except InputRejected as rejected:
                    complain(f"{path}: {rejected.items[0].reason}")
                    counts = rejected.taken
                    broken += 1
                finally:
                    done = stream.passed
            total = [sum(pair) for pair in zip(total, counts, strict=True)]
    if total[1] and not settings.on_aws and not _heard(Home(settings.home.absolute())):
        remark("nobody is notified of these: the notifier begins behind what is there at the first findstream run")
    _tell(dict(zip(("read", "accepted", "duplicate", "quarantined"), total, strict=True)), as_json=as_json)
    return REFUSED if broken else 0


def _heard(home: Home) -> bool:
    """Whether a notifier has begun here, so that it tells of what comes now."""
    if not home.ledger.exists():
        return False
    with closing(SqliteLedger(home.ledger)) as ledger:
        return ledger.marks() is not None


def _counts(tally: Tally) -> tuple[int, int, int, int]:
    return tally.read, tally.accepted, tally.duplicate, tally.quarantined


def _tell(told: Told, *, as_json: bool) -> None:
    if as_json:
        emit_json(told)
    else:
        emit(", ".join(f"{count:,} {name}" for name, count in told.items()))
    if told["quarantined"]:
        remark(f"{counted(told['quarantined'], 'item')} could not be understood; kept: findstream quarantine list")


def _files(sources: Sequence[str]) -> Iterator[str]:
    """The files that are meant, folders opened up (hidden files left out), in order; all exist."""
    for source in sources:
        path = Path(source)
        if source == STDIN:
            yield source
        elif path.is_dir():
            yield from (str(file) for file in sorted(path.rglob("*")) if file.is_file() and not file.name.startswith("."))
        elif path.exists():
            yield source
        else:
            message = f"{source} does not exist; name files, folders, or - for stdin"
            raise typer.BadParameter(message, param_hint="FILE")


def _bytes(paths: Iterable[str]) -> int | None:
    """How much there is to read; None if that cannot be known."""
    if any(path == STDIN or not Path(path).is_file() for path in paths):
        return None
    return sum(Path(path).stat().st_size for path in paths)


class _Counted(io.RawIOBase):
    """A file that tells how far it was read."""

    def __init__(self, inner: io.BufferedReader, tell: Tell, before: int) -> None:
        self._inner = inner
        self._tell = tell
        self.passed = before

    def readable(self) -> bool:
        """It can be read."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Read what there is, at most as much as ``buffer`` takes."""
        room = memoryview(buffer).cast("B")
        data = self._inner.read1(len(room))
        room[: len(data)] = data
        self.passed += len(data)
        self._tell(self.passed, None)
        return len(data)


@contextmanager
def _opened(path: str, tell: Tell, before: int) -> Iterator[_Counted]:
    if path == STDIN:
        yield _Counted(io.BufferedReader(io.FileIO(sys.stdin.fileno(), closefd=False)), tell, before)
    else:
        with Path(path).open("rb") as file:
            yield _Counted(file, tell, before)


def sample(
    *,
    count: Annotated[
        int | None, typer.Option("--count", "-n", min=1, help="How many; with --rate the default is no end.")
    ] = None,
    days: Annotated[float, typer.Option("--days", min=0.001, max=3650, help="Spread over so many days before --until.")] = 14,
    until: Annotated[int | None, typer.Option("--until", parser=time_us, metavar="TIME", help="End of that; now.")] = None,
    rate: Annotated[float | None, typer.Option("--rate", min=0.01, max=100_000, help="Live, so many a second.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="The same seed and --until tell the same bytes.")] = None,
    accounts: Annotated[int, typer.Option("--accounts", min=1, max=1000, help="How many accounts are watched.")] = 24,
    storms: Annotated[float, typer.Option("--storms", parser=share, metavar="SHARE", help="Share told in storms.")] = 0.08,
    duplicates: Annotated[float, typer.Option("--duplicates", parser=share, metavar="SHARE", help="Share told twice.")] = 0.02,
    late: Annotated[float, typer.Option("--late", parser=share, metavar="SHARE", help="Share that comes late.")] = 0.02,
    malformed: Annotated[
        float | None,
        typer.Option("--malformed", parser=share, metavar="SHARE", help="Share that is broken; 0.005, or 0 with --json alone."),
    ] = None,
    into: Annotated[bool, typer.Option("--ingest", help="Take them in here, instead of printing them.")] = False,
    as_json: Json = False,
) -> None:
    """Make findings up, of all kinds and from many accounts, as NDJSON on stdout or straight into the log.

    Without --rate: 1000 of them, spread over the last 14 days. With --rate: as they come, with the present time.

    Examples:
      findstream sample --count 1000 > findings.ndjson
      findstream sample --count 50000 --days 30 --ingest
      findstream sample --rate 50 --storms 0.3 --malformed 0 --ingest
    """
    printed_as_json = as_json and not into
    if printed_as_json and malformed:
        message = "with --json only JSON is printed, and what is broken is none; leave one of them out, or write --ingest"
        raise typer.BadParameter(message, param_hint="--malformed")
    mix = Mix(
        storms=storms,
        duplicates=duplicates,
        late=late,
        malformed=(0.0 if printed_as_json else Mix().malformed) if malformed is None else malformed,
        accounts=accounts,
        rhythm=0.0 if rate else 0.5,
        overture=not rate,
    )
    number = int.from_bytes(os.urandom(6)) if seed is None else seed
    if rate:
        live = generate(number, now_us(), step_us=MICROSECONDS / rate, mix=mix)
        batches: Iterable[Sequence[Item]] = due(islice(live, count), now_us, Event())
    else:
        end_us = now_us() if until is None else until
        past = spread(number, end_us - int(days * _DAY_US), end_us, count=count or _BATCH, mix=mix)
        batches = iter(lambda: list(islice(past, _BATCH)), [])
    if into:
        _take(batches, count or (None if rate else _BATCH), as_json=as_json)
    else:
        for batch in batches:
            emit_bytes(b"\n".join(item.payload for item in batch))


def _take(batches: Iterable[Sequence[Item]], total: int | None, *, as_json: bool) -> None:
    told = dict.fromkeys(("read", "accepted", "duplicate", "quarantined"), 0)
    try:
        settings = Settings.load()
        expect_folder(settings)
        with open_ingest(settings) as desk, bar("sample", "findings", total) as tell:
            for batch in batches:
                for name, more in zip(told, _counts(take(desk, batch)), strict=True):
                    told[name] += more
                tell(told["read"], None)
    except KeyboardInterrupt:
        if total is not None:
            raise
    _tell(told, as_json=as_json)


def take(desk: Ingest, batch: Sequence[Item]) -> Tally:
    """Take made-up findings in."""
    return desk.take_lines([item.payload for item in batch], origin="sample")
