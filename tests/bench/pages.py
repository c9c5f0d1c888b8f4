"""How long a page of the event list takes, by ``Catalog.events``: few events and many, ours and naive."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final

from projections.catalog import Catalog
from projections.event_index import EventQuery
from tests.bench.figures import Figure, Run, Target, contest
from tests.bench.material import START_US, STEP_US, Told
from tests.bench.naive import Naive, Variant
from tests.bench.setting import VARIANTS, Ours, folder, naive_texts, ours, seconds

_TIMES: Final = 15
_RETENTION_DAYS: Final = 3650

Page = Callable[[Catalog, int], object]
NaivePage = Callable[[Naive], Sequence[Any]]

SOURCE: Final = "aws.guardduty"
WORDS: Final = ("root", "console")
"""A source with few events and words that few summaries hold."""


def pages(material: Sequence[Told], large: Path, large_count: int, rounds: int) -> Iterator[Figure]:
    """At 1,000 events and at ``len(material)`` beside the naive index, and ours at ``large_count`` in the folder ``large``."""
    few = material[:1000]
    with _both(few) as (catalog, naive_rows):
        small = _contests(f"{len(few):,}", catalog, naive_rows, len(few), rounds)
        yield from small
    with _both(material) as (catalog, naive_rows):
        yield from _contests(f"{len(material):,}", catalog, naive_rows, len(material), rounds)
    with ours(large) as parts, closing(_catalog(parts)) as catalog:
        for index, (name, page) in enumerate(_pages(large_count).items()):
            took = contest(name, "ms", rounds, {"ours": _ours(page, catalog, large_count)}).ours
            times = took / small[index].ours
            target = Target("≤ 2 x that at 1,000", at_most=2) if index == 0 else None
            yield Figure(f"{name}, {large_count:,} events", "ms", took)
            yield Figure("… beside 1,000 events", "x", times, target=target)


def _pages(count: int) -> dict[str, Page]:
    middle_us = START_US + count * STEP_US // 2

    def ask(**filters: Any) -> Page:
        return lambda catalog, now_us: catalog.events(EventQuery(**filters), now_us=now_us)

    return {
        "first page": ask(),
        "page of one source": ask(source=SOURCE),
        "page in the middle of time": ask(until_us=middle_us),
        "page of words": ask(text=" ".join(WORDS)),
    }


def _naive_pages(count: int) -> dict[str, NaivePage]:
    middle_us = START_US + count * STEP_US // 2
    return {
        "first page": lambda rows: rows.page(),
        "page of one source": lambda rows: rows.page(source=SOURCE),
        "page in the middle of time": lambda rows: rows.page(before=(middle_us, "")),
        "page of words": lambda rows: rows.page(text=WORDS),
    }


def _contests(told: str, catalog: Catalog, naive_rows: dict[Variant, Naive], count: int, rounds: int) -> list[Figure]:
    figures = []
    naive_pages = _naive_pages(count)
    for name, page in _pages(count).items():
        runs: dict[str, Run] = {"ours": _ours(page, catalog, count)}
        for variant, rows in naive_rows.items():
            if name != "page of words" or variant == "equal":
                runs[variant] = _theirs(naive_pages[name], rows)
        figures.append(contest(f"{name}, {told} events", "ms", rounds, runs))
    return figures


def _ours(page: Page, catalog: Catalog, count: int) -> Run:
    now_us = START_US + count * STEP_US
    return lambda: _median_ms(lambda: page(catalog, now_us))


def _theirs(page: NaivePage, rows: Naive) -> Run:
    return lambda: _median_ms(lambda: page(rows))


def _median_ms(ask: Callable[[], object]) -> float:
    took = []
    for _ in range(_TIMES):
        begin = perf_counter()
        ask()
        took.append(seconds(begin) * 1000)
    return median(took)


def _catalog(parts: Ours) -> Catalog:
    return Catalog(parts.store, parts.log, retention_days=_RETENTION_DAYS)


@contextmanager
def _both(material: Sequence[Told]) -> Iterator[tuple[Catalog, dict[Variant, Naive]]]:
    with folder() as path, ours(path) as parts:
        parts.append(material, 1000)
        with closing(parts.projector()) as projector:
            while projector.step():
                pass
        rows: dict[Variant, Naive] = {}
        with closing(Naive(path / "naive.db", projections=False)) as log:
            log.append(naive_texts(material))
            for variant in VARIANTS:
                rows[variant] = Naive(path / f"{variant}.db", variant, log=False)
                rows[variant].rebuild(log)
        with closing(_catalog(parts)) as catalog:
            yield catalog, rows
        for variant in VARIANTS:
            rows[variant].close()
