"""Reading, deciding, delivering and telling, with a clock that a test moves."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from consumers.notifier import notifier as role
from consumers.notifier.channels.port import Answer, Message, Payload, RateLimited, Refused, Unavailable
from consumers.notifier.courier import IN_ORDER_US
from consumers.notifier.errors import LedgerTaken, LedgerUnavailable, Unrenderable
from consumers.notifier.facts import settled
from consumers.notifier.ledger import rows
from consumers.notifier.ledger.port import Tally, Wanted
from consumers.notifier.notice import Reason, State
from consumers.notifier.notifier import Notifier, begin
from consumers.notifier.routing.tree import Matcher
from pipeline.errors import LogUnavailable
from pipeline.log.port import Batch, Shard
from schemas.envelope import Envelope
from tests.notifier.deciding import BEGIN_US
from tests.notifier.examples import finding, report
from tests.notifier.world import ScriptedChannel, World, at_once, drain, event, repeats, settle, world
from tests.support.facts import alert

CRITICAL_ONLY = Matcher("severity>=CRITICAL", "severity", lambda word: word == "CRITICAL")
DOWN = Unavailable("500 rollup_error", unsure=False)
LOST = Unavailable("TimeoutError", unsure=True)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


# reading and deciding


def test_an_event_becomes_a_message_and_a_fact(here: World) -> None:
    notifier = here.start()
    here.log.append([event()])

    drain(notifier)

    assert here.ops.told == [(event().id,)]
    assert here.notice(event()).state == State.SENT
    [fact] = here.facts()
    assert (fact.type, fact.version, fact.causation_id, fact.correlation_id) == ("notice.sent", 1, event().id, event().id)
    assert (fact.account, fact.region, fact.severity) == ("123456789012", "eu-central-1", 0)
    group = f'fingerprint="{event().id}"'
    assert fact.subject == f"notice/all/{group}"
    assert fact.data == {
        "route": "all",
        "group": group,
        "flush": here.clock() // 1000,
        "channel": "ops",
        "event_ids": [event().id],
        "reason": "newly_firing",
        "attempts": 1,
        "resent": False,
        "detail": "",
    }


def test_the_end_of_an_alert_is_told_with_what_raised_it(tmp_path: Path) -> None:
    raised, ended = alert("raised", BEGIN_US, 1, severity=3), alert("resolved", BEGIN_US + 5_000_000, 1)
    with world(tmp_path) as here:
        notifier = here.start()
        for each in (raised, ended):
            here.log.put(each, "shard-0")
            drain(notifier)
            here.clock.advance(600)
        drain(notifier)

        assert here.ops.told == [(raised.id,), (ended.id,)]
        assert here.ops.messages[-1].raised == {raised.subject: raised}


def test_a_channel_that_fails_and_is_back_is_logged_once_each(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with world(tmp_path, channels={"ops": ScriptedChannel(DOWN, DOWN)}) as here:
        notifier = here.start()
        here.log.append([event()])
        for _ in range(4):
            drain(notifier)
            here.clock.advance(400)

    assert [record.getMessage() for record in caplog.records] == [
        "channel ops fails: 500 rollup_error; what is for it waits, and is tried again",
        "channel ops is back",
    ]


def test_every_dead_letter_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with world(tmp_path, channels={"ops": ScriptedChannel(Refused("404 no_service"))}) as here:
        notifier = here.start()
        here.log.append([event()])
        drain(notifier)

        [told] = [record.getMessage() for record in caplog.records]
        assert told == f"dead letter of channel ops: {here.notice(event()).key}: refused: 404 no_service"


def test_facts_are_of_the_form_that_is_published(tmp_path: Path) -> None:
    registry = pytest.importorskip("schemas.registry").REGISTRY
    routes = [at_once("a", "ops"), at_once("b", "nowhere")]
    with world(tmp_path, routes=routes, channels={"ops": ScriptedChannel(Refused("404 no_service")), "nowhere": None}) as here:
        notifier = here.start()
        here.log.put(event(1), "shard-0")
        here.log.put(event(2), "shard-0")
        drain(notifier)

        assert sorted({fact.type for fact in here.facts()}) == ["notice.failed", "notice.sent", "notice.suppressed"]
        assert all(registry.check(fact) for fact in here.facts())


def test_what_stood_on_the_log_before_the_first_start_is_not_told(here: World) -> None:
    here.log.append([event(1), event(2)])
    notifier = here.start()
    here.log.append([event(3)])

    drain(notifier)

    assert here.ops.told == [(event(3).id,)]


def test_the_live_mark_can_be_set_before_producers_and_notifier_start(here: World) -> None:
    assert begin(here.log, here.ledger)
    here.log.append([event(1)])
    assert not begin(here.log, here.ledger)

    drain(here.start())

    assert here.ops.told == [(event(1).id,)]


def test_what_came_while_it_was_away_is_told_at_the_next_start(here: World) -> None:
    here.start()
    here.log.append([event(1)])

    drain(here.start())

    assert len(here.ops.told) == 1


def test_its_own_facts_and_those_below_every_route_are_read_over(here: World) -> None:
    notifier = here.start()
    here.log.append([event(1, type="task.created", severity=4), event(2)])
    drain(notifier)
    read = len(here.log.events())

    drain(here.start())

    assert read == len(here.log.events()) == 3
    assert len(here.ops.told) == 1


def test_an_event_that_no_route_wants_leaves_no_notice(tmp_path: Path) -> None:
    with world(tmp_path, routes=[at_once(matchers=(CRITICAL_ONLY,))]) as here:
        notifier = here.start()
        here.log.append([event()])
        drain(notifier)

        assert here.ledger.notices(Wanted()) == []
        assert here.facts() == []


def test_an_event_told_again_is_no_second_notice_on_the_same_shard_or_another(here: World) -> None:
    notifier = here.start()
    here.log.put(event(), "shard-0")
    drain(notifier)
    here.log.put(event(), "shard-0")
    here.log.put(event(), "shard-1")
    drain(notifier)
    drain(here.start())

    assert len(here.ops.told) == 1
    assert [fact.type for fact in here.facts()] == ["notice.sent"]


def test_an_event_twice_in_one_batch_is_one_notice(here: World) -> None:
    notifier = here.start()
    here.log.append([event(), event()])

    drain(notifier)

    assert len(here.ops.told) == 1


def test_reading_the_log_again_from_its_start_sends_nothing(here: World) -> None:
    notifier = here.start()
    here.log.append([event(1), finding("guardduty", id=event(2).id), report(id=event(3).id)])
    drain(notifier)
    told = len(here.facts())
    with here.ledger._file.writing() as db:
        db.execute("DELETE FROM marks")

    again = here.start()
    assert again.step() > 0
    drain(again)

    assert len(here.ops.told) == 3
    assert len(here.facts()) == told


def test_what_is_kept_of_an_event_fits_into_an_item_of_dynamodb_whatever_it_says(here: World) -> None:
    notifier = here.start()
    hostile = event(resources=("\u6f22" * 300_000,))
    here.log.append([hostile, finding("cloudwatch_alarm", id=event(2).id, resources=hostile.resources)])
    notifier.step()

    kept = [rows.member_row(group.key, member) for group, members in here.ledger.groups() for member in members]
    [cause] = here.notice(hostile).causes
    assert kept
    assert max(map(len, kept)) < 10_000
    assert len(cause.resource.encode()) <= 200


def test_a_report_on_the_log_is_told(tmp_path: Path) -> None:
    with world(tmp_path) as here:
        notifier = here.start()
        here.log.append([report()])
        drain(notifier)

        assert here.ops.told == [(report().id,)]


def test_a_shard_is_read_when_its_parents_are_at_their_end(here: World) -> None:
    here.log.layout = [Shard("parent"), Shard("child", parents=("parent",)), Shard("grandchild", parents=("child",))]
    notifier = here.start()
    here.log.put(event(1), "parent")
    here.log.put(event(2), "child")
    here.log.put(event(3), "grandchild")

    assert [notifier.step(), notifier.step()] == [1, 0]
    here.log.layout[:2] = [Shard("parent", closed=True), Shard("child", parents=("parent",), closed=True)]
    assert [notifier.step(), notifier.step(), notifier.step()] == [1, 1, 0]


def test_without_a_webhook_a_notice_is_suppressed_with_the_reason(tmp_path: Path) -> None:
    with world(tmp_path, channels={"ops": None}) as here:
        notifier = here.start()
        here.log.append([event()])
        drain(notifier)

        notice = here.notice(event())
        assert (notice.state, notice.reason, notice.attempt) == (State.SUPPRESSED, Reason.NO_CHANNEL, 0)
        [fact] = here.facts()
        assert (fact.type, fact.data["reason"], fact.causation_id) == ("notice.suppressed", "no_channel", event().id)
        assert fact.summary == "Notice kept, not sent to channel ops: there is no such channel, or it has no address"


@pytest.mark.parametrize(
    ("state", "reason", "said"),
    [
        (State.SENT, Reason.DELIVERED, "Notice sent to channel ops"),
        (State.FAILED, Reason.REFUSED, "Notice not sent to channel ops: it refused the message"),
        (State.FAILED, Reason.RATE_LIMITED, "Notice not sent to channel ops: rate limited"),
    ],
)
def test_what_became_of_a_notice_is_told_in_words(tmp_path: Path, state: State, reason: Reason, said: str) -> None:
    with world(tmp_path, channels={"ops": None}) as here:
        notifier = here.start()
        here.log.append([event()])
        drain(notifier)

        assert settled(here.notice(event()), state, reason, None, time_us=1).summary == said


def test_a_suppressed_notice_is_told_once(tmp_path: Path) -> None:
    with world(tmp_path, channels={"ops": None}) as here:
        notifier = here.start()
        here.log.append([event()])
        drain(notifier)
        here.log.append([event()])
        drain(notifier)

        assert len(here.facts()) == 1


# delivery


def test_a_channels_notices_are_sent_in_the_order_of_the_decisions(here: World) -> None:
    notifier = here.start()
    for number in range(1, 6):
        here.log.put(event(number), "shard-0")
        notifier.step()
        here.clock.advance(0.001)

    drain(notifier)

    assert here.ops.told == [(event(number).id,) for number in range(1, 6)]


def test_what_is_critical_overtakes(here: World) -> None:
    notifier = here.start()
    for number in range(1, 4):
        here.log.put(event(number, severity=4 if number == 3 else 3), "shard-0")
        notifier.step()
        here.clock.advance(0.001)

    drain(notifier)

    assert here.ops.told == [(event(number).id,) for number in (3, 1, 2)]


def test_a_rate_limit_is_waited_for_as_long_as_slack_asks(here: World) -> None:
    here.ops.answers = [RateLimited(30)]
    notifier = here.start()
    here.log.put(event(1), "shard-0")
    here.log.put(event(2), "shard-0")
    notifier.step()
    begun = here.clock()

    assert notifier.deliver("ops").outcome is not None
    here.clock.advance(29.999)
    resting = notifier.deliver("ops")
    assert (resting.notice, resting.again_us) == (None, begun + 30_000_000)
    assert len(here.ops.told) == 1

    here.clock.advance(0.001)
    settle(notifier)
    assert here.ops.told == [(event(number).id,) for number in (1, 1, 2)]


def long_down(here: World) -> Notifier:
    """A channel that has failed for so long that its next rest takes minutes."""
    here.ops.answers = [DOWN] * 9
    notifier = here.start()
    here.log.put(event(1), "shard-0")
    notifier.step()
    while len(here.ops.told) < 8:
        here.clock.advance(300)
        notifier.deliver("ops")
    here.clock.advance(300)
    return notifier


def test_a_person_has_a_channel_tried_before_its_rest_is_over(here: World) -> None:
    notifier = long_down(here)
    notifier.deliver("ops")
    resting = notifier.deliver("ops")

    here.ledger.retry("ops", here.clock())

    assert resting.again_us == here.clock() + 128_000_000
    assert settle(notifier)
    assert len(here.ops.told) == 10


def test_an_outcome_that_is_written_down_later_puts_no_end_to_it(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    notifier = long_down(here)

    def full(*_: object) -> None:
        message = "disk full"
        raise LedgerUnavailable(message)

    with monkeypatch.context() as patched:
        patched.setattr(here.ledger, "settle", full)
        with pytest.raises(LedgerUnavailable):
            notifier.deliver("ops")

    here.ledger.retry("ops", here.clock())

    assert settle(notifier)
    assert len(here.ops.told) == 10


def test_a_rest_outlives_a_restart(here: World) -> None:
    here.ops.answers = [RateLimited(30)]
    notifier = here.start()
    here.log.append([event()])
    notifier.step()
    settle(notifier)

    assert settle(here.start()) == []
    here.clock.advance(30)
    assert len(settle(here.start())) == 1


@pytest.mark.parametrize("answer", [RateLimited(30), DOWN])
def test_a_clock_that_went_back_strands_no_channel(here: World, answer: RateLimited | Unavailable) -> None:
    here.ops.answers = [answer]
    notifier = here.start()
    here.log.append([event(1)])
    drain(notifier)

    here.clock.advance(-365 * 86_400)
    here.log.append([event(2)])
    drain(notifier)

    assert {here.notice(event(number)).state for number in (1, 2)} == {State.SENT}


def test_a_notice_decided_before_the_clock_went_back_is_sent(here: World) -> None:
    notifier = here.start()
    here.log.append([event()])
    notifier.step()

    here.clock.advance(-365 * 86_400)
    drain(notifier)

    assert here.notice(event()).state == State.SENT


def test_an_outage_delays_and_loses_nothing(here: World) -> None:
    here.ops.answers = [DOWN] * 6
    notifier = here.start()
    for number in range(1, 4):
        here.log.put(event(number), "shard-0")
    notifier.step()

    waits = []
    while here.ledger.next_due_us("ops") is not None:
        visit = notifier.deliver("ops")
        if visit.notice is None and visit.again_us is not None and visit.again_us > here.clock():
            waits.append(round((visit.again_us - here.clock()) / 1e6, 3))
            here.clock.now_us = visit.again_us

    assert waits[:6] == [0.5, 1, 2, 4, 8, 16]
    assert sorted(map(str, here.ops.told[6:])) == sorted(str((event(number).id,)) for number in (1, 2, 3))
    assert here.ledger.tallies() == [Tally("ops", State.SENT, 3)]


def test_a_known_failure_is_resent_without_a_mark(here: World) -> None:
    here.ops.answers = [DOWN, RateLimited(1)]
    notifier = here.start()
    here.log.append([event()])
    notifier.step()
    for _ in range(3):
        settle(notifier)
        here.clock.advance(60)
    notifier.relay()

    assert not any(map(repeats, here.ops.payloads))
    assert here.facts()[0].data["resent"] is False
    assert here.facts()[0].data["attempts"] == 3


def test_an_unknown_outcome_is_resent_and_marked(here: World) -> None:
    here.ops.answers = [LOST]
    notifier = here.start()
    here.log.append([event()])
    notifier.step()
    settle(notifier)
    here.clock.advance(60)
    settle(notifier)
    notifier.relay()

    assert [repeats(request) for request in here.ops.payloads] == [False, True]
    assert (here.notice(event()).state, here.notice(event()).reason) == (State.SENT, Reason.OUTCOME_UNKNOWN)
    assert (here.facts()[0].data["resent"], here.facts()[0].data["reason"]) == (True, "newly_firing")


def test_a_message_that_upsets_slack_holds_nobody_up(here: World) -> None:
    notifier = here.start()
    for number in range(1, 4):
        here.log.put(event(number), "shard-0")
    notifier.step()
    here.ops.answers = [DOWN]
    settle(notifier)

    here.clock.advance(0.5)
    assert len(settle(notifier)) == 2
    assert [here.notice(event(number)).state for number in (1, 2, 3)] == [State.PENDING, State.SENT, State.SENT]

    here.clock.advance(0.1)
    settle(notifier)
    assert here.notice(event(1)).state == State.SENT


def test_of_one_group_what_was_decided_first_is_sent_first_however_often_it_failed(tmp_path: Path) -> None:
    route = replace(at_once(), group_by=("account",), group_interval_us=1_000_000)
    with world(tmp_path, routes=[route]) as here:
        notifier = here.start()
        here.ops.answers = [DOWN] * 3
        here.log.append([event(1)])
        drain(notifier)
        here.clock.advance(2)
        here.log.append([event(2)])
        drain(notifier)
        for _ in range(40):
            here.clock.advance(1)
            drain(notifier)

        assert here.ops.told[-2:] == [(event(1).id,), (event(2).id,)]
        assert set(here.ops.told[:-1]) == {(event(1).id,)}


def test_what_has_failed_for_half_an_hour_is_overtaken_in_its_group(tmp_path: Path) -> None:
    class Choosy(ScriptedChannel):
        def send(self, payload: Payload) -> Answer:
            if event(1).id in str(payload):
                self.answers = [DOWN]
            return super().send(payload)

    route = replace(at_once(), group_by=("account",), group_interval_us=1_000_000)
    with world(tmp_path, routes=[route], channels={"ops": Choosy()}) as here:
        notifier = here.start()
        begun_us = here.clock()
        here.log.append([event(1)])
        drain(notifier)
        here.clock.advance(60)
        here.log.append([event(2)])
        drain(notifier)
        while not here.ledger.notices(Wanted(event_id=event(2).id, state=State.SENT)):
            assert here.clock() - begun_us < 2 * IN_ORDER_US
            here.clock.advance(0.5)
            settle(notifier)

        assert here.clock() - begun_us > IN_ORDER_US
        assert here.notice(event(1)).state == State.PENDING


def test_what_is_sent_long_after_it_was_decided_says_so(here: World) -> None:
    here.ops.answers = [RateLimited(400.0)]
    notifier = here.start()
    here.log.append([event()])
    drain(notifier)
    here.clock.advance(401)
    drain(notifier)

    assert [message.late for message in here.ops.messages] == [False, True]
    assert "things may have changed since" in str(here.ops.payloads[-1])
    assert "things may have changed since" not in str(here.ops.payloads[0])


def test_a_refusal_is_a_dead_letter_at_once_and_the_next_is_sent(here: World) -> None:
    here.ops.answers = [Refused("400 invalid_payload")]
    notifier = here.start()
    here.log.put(event(1), "shard-0")
    here.log.put(event(2), "shard-0")
    drain(notifier)

    dead = here.notice(event(1))
    assert (dead.state, dead.reason, dead.detail, dead.attempt) == (State.FAILED, Reason.REFUSED, "400 invalid_payload", 1)
    assert here.notice(event(2)).state == State.SENT
    assert {fact.type: fact.causation_id for fact in here.facts()} == {"notice.failed": event(1).id, "notice.sent": event(2).id}
    details = {fact.data["reason"]: fact.data["detail"] for fact in here.facts()}
    assert details == {"refused": "400 invalid_payload", "newly_firing": ""}


def test_a_dead_letter_is_sent_when_it_is_redriven(here: World) -> None:
    here.ops.answers = [Refused("404 no_service"), Refused("404 no_service")]
    notifier = here.start()
    here.log.append([event()])
    drain(notifier)

    assert here.ledger.redrive(here.notice(event()).key, here.clock()) == 1
    drain(notifier)
    assert here.ledger.redrive(None, here.clock()) == 1
    drain(notifier)

    assert here.notice(event()).state == State.SENT
    assert sorted(fact.type for fact in here.facts()) == ["notice.failed", "notice.failed", "notice.sent"]
    assert len({fact.id for fact in here.facts()}) == 3


def test_a_message_is_given_up_after_three_days_of_outage(here: World) -> None:
    here.ops.answers = [DOWN] * 10_000
    notifier = here.start()
    here.log.append([event()])
    notifier.step()
    for _ in range(3 * 24):
        here.clock.advance(3600)
        notifier.deliver("ops")
        assert here.notice(event()).state == State.PENDING
    here.clock.advance(3600)
    notifier.deliver("ops")

    assert (here.notice(event()).state, here.notice(event()).reason) == (State.FAILED, Reason.GAVE_UP)


def test_an_event_that_the_log_lost_is_a_dead_letter(here: World) -> None:
    notifier = here.start()
    receipt = here.log.put(event(), "shard-0")
    notifier.step()
    assert receipt.position is not None
    here.log.lost.add(receipt.position)
    drain(notifier)

    assert (here.notice(event()).state, here.notice(event()).reason) == (State.FAILED, Reason.EVENT_MISSING)
    assert here.ops.told == []
    here.log.lost.clear()
    here.ledger.redrive(None, here.clock())
    drain(notifier)
    assert here.notice(event()).state == State.SENT


def test_an_event_that_no_template_can_show_is_a_dead_letter_and_the_next_is_sent(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def render(message: Message) -> Payload:
        if message.told[0][0].id == event(1).id:
            fault = "no such template"
            raise Unrenderable(fault)
        return whole(message)

    whole = here.ops.render
    monkeypatch.setattr(here.ops, "render", render)
    notifier = here.start()
    here.log.put(event(1), "shard-0")
    here.log.put(event(2), "shard-0")
    drain(notifier)

    assert (here.notice(event(1)).state, here.notice(event(1)).reason) == (State.FAILED, Reason.UNRENDERABLE)
    assert here.notice(event(2)).state == State.SENT


def test_a_channel_that_is_down_does_not_hold_up_another(tmp_path: Path) -> None:
    down, well = ScriptedChannel(*[DOWN] * 100), ScriptedChannel()
    routes = [at_once("a", "down"), at_once("b", "well")]
    with world(tmp_path, routes=routes, channels={"down": down, "well": well}) as here:
        notifier = here.start()
        here.log.append([event(number) for number in range(1, 6)])
        drain(notifier)

        assert len(well.told) == 5
        assert len(down.told) == 1
        assert here.ledger.tallies() == [Tally("down", State.PENDING, 5), Tally("well", State.SENT, 5)]


def test_notices_to_a_channel_that_was_removed_become_dead_letters(tmp_path: Path) -> None:
    with world(tmp_path) as here:
        notifier = here.start()
        here.log.append([event()])
        notifier.step()

        here.channels = {"other": ScriptedChannel()}
        notifier = here.start()
        notifier.relay()

        assert (here.notice(event()).state, here.notice(event()).reason) == (State.FAILED, Reason.CHANNEL_REMOVED)
        assert [fact.type for fact in here.facts()] == ["notice.failed"]


# what is unavailable


def test_a_turn_delivers_while_a_long_backlog_is_still_being_read(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    notifier, read = here.start(), here.log.read

    def slowly(*asked: Any) -> Batch:
        here.clock.advance(3)
        return read(*asked)

    monkeypatch.setattr(here.log, "read", slowly)
    here.log.append([event(1), *(event(number, type="agent.beat", subject="log/1") for number in range(2, 30_000))])
    turn = notifier.turn(here.clock() + 60_000_000)

    assert here.ops.told[0] == (event(1).id,)
    assert turn.sent > 0
    assert turn.again_us is not None
    assert turn.again_us <= here.clock()


def test_a_log_that_is_down_is_read_on_later(here: World) -> None:
    notifier = here.start()
    here.log.append([event()])
    here.log.down = True
    with pytest.raises(LogUnavailable):
        notifier.step()
    here.log.down = False

    notifier.step()
    here.log.down = True
    with pytest.raises(LogUnavailable):
        notifier.deliver("ops")
    assert here.notice(event()).state == State.PENDING
    here.log.down = False
    drain(notifier)

    assert len(here.ops.told) == 1


def test_facts_that_the_log_does_not_take_are_told_later(here: World) -> None:
    notifier = here.start()
    here.log.append([event()])
    notifier.step()
    settle(notifier)
    here.log.down = True
    with pytest.raises(LogUnavailable):
        notifier.relay()
    here.log.down = False
    here.log.refusing = {"notice.sent"}
    assert notifier.relay() == 0
    here.log.refusing = set()

    assert notifier.relay() == 1
    assert len(here.facts()) == 1


def test_a_fact_that_is_relayed_twice_keeps_its_id(here: World) -> None:
    notifier = here.start()
    here.log.append([event()])
    notifier.step()
    settle(notifier)
    [(_, waiting)] = here.ledger.outbox(10)
    here.log.append([waiting])

    notifier.relay()

    assert len({fact.id for fact in here.facts()}) == 1


def test_an_outcome_that_the_ledger_could_not_take_is_written_later_and_nothing_is_resent(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        message = "disk full"
        raise LedgerUnavailable(message)

    notifier = here.start()
    here.log.append([event()])
    notifier.step()
    with monkeypatch.context() as patched:
        patched.setattr(here.ledger, "settle", full)
        for _ in range(3):
            with pytest.raises(LedgerUnavailable):
                notifier.deliver("ops")
    drain(notifier)

    assert len(here.ops.told) == 1
    assert (here.notice(event()).state, here.notice(event()).reason) == (State.SENT, Reason.DELIVERED)


def test_a_notifier_that_was_followed_by_another_sends_nothing_more(here: World) -> None:
    old = here.start()
    here.log.append([event(1)])
    old.step()
    new = here.start()

    with pytest.raises(LedgerTaken):
        old.deliver("ops")
    here.log.append([event(2)])
    with pytest.raises(LedgerTaken):
        old.step()
    drain(new)

    assert len(here.ops.told) == 2


# forgetting


def told(here: World, notifier: Notifier, number: int, days: float) -> Envelope:
    """An event that happens, is recorded and told of so many days after the first."""
    here.clock.now_us = event().time_us + round(days * 86_400) * 1_000_000
    happened = replace(event(number), time_us=here.clock.now_us)
    here.log.append([happened])
    drain(notifier)
    return happened


def known(here: World) -> list[str]:
    return [notice.causes[0].event_id for notice in here.ledger.notices(Wanted())]


def test_an_outcome_is_forgotten_after_ninety_days(here: World) -> None:
    notifier = here.start()
    first = told(here, notifier, 1, 0)
    told(here, notifier, 2, 1)
    assert notifier.prune() == 0

    third = told(here, notifier, 3, 90.5)

    assert (notifier.prune(), notifier.prune()) == (1, 0)
    assert known(here) == [third.id, event(2).id]
    assert first.id not in known(here)


def test_a_dead_letter_is_not_forgotten(here: World) -> None:
    here.ops.answers = [Refused("404 no_service")]
    notifier = here.start()
    told(here, notifier, 1, 0)
    told(here, notifier, 2, 1000)

    assert notifier.prune() == 0
    assert here.notice(event(1)).state == State.FAILED


def test_a_repeat_that_waits_on_the_log_finds_its_outcome_known(here: World) -> None:
    """The notifier was down for half a year, and a producer's retry stood on the log all the while."""
    notifier = here.start()
    first = told(here, notifier, 1, 0)
    here.clock.advance(180 * 86_400)
    here.log.put(first, "shard-0")
    here.log.put(first, "shard-1")

    notifier = here.start()
    assert notifier.prune() == 0
    drain(notifier)
    assert notifier.prune() == 0

    assert len(here.ops.told) == 1


