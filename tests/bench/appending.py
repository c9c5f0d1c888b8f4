"""How fast events get onto the log, durably: already validated, and from NDJSON."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from time import perf_counter

from tests.bench import naive
from tests.bench.figures import Figure, Run, Target, contest
from tests.bench.ingesting import ingest, ingest_of
from tests.bench.material import Told
from tests.bench.naive import Naive, Variant
from tests.bench.setting import folder, naive_texts, ours, seconds

_SIZES = (1000, 100, 1)
_SINGLES = 50
"""Appends of one event are measured on this part of the events."""


def append(material: Sequence[Told], rounds: int) -> Iterator[Figure]:
    """Durable appends of validated events that are all new, in batches of 1,000, 100 and 1."""
    new = list({item.event.id: item for item in material}.values())
    for size in _SIZES:
        some = new if size > 1 else new[: max(200, len(new) // _SINGLES)]
        yield contest(
            f"durable append, batches of {size:,}",
            "ev/s",
            rounds,
            {"ours": _ours(some, size), "plain": _theirs(some, size, "plain"), "equal": _theirs(some, size, "equal")},
            target=Target("≥ 1.5 x (stretch 2.4)", ratio=1.5) if size == _SIZES[0] else None,
            note="plain commits per 100, equal per batch and refuses known ids" if size == _SIZES[0] else "",
        )


def _ours(material: Sequence[Told], size: int) -> Run:
    def run() -> float:
        with ours() as parts:
            parts.log.heads()
            begin = perf_counter()
            parts.append(material, size)
            return len(material) / seconds(begin)

    return run


def _theirs(material: Sequence[Told], size: int, variant: Variant) -> Run:
    texts = naive_texts(material)
    commit = min(size, naive.COMMIT_EVENTS) if variant == "plain" else size

    def run() -> float:
        with folder() as path, closing(Naive(path / "naive.db", variant, projections=False)) as log:
            begin = perf_counter()
            log.append(texts, commit_events=commit)
            return len(texts) / seconds(begin)

    return run


def ndjson(material: Sequence[Told], rounds: int) -> Iterator[Figure]:
    """Lines parsed, validated and appended; 2 % are repeats."""
    lines = [item.line for item in material]

    def mine() -> float:
        with ours() as parts:
            parts.log.heads()
            into = ingest_of(parts)
            begin = perf_counter()
            ingest(into, lines)
            return len(lines) / seconds(begin)

    def theirs(variant: Variant) -> Run:
        def run() -> float:
            with folder() as path, closing(Naive(path / "naive.db", variant, projections=False)) as log:
                begin = perf_counter()
                log.append((event.id, naive.encoded(event)) for event in map(naive.ingested, lines))
                return len(lines) / seconds(begin)

        return run

    yield contest(
        "ingest NDJSON: parse, validate, append",
        "ev/s",
        rounds,
        {"ours": mine, "plain": theirs("plain"), "equal": theirs("equal")},
        target=Target("≥ 2 x (stretch 3)", ratio=2),
    )
