"""What the engine raises live is what a verification expects and, of rules in force for all of it, what a backtest reports."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from consumers.rules.engine.book import Book
from consumers.rules.engine.engine import Engine
from consumers.rules.history.backtest import backtest
from consumers.rules.history.reprocess import Run, reprocess
from consumers.rules.history.strand import Stretch
from consumers.rules.history.verify import verify
from projections.stores.sqlite import SqliteStore
from schemas.envelope import MAX_TIME_US
from tests.rules.history.fakes import MINUTE_US, Words, minute, plain_judge, rule, said, tumbling
from tests.support.facts import MORNING_US
from tests.support.memory_log import MemoryLog

LATE_US = 10 * MINUTE_US
RUN = "018f3000-0000-7000-8000-000000000001"
RULES = (
    rule("match", group_by=("group",), resolve={}),
    rule("three", threshold=tumbling(3, 30), late_us=LATE_US),
    rule("by-group", threshold=tumbling(2, 20), group_by=("group",), late_us=LATE_US, resolve={}),
    rule("hopping", threshold=tumbling(2, 30, hop=10), group_by=("group",), late_us=LATE_US),
    rule("distinct", threshold=tumbling(2, 60, distinct="value"), group_by=("group",), late_us=LATE_US),
)


def history(dice: Random) -> MemoryLog:
    """Findings over some hours on four shards, some late, some told again, recorded in their order."""
    told = []
    for number in range(80):
        happened_us = minute(dice.randrange(0, 300))
        finding = said(
            number,
            happened_us,
            group=dice.choice(["a", "b", "none"]),
            value=dice.choice(["", "x", "y", "z"]),
            word=dice.choice(["bad", "bad", "bad", "good", "dull"]),
        )
        came_us = happened_us + dice.choice([0, 1, 2, 599, 600, 601, 4000]) * 1_000_000
        told += [(came_us, finding)] * dice.choice([1, 1, 1, 2])
    log = MemoryLog(shards=4)
    for came_us, finding in sorted(told, key=lambda each: each[0]):
        log.put(finding, recorded_us=came_us)
    return log


def live(log: MemoryLog, folder: Path, dice: Random, rules: Callable[[], tuple[Words, ...]]) -> None:
    """Judge the log as it stands, in steps of any size."""
    by_version = {id(each.version): each for each in rules()}
    book = Book(
        lambda: [each.version for each in rules()],
        lambda version: by_version[id(version)],
        plain_judge,
        clock=lambda: MORNING_US,
        refresh_us=0,
    )
    store = SqliteStore(folder, clock=lambda: MORNING_US)
    engine = Engine(log, store, book, token="live", clock=lambda: MORNING_US, batch_events=dice.randrange(3, 30))
    with closing(store), closing(engine):
        while engine.step():
            pass


def raised(log: MemoryLog, rule_id: str) -> set[str]:
    return {
        record.event.subject.partition("/")[2]
        for record in log.records()
        if record.event.type == "alert.raised" and record.event.data["rule_id"] == rule_id
    }


@pytest.mark.parametrize("seed", range(12))
def test_alerts_raised_live_are_those_that_history_tells(seed: int, tmp_path: Path) -> None:
    dice = Random(seed)
    log = history(dice)

    live(log, tmp_path, dice, lambda: RULES)

    ever = Stretch(0, MAX_TIME_US)
    for each in RULES:
        found = verify(log, [each], make_judge=plain_judge)
        (result,) = backtest(log, [each], ever, make_judge=plain_judge, timer_ns=lambda: 0).rules
        told = reprocess(log, each, Run(RUN, ever), make_judge=plain_judge)
        assert found.equal
        assert found.resolved or each.version.rule.resolve is None
        assert len(raised(log, each.version.rule.id)) == found.expected == result.alerts
        assert (told.raised, told.withdrawn, told.standing) == (0, 0, result.alerts)


@pytest.mark.parametrize("seed", range(6))
def test_each_version_judged_live_what_it_was_in_force_for(seed: int, tmp_path: Path) -> None:
    dice = Random(seed)
    log = history(dice)
    first = rule("three", threshold=tumbling(3, 30), late_us=LATE_US, until_us=minute(100))
    second = rule("three", threshold=tumbling(2, 20), late_us=LATE_US, number=2, since_us=minute(100), until_us=minute(250))

    live(log, tmp_path, dice, lambda: (first, second))

    found = verify(log, [first, second], make_judge=plain_judge)
    assert found.equal
    assert found.raised == found.expected > 0