def test_a_clock_that_is_ahead_makes_nothing_forgotten(here: World) -> None:
    notifier = here.start()
    first = told(here, notifier, 1, 0)

    here.clock.advance(10_000 * 86_400)

    assert notifier.prune() == 0
    assert known(here) == [first.id]


def test_much_is_forgotten_in_parts(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(role, "_BATCH", 2)
    notifier = here.start()
    for number in range(1, 6):
        told(here, notifier, number, 0)
    told(here, notifier, 6, 91)

    assert [notifier.prune() for _ in range(4)] == [2, 2, 1, 0]
    assert known(here) == [event(6).id]


def test_a_turn_forgets_a_little_comes_back_for_the_rest_and_nothing_once_its_time_is_up(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(role, "_FORGOTTEN_AT_ONCE", 2)
    notifier = here.start()
    for number in range(1, 4):
        told(here, notifier, number, 0)
    told(here, notifier, 4, 91)

    notifier.turn(here.clock())
    assert len(known(here)) == 4
    assert notifier.turn(here.clock() + 10_000_000).again_us == here.clock() + 1_000_000
    assert len(known(here)) == 2
    assert notifier.turn(here.clock() + 10_000_000).again_us == here.clock() + 300_000_000
    assert known(here) == [event(4).id]


def test_forgetting_is_done_where_there_is_nothing_to_read(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    notifier = here.start()
    stop = Event()
    seen: list[int] = []

    def prune() -> int:
        seen.append(len(known(here)))
        stop.set()
        return 0

    monkeypatch.setattr(notifier, "prune", prune)
    here.log.append([event()])

    notifier.run(stop)

    assert seen == [1]
