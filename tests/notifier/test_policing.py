"""What people decide reaches the notifier by the log, and what concerns nobody costs nothing."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, NoReturn, cast

import orjson
import pytest

from consumers.notifier import item
from consumers.notifier.errors import LedgerUnavailable
from consumers.notifier.floors import concerning
from consumers.notifier.notice import Reason, State
from consumers.notifier.notifier import Notifier
from consumers.notifier.policing import KEPT_US, Policing
from consumers.notifier.routing import text
from consumers.notifier.routing.tree import Policies
from consumers.notifier.seeding import seed
from pipeline.log.port import Batch, Position
from projections.catalog import Catalog
from schemas.envelope import Envelope
from tests.notifier import examples
from tests.notifier.memory_log import MemoryLog
from tests.notifier.world import Clock, World, at_once, drain, event, world

SILENCE = "018f3000-0000-7000-8000-000000000001"
NOW_US = Clock().now_us
HOUR_US = 3_600_000_000


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


def told(kind: str, subject: str, body: Mapping[str, Any], *, version: int = 1, time_us: int = NOW_US) -> Envelope:
    made = examples.event(1, type=kind, subject=subject, severity=0, version=version, time_us=time_us, body=orjson.dumps(body))
    return replace(made, id=f"{time_us // 1_000_000}-{kind}-{orjson.dumps(body).decode()}"[:100])


def published(number: int, routing: str) -> Envelope:
    return told("routing.published", "routing", {"version": number, "text": routing, "comment": "", "by": "ops"})


def silence(kind: str, revision: int, **more: Any) -> Envelope:
    body = {"silence_id": SILENCE, "revision": revision, "comment": "maintenance", "by": "ops"} | more
    return told(f"silence.{kind}", f"silence/{SILENCE}", body, time_us=NOW_US + revision)


def created(*matchers: str, ends_us: int = NOW_US + HOUR_US) -> Envelope:
    return silence("created", 1, matchers=matchers or ("source=*",), starts_us=NOW_US, ends_us=ends_us)


def listening() -> Policing:
    return Policing(Policies(text.default()))


OPS = "routes: {channel: ops, group_wait: 0s}"


def test_a_published_routing_holds_from_then_on_and_an_older_one_changes_nothing() -> None:
    policing = listening()
    policing.hear(published(2, OPS))
    policing.hear(published(1, "routes: {channel: other}"))

    assert (policing.policies.routing.number, policing.policies.routing.root.channel) == (2, "ops")


def test_a_routing_that_cannot_be_read_leaves_the_former_one_and_is_told_loudly(caplog: pytest.LogCaptureFixture) -> None:
    policing = listening()
    policing.hear(published(1, OPS))
    policing.hear(published(2, "routes: {telepathy: true}"))
    policing.hear(told("routing.published", "routing", {"version": 3}, version=2))

    assert policing.policies.routing.number == 1
    assert "version 2 of the routing cannot be read here, the former one holds" in caplog.text
    assert "routing.published of version 2 cannot be read here" in caplog.text


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"version":2}', b'{"version":"2","text":"x","by":""}', b'{"version":2,"text":5}']
)
@pytest.mark.parametrize("kind", ["routing.published", "silence.created", "silence.changed", "silence.expired"])
def test_what_is_not_of_its_own_form_stops_nobody_from_being_told(
    kind: str, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    policing = listening()
    policing.hear(published(1, OPS))
    policing.hear(replace(told(kind, "routing", {}), body=body))

    assert policing.policies.routing.number == 1
    assert policing.policies.silences == ()
    assert f"is no {kind}, whatever it is" in caplog.text


def test_a_silence_is_heard_of_changed_and_ended() -> None:
    policing = listening()
    policing.hear(created("source=aws.*"))
    assert [each.mutes({"source": "aws.health"}, NOW_US) for each in policing.policies.silences] == [True]

    policing.hear(silence("changed", 2, ends_us=NOW_US + 2 * HOUR_US))
    policing.hear(created("source=aws.*"))
    assert [each.ends_us for each in policing.policies.silences] == [NOW_US + 2 * HOUR_US]

    policing.hear(silence("expired", 3))
    assert [each.ends_us for each in policing.policies.silences] == [NOW_US + 3]
    policing.forget(NOW_US + 3 + KEPT_US)
    assert not policing.policies.silences


def test_a_silence_that_was_made_longer_in_time_holds_though_its_end_came_before_the_news_of_that() -> None:
    policing = listening()
    policing.hear(created())
    policing.forget(NOW_US + HOUR_US)
    policing.hear(silence("changed", 2, ends_us=NOW_US + 5 * HOUR_US))

    assert [each.mutes({"source": "x"}, NOW_US + 2 * HOUR_US) for each in policing.policies.silences] == [True]


def test_a_silence_that_has_ended_silences_nothing_though_it_is_remembered() -> None:
    policing = listening()
    policing.hear(created())
    policing.forget(NOW_US + HOUR_US)

    assert [each.mutes({"source": "x"}, NOW_US + HOUR_US) for each in policing.policies.silences] == [False]


def test_a_silence_that_cannot_be_read_or_is_unknown_silences_nothing(caplog: pytest.LogCaptureFixture) -> None:
    policing = listening()
    policing.hear(created("telepathy=x"))
    policing.hear(silence("changed", 2, ends_us=NOW_US + HOUR_US))
    policing.hear(silence("expired", 3))

    assert policing.policies.silences == ()
    assert "cannot be read here, it silences nothing" in caplog.text


def test_a_silence_that_ends_is_forgotten_and_others_are_not() -> None:
    other = "018f3000-0000-7000-8000-000000000002"
    policing = listening()
    policing.hear(created())
    policing.hear(silence("created", 1, silence_id=other, matchers=("source=*",), starts_us=NOW_US, ends_us=NOW_US + 9 * HOUR_US))
    policing.forget(NOW_US)
    assert len(policing.policies.silences) == 2

    policing.forget(NOW_US + HOUR_US + KEPT_US)
    policing.hear(silence("changed", 1, silence_id=other, ends_us=NOW_US + HOUR_US))

    assert [(each.id, each.ends_us) for each in policing.policies.silences] == [(other, NOW_US + 9 * HOUR_US)]


def test_the_notifier_acts_on_what_it_reads_between_two_events(tmp_path: Path) -> None:
    with world(tmp_path) as here:
        notifier = here.start()
        rounds = [
            [event(1)],
            [published(1, "routes: {channel: ''}"), event(2)],
            [published(2, OPS), event(3)],
            [created(), event(4)],
        ]
        for each in rounds:
            for one in each:
                here.log.put(one, "shard-0")
            drain(notifier)
            here.clock.advance(600)

        assert here.ops.told == [(event(1).id,), (event(3).id,)]
        assert (here.notice(event(4), "root").state, here.notice(event(4), "root").reason) == (State.SUPPRESSED, Reason.SILENCED)
        assert notifier.policies.routing.number == 2


def test_what_stands_before_a_routing_is_not_judged_by_it_though_a_write_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with world(tmp_path) as here:
        notifier = before_a_routing(here)
        with monkeypatch.context() as broken:
            broken.setattr(here.ledger, "commit", unavailable)
            with pytest.raises(LedgerUnavailable):
                notifier.step()
        drain(notifier)

        assert here.notice(event(1)).reason is Reason.ROUTE_REMOVED  # it came before that, and waited
        assert notifier.policies.routing.number == 1


def test_what_stands_before_a_routing_is_not_judged_by_it_though_another_shard_could_not_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with world(tmp_path) as here:
        notifier = before_a_routing(here)
        read = here.log.read

        def throttled(shard: str, after: Position | None, limit: int) -> Batch:
            return unavailable() if shard == "shard-1" else read(shard, after, limit)

        with monkeypatch.context() as broken:
            broken.setattr(here.log, "read", throttled)
            with pytest.raises(LedgerUnavailable):
                notifier.step()
        drain(notifier)

        assert here.notice(event(1)).reason is Reason.ROUTE_REMOVED


def before_a_routing(here: World) -> Notifier:
    """A notifier with something to read that happened before a routing by which nobody is told."""
    notifier = here.start()
    here.log.put(event(1), "shard-0")
    here.log.put(published(1, "routes: {channel: ''}"), "shard-0")
    return notifier


def unavailable(*_: object) -> NoReturn:
    message = "the test says so"
    raise LedgerUnavailable(message)


def test_a_notifier_begins_with_what_was_decided_between_the_projection_and_its_marks() -> None:
    log = MemoryLog()
    for each in (published(1, OPS), event(1), published(2, "routes: {channel: new}"), published(3, "routes: {channel: later}")):
        log.put(each, "shard-0")
    marks = {"shard-0": Position("shard-0", 3), "shard-9": Position("shard-9", 9)}

    found = {
        reached: seed(log, knowing(reached), marks, NOW_US).routing.root.channel
        for reached in (None, Position("shard-0", 2), Position("shard-0", 3))
    }

    assert found == {None: "new", Position("shard-0", 2): "new", Position("shard-0", 3): ""}
    assert seed(log, knowing(None), {"shard-0": Position("shard-0", 9)}, NOW_US).routing.root.channel == "later"


def knowing(reached: Position | None) -> Catalog:
    """A catalog whose projection is so far, and that knows of nothing."""

    class State:
        name = "policies"
        checkpoints = {} if reached is None else {reached.shard: reached}

    class Known:
        def states(self) -> list[State]:
            return [State()]

        def routing(self) -> None:
            return None

        def silences(self, *, ending_after_us: int) -> list[Any]:
            assert ending_after_us == NOW_US - KEPT_US
            return []

    return cast("Catalog", Known())


SOURCES = ("aws.health", "monitoring.agent", "")
TREES = [
    "routes: {channel: ''}",
    "routes: {channel: ops}",
    "routes: {routes: [{name: a, channel: ops, matchers: [severity>=HIGH, source=aws.*]}]}",
    "routes: {routes: [{name: a, matchers: [source!=aws.*], routes: [{name: b, channel: ops, matchers: [account=1111*]}]}]}",
    "routes: {routes: [{name: a, matchers: [type=report.issued], routes: [{name: b, channel: ops, matchers: [severity<LOW]}]}]}",
    "routes: {}\ninhibit: [{when: [type=finding.observed, severity=CRITICAL], mute: [severity<=LOW]}]",
]


@pytest.mark.parametrize("tree", TREES)
def test_what_needs_no_deciding_could_have_been_told_nobody_and_have_inhibited_nothing(tree: str) -> None:
    routing = text.read(tree)
    wanted = concerning(routing)

    for kind, severity, source in product(item.TYPES, range(5), SOURCES):
        read = item.of(examples.event(1, type=kind, severity=severity, source=source), Position("shard-0", 1))
        assert read is not None
        told = any(route.channel for route in routing.deciding(read.fields))
        inhibits = any(all(m.matches(read.fields) for m in each.when) for each in routing.inhibitions)
        assert wanted(kind, severity, source) or not (told or inhibits)


def test_what_no_route_can_want_needs_no_deciding() -> None:
    usual, nobody, some = (concerning(text.read(tree) if tree else text.default()) for tree in ("", TREES[0], TREES[2]))

    assert [usual("finding.observed", severity, "aws.health") for severity in range(5)] == [False, False, False, True, True]
    assert {kind for kind in item.TYPES if nobody(kind, 4, "aws.health")} == {
        kind for kind in item.TYPES if kind.startswith("alert.")
    }
    assert [some("finding.observed", 4, source) for source in SOURCES] == [True, False, False]
    assert not usual("notice.sent", 4, "findstream")


# the clock


def test_a_clock_that_goes_back_takes_the_groups_with_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with world(tmp_path, routes=[at_once(group_wait_us=30_000_000)]) as here:
        notifier = here.start()
        here.log.append([event()])
        notifier.step()
        here.clock.advance(-86_400)
        notifier.step()
        assert here.ops.told == []
        assert "the clock has gone back by 86400 s" in caplog.text

        here.clock.advance(30)
        drain(notifier)

        assert here.ops.told == [(event().id,)]


def test_a_clock_that_went_back_while_the_notifier_was_away_delays_nothing(tmp_path: Path) -> None:
    with world(tmp_path, routes=[at_once(group_wait_us=30_000_000)]) as here:
        notifier = here.start()
        here.log.append([event()])
        notifier.step()
        here.clock.advance(-86_400)

        drain(here.start())
        here.clock.advance(31)
        drain(here.start())

        assert here.ops.told == [(event().id,)]


def test_a_clock_that_goes_back_a_little_is_waited_for(tmp_path: Path) -> None:
    with world(tmp_path) as here:
        notifier = here.start()
        drain(notifier)
        here.clock.advance(-10)
        here.log.append([event()])
        drain(notifier)

        assert here.ops.told == [(event().id,)]


# what was kept after all


def test_a_write_that_was_kept_but_not_confirmed_is_not_decided_again(here: World) -> None:
    notifier = here.start()
    here.log.append([event()])
    whole = here.ledger.commit

    def lost(*told: Any) -> int:
        whole(*told)
        raise LedgerUnavailable

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(here.ledger, "commit", lost)
        with pytest.raises(LedgerUnavailable):
            notifier.step()
    drain(notifier)

    assert here.ops.told == [(event().id,)]
