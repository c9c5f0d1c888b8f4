"""The engine on one machine: how it waits, stops, and forgets; and what stands around it."""

from contextlib import closing
from dataclasses import replace
from threading import Event, Thread
from typing import Any

import pytest

from consumers.rules import alerting
from consumers.rules.engine import state
from consumers.rules.engine.engine import Engine
from consumers.rules.engine.opening import open_book
from consumers.rules.engine.published import Published
from consumers.rules.engine.rule_set import RuleSet
from consumers.rules.engine.settling import SettlingStore, Told
from consumers.rules.engine.telling import tell
from pipeline.errors import LogUnavailable
from pipeline.log.port import Batch, Columns, Outcome, Receipt
from projections.errors import Fenced
from projections.event_index import Sought
from projections.rules import RuleVersion
from schemas.envelope import Envelope
from tests.engine.judging_world import HOUR_US, MINUTE_US, World, counting, rule, seen
from tests.support.facts import MORNING_US
from tests.support.memory_log import MemoryLog


class Stopping(Event):
    """Set after it was asked, or waited for, so many times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.left = times
        self.waited: list[float | None] = []

    def is_set(self) -> bool:
        self.left -= 1
        return self.left < 0

    def wait(self, timeout: float | None = None) -> bool:
        self.waited.append(timeout)
        return False


def test_it_runs_until_it_is_told_to_stop(world: World) -> None:
    world.publish(rule())
    world.tell(seen(1, what="failed"))
    world.start().run(Stopping(3), wait_seconds=0)
    assert len(world.alerts()) == 1


def test_it_waits_for_what_is_away_and_for_a_book_that_is_behind(world: World) -> None:
    world.publish(rule())
    world.tell(seen(1, what="failed"))
    world.log.down = True
    stop = Stopping(2)
    world.start().run(stop, wait_seconds=0)
    assert stop.waited == [1.0, 1.0]
    world.log.down = False
    world.judge()
    known = list(world.versions)
    world.versions.clear()
    stop = Stopping(1)
    world.start().run(stop, wait_seconds=0)
    assert stop.waited == [0.05]
    world.versions += known


def test_who_is_fenced_says_so(world: World) -> None:
    former = world.start()
    world.tell(seen(1))
    former.step()
    world.start().step()
    world.tell(seen(2))
    with pytest.raises(Fenced):
        former.run(Stopping(2), wait_seconds=0)


def test_a_newer_version_of_a_fact_stops_it_until_the_next_build(world: World) -> None:
    world.publish(rule())
    world.log.put(replace(seen(1, what="failed"), version=2))
    engine = world.start()
    stop = Stopping(2)
    engine.run(stop, wait_seconds=0)
    assert "finding.observed up to version 1" in world.stopped[0]
    assert stop.waited == [0, 0]


def test_windows_are_forgotten_when_nothing_can_count_in_them_any_more(world: World) -> None:
    world.publish(counting(5, late_us=0))
    world.log.put(seen(1, what="failed", who="ann"), recorded_us=MORNING_US + MINUTE_US)
    world.judge()
    assert len(windows(world)) == 1
    world.log.put(seen(300, what="fine"), recorded_us=MORNING_US + 2 * HOUR_US)
    world.judge()
    assert windows(world) == []


def windows(world: World) -> list[str]:
    with closing(world.store.open(world.store.serving()["judging"])) as rows:
        return [key for key, _ in rows.all_documents("w")]


MONTH_US = 31 * 24 * HOUR_US


def later(number: int, *, what: str, who: str) -> Envelope:
    """A finding on the shard of "a", a month later."""
    return replace(seen(number, what=what, who=who, subject="a"), time_us=MORNING_US + MONTH_US)


def test_a_finding_closes_no_alert_that_is_a_month_older(world: World) -> None:
    world.publish(rule(group_by=("who",), resolve={"what": "fine"}))
    world.tell(seen(1, what="failed", who="ann"), seen(2, what="fine"))
    world.judge()
    world.log.put(later(3, what="fine", who="ann"), recorded_us=MORNING_US + MONTH_US)
    world.judge()
    assert world.facts("alert.resolved") == []


def test_what_closes_alerts_is_forgotten_after_a_month(world: World) -> None:
    world.publish(rule(group_by=("who",), resolve={"what": "fine"}))
    entries = {f"w{n}": state.grouped("sign-ins", {"who": f"w{n}"}) for n in range(600)}
    first = state.open_page(entries["w0"])
    other = next(who for who, entry in entries.items() if who != "w0" and state.open_page(entry) == first)
    world.tell(seen(1, what="fine", who="w0", subject="a"))
    world.judge()
    world.log.put(later(3, what="fine", who=other), recorded_us=MORNING_US + MONTH_US)
    world.judge()
    with closing(world.store.open(world.store.serving()["judging"])) as rows:
        [(_, document)] = rows.all_documents("o")
    assert list(document) == [entries[other]]


def test_ends_of_alerts_are_forgotten_after_thirty_days(world: World) -> None:
    world.tell(*(alerting.withdrawn(f"{n:08}-0000-8000-8000-000000000000", 1, "", time_us=MORNING_US) for n in range(600)))
    world.judge()
    later = MORNING_US + 40 * 24 * HOUR_US
    told = [alerting.withdrawn(f"{n:08}-0000-8000-8000-000000000001", 1, "", time_us=later) for n in range(4_000)]
    for fact in told:
        world.log.put(fact, recorded_us=later)
    world.judge()
    with closing(world.store.open(world.store.serving()["judging"])) as rows:
        known = {alert for _, document in rows.all_documents("x") for alert in document}
    assert {fact.subject.removeprefix("alert/") for fact in told} <= known
    assert len(known) < 4_000 + 60


def test_a_store_that_settles_is_a_store(world: World) -> None:
    store = SettlingStore(world.store, world.log)
    world.tell(seen(1))
    world.judge()
    info = store.serving()["judging"]
    assert store.generations("judging") == [info] == [store.create("judging", 1, serving=True)]
    generation = store.open(info)
    with closing(generation):
        assert generation.info == info
        assert generation.checkpoints() == dict(world.log.heads())
        assert list(generation.segments(Sought(0, 1), "asc")) == []
        assert list(generation.counts(0, 1)) == []
        assert list(generation.all_documents("w")) == generation.documents_from("w", "", 5) == []
        assert list(generation.parked()) == []
        assert not generation.owes
        with generation.reading() as rows:
            assert rows.checkpoints() == dict(world.log.heads())
    with store.building("judging"):
        built = store.create("judging", 1, serving=False)
        store.switch(built, lambda: None)
    store.drop(info)
    assert store.generations("judging")[-1].number == built.number
    store.close()


def test_what_was_told_long_ago_is_forgotten_first() -> None:
    told = Told(2)
    told.add("abc")
    assert [key in told for key in "abc"] == [False, True, True]


def test_a_fact_that_the_log_refuses_is_named_and_the_others_are_told(caplog: pytest.LogCaptureFixture) -> None:
    class Refusing(MemoryLog):
        def append(self, events: Any) -> list[Receipt]:
            return [Receipt(event.id, Outcome.REFUSED, None, "too large") for event in events]

    tell(Refusing(), [seen(1)])
    assert "too large" in caplog.text


def test_without_rules_nothing_is_judged() -> None:
    empty = Batch("s", [], [], Columns(), [])
    assert list(RuleSet.empty().hits(empty)) == []
    with pytest.raises(AssertionError, match="without rules"):
        RuleSet.empty()._judges.make([])


class Texts:
    """A catalogue of two versions: one that can be read, one that cannot."""

    def __init__(self) -> None:
        self.asked: list[set[tuple[str, int]]] = []
        self.until_us = 9_000_000
        self.good = "id: good\ntitle: A good one\nseverity: high\nmatch: {source: [aws.health]}\n"

    def rule_versions(self, *, but: Any = ()) -> list[RuleVersion]:
        self.asked.append(set(but))
        good = self.good
        known: dict[str, Any] = {"by": "u1", "published": "", "severity": 3, "title": "x"}
        return [
            RuleVersion(rule_id="bad", number=1, since_us=1, text="id: [", **known),
            RuleVersion(rule_id="good", number=2, since_us=1, until_us=self.until_us, text=good, **known),
            RuleVersion(rule_id="other", number=1, since_us=1, text=good, **known),
        ]


def test_published_texts_are_read_once_and_nobody_judges_by_those_that_are_no_rules(caplog: pytest.LogCaptureFixture) -> None:
    texts = Texts()
    published = Published(texts)
    bad, version, other = published()
    assert (version.rule.id, version.number, version.until_us) == ("good", 2, 9_000_000)
    assert [(one.rule.id, one.rule.match) for one in (bad, other)] == [("bad", {}), ("other", {})]
    texts.until_us = 5_000_000
    _, version, _ = published()
    assert version.until_us == 5_000_000
    assert texts.asked == [set(), {("bad", 1), ("good", 2), ("other", 1)}]
    assert "version 1 of rule bad cannot be read" in caplog.text
    book = open_book(texts, clock=lambda: 0)
    assert book.refresh()
    assert list(book.rules.judging) == [("good", 2)]


def test_a_version_that_this_build_cannot_read_any_more_stops_nothing(world: World) -> None:
    world.tell(seen(1))
    texts = Texts()
    for text in (texts.good, "id: [", texts.good):
        texts.good = text
        with closing(_by_texts(world, texts)) as engine:
            assert engine.step() > 0
        world.tell(seen(2))


def _by_texts(world: World, texts: Texts) -> Engine:
    world.life += 1
    return Engine(
        world.log, world.store, open_book(texts, clock=lambda: 0), token=f"life {world.life}", clock=lambda: world.now_us
    )


def test_a_version_that_a_later_build_can_read_is_taken_up_then(world: World) -> None:
    readable = world.publish(rule())
    world.versions[0] = replace(readable, rule=replace(readable.rule, match={}))
    world.tell(seen(1, what="failed"))
    world.judge()
    assert world.alerts() == []
    world.versions[0] = readable
    world.start()
    world.judge()
    assert len(world.alerts()) == 1


def test_the_log_wakes_it(world: World) -> None:
    world.publish(rule())
    engine = world.start()
    stop = Event()
    thread = Thread(target=engine.run, args=(stop,), kwargs={"wait_seconds": 5})
    thread.start()
    world.tell(seen(1, what="failed"))
    while not world.alerts():
        stop.wait(0.01)
    stop.set()
    world.tell(seen(2))
    thread.join()


def test_a_log_that_is_away_while_catching_up_is_waited_for(world: World) -> None:
    world.tell(seen(1, what="failed"))
    world.judge()
    world.publish(rule())
    since, world.log.since = world.log.since, _away  # type: ignore[method-assign, assignment]
    engine = world.engine
    assert engine
    with pytest.raises(LogUnavailable):
        engine.step()
    world.log.since = since  # type: ignore[method-assign]
    world.judge()
    assert len(world.alerts()) == 1


def _away(*_: object) -> None:
    message = "away"
    raise LogUnavailable(message)
