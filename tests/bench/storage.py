"""What is stored: the log's bytes an event, before and after re-packing, its scans and single reads; the projections' bytes."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from random import Random
from time import perf_counter

from pipeline.log.port import Position
from pipeline.log.sqlite import SqliteLog
from tests.bench.figures import Figure, Run, Target, contest
from tests.bench.material import Told
from tests.bench.naive import Event, Naive, Variant
from tests.bench.setting import VARIANTS, folder, naive_texts, ours, seconds

_BATCH = 1000
_READS = 200


def stored(material: Sequence[Told], rounds: int) -> Iterator[Figure]:
    """Bytes an event, scans and single reads; the naive log is a row an event."""
    raw = sum(len(item.line) for item in material) / len(material)
    with folder() as path, ours(path) as parts:
        parts.append(material, _BATCH)
        count = parts.log.behind({})
        with closing(parts.projector()) as projector:
            while projector.step():
                pass
        texts = naive_texts(material)
        logs: dict[Variant, Path] = {variant: path / f"naive-{variant}.db" for variant in VARIANTS}
        sizes: dict[Variant, float] = {}
        for variant, file in logs.items():
            with closing(Naive(file, variant, projections=False)) as log:
                log.append(texts)
            sizes[variant] = _used(file) / count
        yield _size("log", _used(path / "log.db") / count, sizes, note=f"appended in batches of 1,000; a line has {raw:,.0f}")
        yield from _repacked(path, material, raw)
        yield _size(
            "projections", sum(map(_used, (path / "projections").glob("*.db"))) / count, None, Target("≤ 400", at_most=400)
        )
        yield contest("scan of all headers", "ev/s", rounds, {"ours": _scan(parts.log), "plain": _naive_scan(logs["plain"])})
        yield contest("read of one event", "ms", rounds, {"ours": _reads(parts.log), "plain": _naive_reads(logs["plain"])})


def _repacked(path: Path, material: Sequence[Told], raw: float) -> Iterator[Figure]:
    """A log written in drops of ten, before and after re-packing."""
    some = material[: len(material) // 4]
    with ours(path / "drops") as parts:
        parts.append(some, 10)
        count = parts.log.behind({})
        target = Target("≤ 0.3 of raw", at_most=0.3)
        for name, aim in (("before", None), ("after", target)):
            if name == "after":
                parts.log.repack(tail=True)
            used = _used(path / "drops" / "log.db") / count
            yield Figure(
                f"log, appended by tens, {name} re-packing", "of raw", used / raw, target=aim, note=f"{used:,.0f} B an event"
            )


def _size(name: str, mine: float, theirs: dict[Variant, float] | None, target: Target | None = None, note: str = "") -> Figure:
    if theirs is None:
        return Figure(f"{name}: bytes an event", "B", mine, target=target, note=note)
    plain, equal = theirs["plain"], theirs["equal"]
    return Figure(f"{name}: bytes an event", "B", mine, plain, equal, plain / mine, equal / mine, target, note)


def _used(file: Path) -> int:
    """Bytes of the pages that hold something: a re-pack frees pages, which the next appends use."""
    with closing(sqlite3.connect(file)) as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        (free,) = connection.execute("PRAGMA freelist_count").fetchone()
        (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    return int((pages - free) * page_bytes)


def _scan(log: SqliteLog) -> Run:
    def run() -> float:
        begin = perf_counter()
        count = 0
        for shard in log.shards():
            after = None
            while batch := log.read(shard.id, after, 5000):
                count += len(batch)
                after = batch.positions[-1]
        return count / seconds(begin)

    return run


def _naive_scan(file: Path) -> Run:
    def run() -> float:
        begin = perf_counter()
        with closing(Naive(file, projections=False)) as log:
            events = [Event.model_validate(json.loads(text)) for (text,) in log.connection.execute("SELECT event FROM log")]
        return len(events) / seconds(begin)

    return run


def _reads(log: SqliteLog) -> Run:
    heads = list(log.heads().values())
    rng = Random(1)  # which events are read

    def run() -> float:
        chosen = [Position(head.shard, rng.randrange(head.sequence)) for head in rng.choices(heads, k=_READS)]
        begin = perf_counter()
        for position in chosen:
            log.fetch([position])
        return seconds(begin) / _READS * 1000

    return run


def _naive_reads(file: Path) -> Run:
    rng = Random(1)  # which events are read

    def run() -> float:
        with closing(Naive(file, projections=False)) as log:
            (last,) = log.connection.execute("SELECT max(position) FROM log").fetchone()
            begin = perf_counter()
            for _ in range(_READS):
                (text,) = log.connection.execute(
                    "SELECT event FROM log WHERE position = ?", (1 + rng.randrange(last),)
                ).fetchone()
                Event.model_validate(json.loads(text))
            return seconds(begin) / _READS * 1000

    return run
