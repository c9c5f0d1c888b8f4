"""A verification finds no difference where live did as it ought to, and names each where it did not."""

from dataclasses import replace

import orjson
import pytest

from consumers.rules import alerting
from consumers.rules.engine.state import CLOSABLE_US
from consumers.rules.history.lockstep import Progress, Watch
from consumers.rules.history.verify import Verified, verify
from consumers.rules.rule import AHEAD_US, Version
from schemas.envelope import Envelope
from tests.rules.history.fakes import MINUTE_US, Words, minute, plain_judge, rule, said, tumbling
from tests.rules.history.test_history_backtest import of
from tests.rules.history.test_history_reprocess import FIRST, facts
from tests.rules.history.test_history_reprocess import run as reprocessed
from tests.support.memory_log import MemoryLog


def run(log: MemoryLog, *versions: Words) -> Verified:
    return verify(log, versions, make_judge=plain_judge)


def live(event: Envelope) -> Envelope:
    """The alert of a run as if it had been raised live."""
    return replace(event, body=orjson.dumps(orjson.loads(event.body) | {"backfilled": False, "run_id": ""}))


def raised_live(log: MemoryLog, compiled: Words) -> list[Envelope]:
    """What live would raise, by a run over a copy."""
    copy = MemoryLog(shards=1)
    for record in log.records():
        copy.put(record.event, recorded_us=record.recorded_us)
    reprocessed(copy, compiled)
    return [live(event) for event in facts(copy, "alert.raised")]


def test_what_was_raised_as_it_ought_to_be_differs_in_nothing() -> None:
    log = of(*(said(number, minute(number)) for number in range(5)))
    log.append(raised_live(log, rule()))

    found = run(log, rule())

    assert (found.equal, found.expected, found.raised, found.versions) == (True, 5, 5, [1])
    assert orjson.loads(orjson.dumps(found.document()))["equal"] is True


def test_what_was_not_raised_is_missing() -> None:
    log = of(said(1, minute(1)))

    found = run(log, rule())

    assert not found.equal
    assert [alert.title for alert in found.missing] == ["test-rule on a"]


def test_what_ought_not_to_have_been_raised_is_unexpected() -> None:
    log = of(said(1, minute(1)))
    (event,) = raised_live(log, rule())
    log.append([event, said(2, minute(2), word="dull")])

    found = run(log, rule(words=frozenset()))

    assert [alerting.subject(alert_id) for alert_id in found.unexpected] == [event.subject]


def test_alerts_of_runs_are_not_looked_for_but_count_as_raised() -> None:
    log = of(said(1, minute(1)), said(2, minute(2)))
    reprocessed(log, rule(), FIRST)

    assert run(log, rule(words=frozenset())).equal
    assert run(log, rule()).equal


def test_each_version_is_asked_about_what_it_was_in_force_for() -> None:
    log = of(*(said(number, minute(number), word="dull" if number > 4 else "bad") for number in range(10)))
    first = rule(until_us=minute(5))
    second = rule(words=frozenset({"dull"}), number=2, since_us=minute(5), until_us=minute(8))

    found = run(log, first, second)

    assert (found.expected, found.versions) == (8, [1, 2])


def test_a_window_counts_from_the_publication_on() -> None:
    log = of(*(said(number, minute(number)) for number in range(10)))
    compiled = rule(threshold=tumbling(4, 30), since_us=minute(7))

    assert run(log, compiled).expected == 0
    assert run(log, replace(compiled, version=Version(compiled.version.rule, 1, minute(6)))).expected == 1


def test_what_was_recorded_long_before_its_time_is_not_judged_live() -> None:
    log = MemoryLog()
    log.put(said(1, minute(60)), recorded_us=minute(60) - AHEAD_US - MINUTE_US)

    assert run(log, rule(since_us=minute(60))).expected == 0
    assert run(log, rule(since_us=minute(59))).expected == 1


def test_an_alert_that_is_raised_while_it_looks_is_not_unexpected() -> None:
    log = of(said(1, minute(1)))
    log.append(raised_live(log, rule()))
    (other,) = raised_live(of(said(9, minute(2))), rule())

    def raise_another(_: Progress) -> None:
        log.put(other, recorded_us=minute(99))

    found = verify(log, [rule()], make_judge=plain_judge, watch=Watch(raise_another))

    assert other.subject in {record.event.subject for record in log.records()}
    assert found.equal


CLOSING = rule(group_by=("group",), resolve={})


def closed_live(log: MemoryLog, compiled: Words, cause: Envelope) -> None:
    """Live raises what ``compiled`` concludes, and says that ``cause`` closes all of it."""
    raised = raised_live(log, compiled)
    log.append([*raised, *(alerting.resolved(event.data["alert_id"], cause.time_us, cause.id) for event in raised)])


def test_an_alert_that_a_finding_closes_and_that_is_closed_differs_in_nothing() -> None:
    cause = said(2, minute(2), word="good")
    log = of(said(1, minute(1)), cause, said(3, minute(3), word="good"))
    closed_live(log, CLOSING, cause)

    found = run(log, CLOSING)

    assert (found.equal, found.resolved) == (True, 1)


def test_an_alert_that_ought_to_have_been_closed_is_told() -> None:
    log = of(said(1, minute(1)), said(2, minute(2), word="good"), said(3, minute(3)))
    first, _ = raised = raised_live(log, CLOSING)
    log.append(raised)

    found = run(log, CLOSING)

    assert not found.equal
    assert list(found.unresolved) == [first.data["alert_id"]]


@pytest.mark.parametrize(
    "cause",
    [
        said(2, minute(2), word="bad"),
        said(2, minute(2), word="good", group="b"),
        said(0, minute(0), word="good"),
    ],
    ids=["does not resolve", "of another group", "older"],
)
def test_an_alert_that_a_finding_ought_not_to_have_closed_is_told(cause: Envelope) -> None:
    log = of(said(1, minute(1)))
    raised = raised_live(log, CLOSING)
    log.append([cause, *raised, alerting.resolved(raised[0].data["alert_id"], cause.time_us, cause.id)])

    assert list(run(log, CLOSING).wrongly_resolved) == [raised[0].data["alert_id"]]


def test_a_version_that_resolves_nothing_leaves_its_alerts_open() -> None:
    log = of(said(1, minute(1)))
    log.append(raised_live(log, rule(group_by=("group",))))
    log.append([said(2, minute(2), word="good")])
    first = rule(group_by=("group",), until_us=minute(2))
    second = rule(group_by=("group",), resolve={}, number=2, since_us=minute(2))

    assert run(log, first, second).equal


def test_what_a_run_withdrew_need_not_be_closed() -> None:
    log = of(said(1, minute(1)), said(2, minute(2), word="good"))
    (event,) = raised_live(log, CLOSING)
    log.append([event, alerting.withdrawn(event.data["alert_id"], 1, FIRST, time_us=minute(3))])

    assert run(log, CLOSING).equal


def test_what_came_a_month_late_need_not_close_anything() -> None:
    log = of(said(1, minute(1)))
    log.append(raised_live(log, CLOSING))
    log.put(said(2, minute(2), word="good"), recorded_us=minute(2) + CLOSABLE_US)

    assert run(log, CLOSING).equal
