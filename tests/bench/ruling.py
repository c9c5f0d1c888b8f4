"""How fast rules judge: one, fifty and five hundred, over batches at hand, beside the naive loop in the same run."""

from collections.abc import Iterator, Sequence
from time import perf_counter
from typing import Final

from consumers.rules.compiled import compile_rule
from consumers.rules.judge import make_judge
from consumers.rules.matching import Fault
from consumers.rules.rule import Version
from pipeline.log.port import Batch
from tests.bench import naive_rules
from tests.bench.figures import Figure, Run, Target, contest
from tests.bench.material import Told
from tests.bench.rules_material import versions
from tests.bench.setting import naive_texts, seconds
from tests.rules.batches import batch

_BATCH: Final = 5000
_NAIVE: Final = 5000
"""Events of the naive loop: it is too slow for all."""
_TARGETS: Final = {50: Target("≥ 10 x", ratio=10)}


def judged(material: Sequence[Told], rounds: int) -> Iterator[Figure]:
    """Batches with bodies in memory in, hits out. The naive loop gets each event as JSON, in memory too."""
    batches = [batch([item.event for item in material[first : first + _BATCH]]) for first in range(0, len(material), _BATCH)]
    texts = [text for _, text in naive_texts(material[:_NAIVE])]
    judging = {number: _ours(batches, versions(number)) for number in (1, 50, 500)}
    for number, mine in judging.items():
        published = versions(number)
        yield contest(
            f"judge by {number} {'rule' if number == 1 else 'rules'}",
            "ev/s",
            rounds,
            {"ours": mine, "plain": _theirs(texts[: _NAIVE // (1 + number // 50)], published)},
            target=_TARGETS.get(number),
            note=f"{_hits(batches, published):,} hits in {len(material):,} events",
        )
    yield contest(
        "500 rules beside 50",
        "ev/s",
        rounds,
        {"ours": judging[500], "plain": judging[50]},
        target=Target("≥ 0.5 x", ratio=0.5),
        note="'naive plain' is ours with 50 here",
    )


def _ours(batches: Sequence[Batch], published: Sequence[Version]) -> Run:
    judge = make_judge([compile_rule(version) for version in published], _refuse)

    def run() -> float:
        begin = perf_counter()
        for one in batches:
            for _ in judge.hits(one):
                pass
        return sum(map(len, batches)) / seconds(begin)

    return run


def _theirs(texts: Sequence[str], published: Sequence[Version]) -> Run:
    patterns = [version.rule.match for version in published]

    def run() -> float:
        begin = perf_counter()
        naive_rules.hits(texts, patterns)
        return len(texts) / seconds(begin)

    return run


def _hits(batches: Sequence[Batch], published: Sequence[Version]) -> int:
    judge = make_judge([compile_rule(version) for version in published], _refuse)
    return sum(1 for one in batches for _ in judge.hits(one))


def _refuse(fault: Fault) -> None:
    raise RuntimeError(str(fault))
