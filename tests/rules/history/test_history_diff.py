"""A comparison of two versions says what the new one adds and what it lets go, as two backtests would."""

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from consumers.rules.history.diff import Diff, diff
from consumers.rules.history.strand import Stretch
from tests.rules.history.fakes import Words, minute, plain_judge, rule, said, tumbling
from tests.rules.history.model import expected
from tests.rules.history.test_history_backtest import DAY, STRETCHES, histories, of
from tests.support.memory_log import MemoryLog

VERSIONS = {
    "bad": rule(),
    "bad and dull": rule(words=frozenset({"bad", "dull"})),
    "pairs": rule(threshold=tumbling(2, 30), group_by=("group",)),
    "pairs, hopping": rule(threshold=tumbling(2, 30, hop=10), group_by=("group",)),
    "three, soon": rule(words=frozenset({"bad", "dull"}), threshold=tumbling(3, 30), group_by=("group",), late_us=0),
}


def run(log: Any, former: Words, new: Words, stretch: Stretch = DAY, **options: Any) -> Diff:
    return diff(log, former, new, stretch, make_judge=plain_judge, **options)


@given(histories(), STRETCHES, st.sampled_from(sorted(VERSIONS)), st.sampled_from(sorted(VERSIONS)))
def test_a_difference_is_that_of_two_sets(log: MemoryLog, stretch: Stretch, before: str, after: str) -> None:
    former, new = VERSIONS[before], Words(VERSIONS[after].version, VERSIONS[after].words)
    old, fresh = expected(log.records(), former, stretch), expected(log.records(), new, stretch)

    found = run(log, former, new, stretch)

    assert found.matched == len(old.matched & fresh.matched)
    assert (found.added.matched, found.removed.matched) == (len(fresh.matched - old.matched), len(old.matched - fresh.matched))
    assert {finding.id for finding in found.added.findings} <= fresh.matched - old.matched
    assert found.alerts == len(old.alerts.keys() & fresh.alerts.keys())
    assert found.added.alerts == len(fresh.alerts.keys() - old.alerts.keys())
    assert {alert.id for alert in found.removed.raised} <= old.alerts.keys() - fresh.alerts.keys()
    assert found.removed.alerts == len(old.alerts.keys() - fresh.alerts.keys())


def test_samples_are_the_oldest() -> None:
    log = of(*(said(number, minute(40 - number), word="dull") for number in range(20)))

    found = run(log, rule(), rule(words=frozenset({"dull"}), number=2))

    assert [finding.time_us for finding in found.added.findings] == [minute(number) for number in range(21, 31)]
    assert (found.former, found.new, found.complete) == (1, 2, True)


def test_faults_are_counted_and_all_can_be_written_as_json() -> None:
    log = of(said(1, minute(1)), said(2, minute(2), group="b"))

    found = run(log, rule(breaks=lambda document: document["group"] == "b"), rule(number=2))

    assert (found.faults, found.added.matched, found.matched) == (1, 1, 1)
    assert orjson.loads(orjson.dumps(found.document()))["added"]["matched"] == 1
