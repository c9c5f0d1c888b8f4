"""The ledger keeps what was decided and what became of it."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from consumers.notifier.errors import LedgerTaken, LedgerUnavailable, LedgerUnreadable
from consumers.notifier.groups.state import Change, Group, GroupKey, Member
from consumers.notifier.ledger import items
from consumers.notifier.ledger.dynamodb import DynamoLedger
from consumers.notifier.ledger.port import Crowd, Draft, Ledger, Tally, Wanted
from consumers.notifier.ledger.sqlite import SqliteLedger
from consumers.notifier.notice import DIGEST, Cause, Count, Key, Notice, Reason, State
from consumers.notifier.retry import Outcome, Pace
from pipeline.errors import UnknownFormat
from pipeline.log.port import Position
from pipeline.sqlite_file import connect
from tests.aws.clients import Server
from tests.notifier.examples import event
from tests.support.dynamo import Meanwhile, table_at

MARKS = {"shard-0": Position("shard-0", 7), "shard-1": Position("shard-1", 1 << 120, 3)}


Open = Callable[[], Ledger]


@pytest.fixture(params=["sqlite", "dynamodb"])
def another(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens the ledger, as each process does for itself."""
    opened: list[SqliteLedger] = []

    def sqlite() -> Ledger:
        opened.append(SqliteLedger(tmp_path / "notices.db"))
        return opened[-1]

    def dynamodb() -> Ledger:
        server: Server = request.getfixturevalue("ministack")
        return DynamoLedger(server.client("dynamodb"), table_at(server, tmp_path), dice=Random())

    yield {"sqlite": sqlite, "dynamodb": dynamodb}[request.param]
    for ledger in opened:
        ledger.close()


@pytest.fixture
def ledger(another: Open) -> Ledger:
    return another()


def notice(number: int = 1, channel: str = "ops", **more: object) -> Notice:
    made = Notice(
        key=Key("all", f"event-{number}"),
        channel=channel,
        causes=(Cause(f"event-{number}", Position("shard-0", number)),),
        state=State.PENDING,
        reason=Reason.ROUTE_MATCHED,
        decided_us=number,
        due_us=number,
        changed_us=number,
    )
    return replace(made, **more)  # type: ignore[arg-type]  # names of fields


def outcome(
    state: State, reason: Reason, due_us: int = 0, *, unsure: bool = False, detail: str = "", pace: Pace | None = None
) -> Outcome:
    return Outcome(state, reason, due_us, unsure, detail, pace or Pace())


SENT = outcome(State.SENT, Reason.DELIVERED)
DEAD = outcome(State.FAILED, Reason.REFUSED, detail="404 no_service")


def put(ledger: Ledger, *notices: Notice) -> int:
    """Claim the ledger and keep ``notices``; returns the token."""
    token = ledger.claim()
    ledger.commit(token, {}, [Draft(each) for each in notices], Change())
    return token


# marks and decisions


def test_a_new_ledger_has_no_live_mark(ledger: Ledger) -> None:
    assert ledger.marks() is None


def test_the_live_mark_is_set_once(ledger: Ledger) -> None:
    assert ledger.begin(MARKS)
    assert not ledger.begin({"shard-0": Position("shard-0", 99)})

    assert ledger.marks() == MARKS


def test_the_live_mark_stays_where_it_was_as_marks_move_on(ledger: Ledger) -> None:
    assert ledger.live_mark() is None
    ledger.begin(MARKS)
    ledger.commit(ledger.claim(), {shard: Position(shard, 10**6) for shard in MARKS}, [], Change())

    assert ledger.live_mark() == MARKS
    assert ledger.marks() != MARKS


def test_the_live_mark_of_an_empty_log_is_set_too(ledger: Ledger) -> None:
    assert ledger.begin({})
    assert not ledger.begin(MARKS)

    assert ledger.marks() == {}


def test_decisions_and_how_far_the_log_was_read_are_kept_together(ledger: Ledger) -> None:
    ledger.begin({})
    token = ledger.claim()

    assert ledger.commit(token, MARKS, [Draft(notice(1)), Draft(notice(2))], Change()) == 2

    assert ledger.marks() == MARKS
    assert ledger.get(Key("all", "event-1")) == notice(1)
    assert ledger.get(Key("all", "event-3")) is None


def test_a_mark_moves_on_alone(ledger: Ledger) -> None:
    ledger.begin(MARKS)

    ledger.commit(ledger.claim(), {"shard-0": Position("shard-0", 8)}, [], Change())

    assert ledger.marks() == {**MARKS, "shard-0": Position("shard-0", 8)}


def test_a_notice_that_is_known_is_dropped_with_its_fact(ledger: Ledger) -> None:
    token = ledger.claim()
    ledger.commit(token, {}, [Draft(notice(1), event(1))], Change())

    assert ledger.commit(token, {}, [Draft(notice(1, channel="other"), event(2)), Draft(notice(2))], Change()) == 1

    assert ledger.get(Key("all", "event-1")) == notice(1)
    assert [fact for _, fact in ledger.outbox(10)] == [event(1)]


def test_a_write_that_fails_leaves_nothing_behind(ledger: Ledger) -> None:
    ledger.begin({})
    token = ledger.claim()

    with pytest.raises(AttributeError):
        ledger.commit(token, MARKS, [Draft(notice(1)), Draft(None)], Change())  # type: ignore[arg-type]  # breaks in the middle

    assert ledger.marks() == {}
    assert ledger.notices(Wanted()) == []


# delivery


def test_the_notice_that_was_decided_first_is_due_first(ledger: Ledger) -> None:
    put(ledger, notice(2), notice(1), notice(3, channel="other"))

    assert ledger.due("ops", 100) == notice(2)
    assert ledger.due("other", 100) == notice(3, channel="other")
    assert ledger.due("nowhere", 100) is None


def test_a_notice_that_is_not_due_lets_others_by(ledger: Ledger) -> None:
    put(ledger, notice(1, due_us=500), notice(2, due_us=50))

    assert ledger.due("ops", 49) is None
    assert ledger.next_due_us("ops") == 50
    assert ledger.due("ops", 50) == notice(2, due_us=50)
    assert ledger.due("ops", 500) == notice(1, due_us=500)
    assert ledger.next_due_us("other") is None


def test_an_intent_counts_the_attempt_and_takes_the_notice_off_the_list(ledger: Ledger) -> None:
    token = put(ledger, notice(1))

    sending = ledger.intend(token, notice(1), 40)

    assert sending == notice(1, state=State.SENDING, attempt=1, first_attempt_us=40, changed_us=40)
    assert ledger.get(notice().key) == sending
    assert ledger.due("ops", 100) is None


def test_an_outcome_is_kept_with_the_channels_rest_and_the_fact(ledger: Ledger) -> None:
    token = put(ledger, notice(1))
    sending = ledger.intend(token, notice(1), 40)

    ledger.settle(token, sending, DEAD, 41, event(9))

    assert ledger.get(notice().key) == replace(
        sending, state=State.FAILED, reason=Reason.REFUSED, detail="404 no_service", due_us=0, changed_us=41
    )
    assert ledger.outbox(10) == [(1, event(9))]


def test_a_channel_rests_as_its_last_outcome_says(ledger: Ledger) -> None:
    token = put(ledger, notice(1), notice(2, channel="other"))
    assert ledger.pace("ops") == Pace()

    again = outcome(State.PENDING, Reason.UNAVAILABLE, 90, unsure=True, pace=Pace(80, 3))
    ledger.settle(token, ledger.intend(token, notice(1), 40), again, 41)

    assert ledger.pace("ops") == Pace(80, 3)
    assert ledger.pace("other") == Pace()
    waiting = ledger.due("ops", 90)
    assert waiting is not None
    assert (waiting.unsure, waiting.attempt, waiting.first_attempt_us) == (True, 1, 40)
    second = ledger.intend(token, waiting, 91)
    assert (second.attempt, second.first_attempt_us) == (2, 40)


def test_a_notice_is_settled_once(ledger: Ledger) -> None:
    token = put(ledger, notice(1))
    sending = ledger.intend(token, notice(1), 40)
    ledger.settle(token, sending, SENT, 41)

    with pytest.raises(LedgerTaken, match="all/event-1/0 is no longer sending at attempt 1"):
        ledger.settle(token, sending, DEAD, 42, event(9))

    assert ledger.outbox(10) == []


def test_what_a_crash_left_sending_becomes_pending_and_unsure(ledger: Ledger) -> None:
    token = put(ledger, notice(1), notice(2), notice(3))
    sending = ledger.intend(token, notice(1), 40)
    ledger.settle(token, ledger.intend(token, notice(2), 41), SENT, 42)

    assert ledger.recover(token, 50) == 1
    assert ledger.recover(token, 51) == 0

    again = ledger.due("ops", 50)
    assert again == replace(sending, state=State.PENDING, reason=Reason.OUTCOME_UNKNOWN, unsure=True, due_us=50, changed_us=50)


# the writer


def test_a_writer_that_was_followed_by_another_changes_nothing_more(ledger: Ledger) -> None:
    old = put(ledger, notice(1))
    new = ledger.claim()

    with pytest.raises(LedgerTaken):
        ledger.commit(old, MARKS, [Draft(notice(2))], Change())
    with pytest.raises(LedgerTaken):
        ledger.intend(old, notice(1), 40)
    with pytest.raises(LedgerTaken):
        ledger.recover(old, 40)
    sending = ledger.intend(new, notice(1), 40)
    with pytest.raises(LedgerTaken):
        ledger.settle(old, sending, SENT, 41)

    assert ledger.get(notice().key) == sending
    assert len(ledger.notices(Wanted())) == 1


def test_two_handles_on_one_ledger_see_each_other(ledger: Ledger, another: Open) -> None:
    token = put(ledger, notice(1))

    other = another()
    assert other.get(notice().key) == notice(1)
    other.claim()

    with pytest.raises(LedgerTaken):
        ledger.intend(token, notice(1), 40)


# dead letters


def test_a_dead_letter_is_redriven_by_its_key(ledger: Ledger) -> None:
    token = put(ledger, notice(1), notice(2))
    for number in (1, 2):
        ledger.settle(token, ledger.intend(token, notice(number), 40), DEAD, 41)

    assert ledger.redrive(Key("all", "event-1"), 60) == 1

    redriven = ledger.due("ops", 60)
    assert redriven is not None
    assert (redriven.key.group, redriven.reason, redriven.first_attempt_us) == ("event-1", Reason.REDRIVEN, None)
    assert ledger.redrive(Key("all", "event-1"), 61) == 0


def test_all_dead_letters_are_redriven_and_nothing_else(ledger: Ledger) -> None:
    token = put(ledger, *map(notice, range(1, 5)))
    ledger.settle(token, ledger.intend(token, notice(1), 40), SENT, 41)
    ledger.settle(token, ledger.intend(token, notice(2), 40), DEAD, 41)
    ledger.settle(token, ledger.intend(token, notice(3), 40), DEAD, 41)

    assert ledger.redrive(None, 60) == 2

    assert ledger.tallies() == [Tally("ops", State.PENDING, 3), Tally("ops", State.SENT, 1)]


# trying a channel now


def rests(ledger: Ledger, *numbers: int, pace: Pace) -> int:
    """Notices of a channel that has failed for each of them, so that it and they rest; returns the token."""
    token = put(ledger, *(notice(number) for number in numbers))
    for number in numbers:
        again = outcome(State.PENDING, Reason.UNAVAILABLE, 900 + number, pace=pace)
        ledger.settle(token, ledger.intend(token, notice(number), 40), again, 41)
    return token


def test_a_channel_that_rests_for_its_failures_can_be_tried_now(ledger: Ledger) -> None:
    token = rests(ledger, 1, 2, pace=Pace(800, 3))
    put(ledger, notice(3), notice(4, channel="other", due_us=900))

    assert ledger.retry("ops", 50) == 3
    assert ledger.retry("ops", 51) == 3

    assert ledger.pace("ops") == Pace(50, 3, retried_us=51)
    assert [each.due_us for each in ledger.notices(Wanted(channel="ops"))] == [3, 50, 50]
    assert ledger.due("other", 899) is None
    with pytest.raises(LedgerTaken):
        ledger.intend(token, notice(3), 60)


def test_a_channel_that_asked_to_be_left_alone_is_not_tried_before(ledger: Ledger) -> None:
    rests(ledger, 1, pace=Pace(800, 1, asked=True))

    assert ledger.retry("ops", 50) == 1

    assert ledger.pace("ops") == Pace(800, 1, asked=True, retried_us=50)


def test_a_channel_without_a_notice_may_be_tried_too(ledger: Ledger) -> None:
    assert ledger.retry("ops", 50) == 0
    assert ledger.pace("ops") == Pace(retried_us=50)
    assert ledger.tallies() == []


def test_a_request_in_flight_leads_to_no_rest_if_a_person_had_the_channel_tried_meanwhile(ledger: Ledger) -> None:
    token = put(ledger, notice(1))
    sending = ledger.intend(token, notice(1), 40)
    ledger.retry("ops", 45)

    ledger.settle(token, sending, outcome(State.PENDING, Reason.UNAVAILABLE, 900, pace=Pace(800, 1)), 50)

    assert ledger.pace("ops") == Pace(50, 1, retried_us=50)
    assert ledger.due("ops", 50) is not None


def test_notices_to_channels_that_are_gone_are_found(ledger: Ledger) -> None:
    token = put(ledger, notice(1), notice(2, channel="gone"), notice(3, channel="gone"))
    ledger.intend(token, notice(3, channel="gone"), 40)

    assert ledger.orphans({"ops"}, 10) == [notice(2, channel="gone")]
    assert ledger.orphans((), 1) == [notice(1)]


# the outbox


def test_facts_leave_the_outbox_when_they_were_relayed(ledger: Ledger) -> None:
    ledger.commit(ledger.claim(), {}, [Draft(notice(number), event(number)) for number in (1, 2, 3)], Change())

    assert ledger.outbox(2) == [(1, event(1)), (2, event(2))]
    ledger.relayed([1, 3, 99])

    assert ledger.outbox(10) == [(2, event(2))]


def test_a_number_of_the_outbox_is_never_used_twice(ledger: Ledger) -> None:
    token = ledger.claim()
    ledger.commit(token, {}, [Draft(notice(1), event(1))], Change())
    ledger.relayed([1])
    ledger.commit(token, {}, [Draft(notice(2), event(2))], Change())

    assert ledger.outbox(10) == [(2, event(2))]


# questions


def test_notices_are_listed_newest_first_and_paged(ledger: Ledger) -> None:
    put(ledger, *map(notice, range(1, 6)))

    first = ledger.notices(Wanted(limit=2))
    rest = ledger.notices(Wanted(after=first[-1].key))

    assert [each.decided_us for each in (*first, *rest)] == [5, 4, 3, 2, 1]


def test_notices_are_found_by_state_reason_channel_and_event(ledger: Ledger) -> None:
    token = put(ledger, notice(1), notice(2, channel="other"), notice(3, state=State.SUPPRESSED, reason=Reason.NO_CHANNEL))
    ledger.settle(token, ledger.intend(token, notice(1), 40), DEAD, 41)

    def found(wanted: Wanted) -> list[int]:
        return [each.decided_us for each in ledger.notices(wanted)]

    assert found(Wanted(state=State.FAILED)) == [1]
    assert found(Wanted(reason=Reason.NO_CHANNEL)) == [3]
    assert found(Wanted(channel="other")) == [2]
    assert found(Wanted(event_id="event-2")) == [2]
    assert found(Wanted(channel="ops", state=State.SUPPRESSED)) == [3]
    assert found(Wanted(channel="other", state=State.SUPPRESSED)) == []


def test_a_notice_may_tell_of_several_events(ledger: Ledger) -> None:
    gathered = notice(1, causes=(Cause("event-9", Position("shard-1", 5)), Cause("event-1", Position("shard-0", 1))))
    put(ledger, gathered)

    assert ledger.notices(Wanted(event_id="event-9")) == [gathered]


def test_many_decisions_at_once_are_kept_with_the_mark(ledger: Ledger) -> None:
    token = ledger.claim()
    ledger.begin({})
    drafts = [Draft(notice(number, channel=f"channel-{number % 2}"), event(number)) for number in range(60)]

    assert ledger.commit(token, MARKS, [*drafts, drafts[7]], Change()) == 60
    assert ledger.commit(token, MARKS, drafts, Change()) == 0

    assert ledger.marks() == MARKS
    assert ledger.notices(Wanted(limit=100)) == [draft.notice for draft in reversed(drafts)]
    assert [number for number, _ in ledger.outbox(100)] == list(range(1, 61))
    assert ledger.tallies() == [Tally(f"channel-{number}", State.PENDING, 30) for number in range(2)]


def test_a_doubtful_ledger_makes_notices_unsure(ledger: Ledger) -> None:
    told = [notice(number, causes=(Cause(f"{number}-x", Position("shard-0", number)),)) for number in range(1, 6)]
    token = put(ledger, *told[:4])
    ledger.intend(token, told[0], 40)
    ledger.settle(token, ledger.intend(token, told[1], 40), SENT, 41)
    ledger.settle(token, ledger.intend(token, told[2], 40), DEAD, 41)

    ledger.doubt(5_000_000)
    ledger.commit(token, {}, [Draft(told[4]), Draft(notice(6, causes=(Cause("4-y", Position("shard-0", 6)),)))], Change())

    unsure = {each.key.group: each.unsure for each in ledger.notices(Wanted())}
    assert unsure == {f"event-{number}": number not in {2, 5} for number in range(1, 7)}


def test_behind_an_unknown_notice_there_is_none(ledger: Ledger) -> None:
    put(ledger, notice(1))

    assert ledger.notices(Wanted(after=Key("all", "nobody"))) == []


# the file


def test_a_ledger_is_read_back_after_it_was_closed(tmp_path: Path) -> None:
    with closing(SqliteLedger(tmp_path / "notices.db")) as ledger:
        ledger.begin(MARKS)
        put(ledger, notice(1))

    with closing(SqliteLedger(tmp_path / "notices.db")) as ledger:
        assert ledger.marks() == MARKS
        assert ledger.claim() == 2
        assert ledger.get(notice().key) == notice(1)


def test_a_ledger_that_was_closed_is_unavailable(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "notices.db")
    ledger.close()

    with pytest.raises(LedgerUnavailable, match="was closed"):
        ledger.marks()


def test_a_backup_is_a_whole_ledger(tmp_path: Path) -> None:
    with closing(SqliteLedger(tmp_path / "notices.db")) as ledger:
        ledger.begin(MARKS)
        put(ledger, notice(1))

        ledger.backup(tmp_path / "copy.db")

    with closing(SqliteLedger(tmp_path / "copy.db")) as copy:
        assert copy.marks() == MARKS
        assert copy.get(notice().key) == notice(1)


def test_a_full_disk_keeps_nothing_of_a_write_and_takes_it_later(tmp_path: Path) -> None:
    roomy: list[bool] = []

    def cramped(path: Path) -> sqlite3.Connection:
        connection = connect(path)
        if not roomy:
            connection.execute("PRAGMA max_page_count = 30")
        return connection

    bulky = [Draft(notice(number, detail="x" * 5000)) for number in range(1, 40)]
    with closing(SqliteLedger(tmp_path / "notices.db", connect=cramped)) as ledger:
        token = put(ledger)
        with pytest.raises(LedgerUnavailable, match="full"):
            ledger.commit(token, MARKS, bulky, Change())
        assert ledger.notices(Wanted()) == []
        roomy.append(True)
    with closing(SqliteLedger(tmp_path / "notices.db", connect=cramped)) as ledger:
        assert ledger.commit(token, MARKS, bulky, Change()) == 39


def test_a_file_that_is_damaged_or_none_of_ours_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notices.db").write_bytes(b"this is not a database, but it is long enough to be one" * 100)
    with pytest.raises(LedgerUnreadable, match="not a database"):
        SqliteLedger(tmp_path / "notices.db")

    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE something (else_)")
    with pytest.raises(UnknownFormat, match=r"other\.db is of kind"):
        SqliteLedger(tmp_path / "other.db")


def test_a_ledger_of_an_earlier_build_is_refused_with_what_to_do(tmp_path: Path) -> None:
    SqliteLedger(tmp_path / "notices.db").close()
    with closing(sqlite3.connect(tmp_path / "notices.db")) as file:
        file.execute("PRAGMA user_version = 1")

    with pytest.raises(UnknownFormat, match=r"format 1; expected is .* format 2.*move it away"):
        SqliteLedger(tmp_path / "notices.db")


# forgetting


def test_what_was_settled_long_ago_is_forgotten_with_its_causes(ledger: Ledger) -> None:
    states = [State.SENT, State.SUPPRESSED, State.FAILED, State.PENDING, State.SENDING, State.SENT]
    token = put(ledger, *(notice(number, state=state) for number, state in enumerate(states, start=1)))

    assert ledger.prune(token, 6, 10) == 2

    assert [found.key.group for found in ledger.notices(Wanted())] == ["event-6", "event-5", "event-4", "event-3"]
    found = [ledger.notices(Wanted(event_id=f"event-{number}")) for number in range(1, 7)]
    assert [len(each) for each in found] == [0, 0, 1, 1, 1, 1]
    assert sum(tally.count for tally in ledger.tallies()) == 4
    assert ledger.commit(token, {}, [Draft(notice(1))], Change()) == 1


def test_only_so_many_are_forgotten_at_once_the_oldest_first(ledger: Ledger) -> None:
    token = put(ledger, *(notice(number, state=State.SENT) for number in range(1, 6)))

    assert [ledger.prune(token, 5, 3), ledger.prune(token, 5, 3), ledger.prune(token, 5, 3)] == [3, 1, 0]
    assert [found.key.group for found in ledger.notices(Wanted())] == ["event-5"]


def test_who_was_followed_by_another_forgets_nothing(ledger: Ledger) -> None:
    token = put(ledger, notice(1, state=State.SENT))
    ledger.claim()

    with pytest.raises(LedgerTaken):
        ledger.prune(token, 9, 9)
    assert len(ledger.notices(Wanted())) == 1


# groups

KEY = GroupKey("findings", 'source="aws.health",account="1"')
OTHER = GroupKey("findings", "x" * 2000)
GROUP = Group(KEY, begun_us=1, next_us=31)
MEMBER = Member("alarm/1", Cause("1-a", Position("shard-0", 1), 3, "health", "arn:1"), 1, {"source": "aws.health", "rule": "ü"})


def kept(ledger: Ledger) -> dict[GroupKey, tuple[Group, dict[str, Member]]]:
    return {group.key: (group, {member.fingerprint: member for member in members}) for group, members in ledger.groups()}


def test_groups_and_members_are_kept_with_the_decisions(ledger: Ledger) -> None:
    token = ledger.claim()
    assert kept(ledger) == {}

    other = Group(OTHER, 1, 2, tick_us=3, last_us=4, last_fired=True, flush=5, waiting=6)
    moment = Member("2-b", Cause("2-b", Position("shard-1", 1)), 2, {}, lasting=False)
    began = MEMBER.cause._replace(began=Position("shard-1", 7))
    told = replace(MEMBER, cause=began, resolved=True, acknowledged=True, told=True, held="silenced")
    members = {(KEY, "alarm/1"): MEMBER, (KEY, "2-b"): moment, (OTHER, "alarm/1"): told}
    ledger.commit(token, MARKS, [], Change({KEY: GROUP, OTHER: other}, dict(members)))
    assert kept(ledger) == {KEY: (GROUP, {"alarm/1": MEMBER, "2-b": moment}), OTHER: (other, {"alarm/1": told})}

    later = replace(GROUP, next_us=300, flush=9)
    ledger.commit(token, {}, [], Change({KEY: later, OTHER: None}, {(KEY, "2-b"): None, (OTHER, "alarm/1"): None}))
    assert kept(ledger) == {KEY: (later, {"alarm/1": MEMBER})}


def test_what_is_watched_without_a_group_is_kept_too(ledger: Ledger) -> None:
    watched = GroupKey("", "")
    ledger.commit(ledger.claim(), {}, [], Change({}, {(watched, "alarm/1"): MEMBER}))

    [(group, members)] = ledger.groups()

    assert (group.key, list(members)) == (watched, [MEMBER])
    assert group.next_us > 1 << 60


def test_who_was_followed_by_another_changes_no_group(ledger: Ledger) -> None:
    token = ledger.claim()
    ledger.claim()

    with pytest.raises(LedgerTaken):
        ledger.commit(token, {}, [], Change({KEY: GROUP}))
    assert kept(ledger) == {}


def test_events_of_which_some_notice_tells_are_known(ledger: Ledger) -> None:
    token = put(ledger, gathered(1, 2), gathered(2, 3, state=State.SUPPRESSED))
    ledger.settle(token, ledger.intend(token, gathered(1, 2), 9), SENT, 10)
    asked = [f"{number}-x" for number in range(1, 800)]

    assert ledger.known(asked) == {"1-x", "2-x", "3-x"}
    assert ledger.known([]) == set()


def test_a_message_of_five_hundred_events_is_kept_with_all_that_it_changes(ledger: Ledger) -> None:
    token = ledger.claim()
    members = {(KEY, f"{number}-x"): replace(MEMBER, fingerprint=f"{number}-x") for number in range(500)}
    ledger.commit(token, {}, [], Change({KEY: GROUP}, dict(members)))

    told = gathered(*range(500))
    change = Change({KEY: None}, dict.fromkeys(members))
    assert ledger.commit(token, MARKS, [Draft(told, event(1))], change) == 1
    assert ledger.commit(token, MARKS, [Draft(told, event(1))], change) == 0

    assert ledger.get(told.key) == told
    assert kept(ledger) == {}
    assert len(ledger.known([cause.event_id for cause in told.causes])) == 500
    assert ledger.notices(Wanted(event_id="77-x")) == [told]
    assert len(ledger.outbox(9)) == 1
    ledger.settle(token, ledger.intend(token, told, 9), SENT, 10)
    assert ledger.prune(token, 1_000_000, 9) == 1
    assert ledger.known(["77-x"]) == set()


# storms


def gathered(*numbers: int, **more: object) -> Notice:
    """A notice of these events, decided at the first one's number."""
    causes = tuple(Cause(f"{number}-x", Position("shard-0", number + 1), 2, "health") for number in numbers)
    return replace(notice(numbers[0]), **{"causes": causes, "severity": 2, **more})  # type: ignore[arg-type]  # names of fields


def counted(kind: str, severity: int, events: int) -> Count:
    return Count(kind, severity, resolved=False, events=events)


def digest(flush: int = 7) -> Notice:
    return notice(flush, key=Key(DIGEST, "ops", flush), causes=(), reason=Reason.STORM, why=Reason.STORM)


def test_what_is_critical_is_due_before_all_else(ledger: Ledger) -> None:
    put(ledger, notice(1), notice(2, severity=4), notice(3, severity=4, due_us=500), notice(4, severity=3))

    assert ledger.due("ops", 100) == notice(2, severity=4)
    assert ledger.due("ops", 1) == notice(1)


def test_what_waits_is_counted_unless_it_may_have_arrived(ledger: Ledger) -> None:
    notices = [notice(1), notice(2, unsure=True), notice(3, severity=4), notice(5), notice(6, channel="other")]
    token = put(ledger, *notices, notice(9))
    ledger.intend(token, notice(9), 40)

    assert ledger.crowd("ops", critical=False) == Crowd(2, 1, 5)
    assert ledger.crowd("ops", critical=True) == Crowd(1, 3, 3)
    assert ledger.crowd("nowhere", critical=False) == Crowd()


def test_what_waits_is_merged_into_a_digest(ledger: Ledger) -> None:
    worse = Cause("3-x", Position("shard-1", 1), 3, "guardduty", "arn:3")
    over = Cause("4-x", Position("shard-1", 2), 2, "health", resolved=True)
    notices = [gathered(1, 2), gathered(3, causes=(worse, over), severity=3), gathered(5, severity=4), gathered(6, unsure=True)]
    token = put(ledger, *notices, gathered(8, channel="other"))

    assert ledger.merge(token, digest(), 50, critical=False) == 2

    made = ledger.get(digest().key)
    assert made is not None
    assert [cause.event_id for cause in made.causes] == ["3-x", "4-x", "2-x", "1-x"]
    assert set(made.counts) == {counted("health", 2, 2), counted("guardduty", 3, 1), Count("health", 2, resolved=True, events=1)}
    assert (made.state, made.severity, made.firing, made.resolved) == (State.PENDING, 3, 3, 1)
    merged = ledger.get(notices[0].key)
    assert merged == replace(
        notices[0],
        state=State.MERGED,
        reason=Reason.IN_DIGEST,
        detail=str(digest().key),
        merged_into=digest().key,
        changed_us=50,
    )
    assert ledger.notices(Wanted(event_id="1-x")) == [merged]
    assert ledger.tallies() == [
        Tally("ops", State.MERGED, 2),
        Tally("ops", State.PENDING, 3),
        Tally("other", State.PENDING, 1),
    ]
    facts = [fact for _, fact in ledger.outbox(9)]
    assert [fact.type for fact in facts] == ["notice.suppressed"] * 2
    assert [fact.data["event_ids"] for fact in facts] == [["1-x", "2-x"], ["3-x", "4-x"]]
    assert {(fact.data["reason"], fact.data["detail"]) for fact in facts} == {("in_digest", "digest/ops/7")}


def test_a_digest_tells_of_a_thousand_of_the_worst_and_counts_all(ledger: Ledger) -> None:
    token = put(ledger, *(gathered(*range(first, first + 50)) for first in range(0, 1200, 50)), gathered(5000, severity=4))

    assert ledger.merge(token, digest(), 50, critical=True) == 25
    assert ledger.merge(token, digest(8), 51, critical=True) == 1

    first, second = ledger.get(digest().key), ledger.get(digest(8).key)
    assert first is not None
    assert second is not None
    assert (first.state, first.merged_into, first.severity) == (State.MERGED, digest(8).key, 4)
    assert [cause.event_id for cause in second.causes[:2]] == ["5000-x", "1199-x"]
    assert (len(second.causes), second.firing, second.severity) == (1000, 1201, 4)
    assert second.counts == (counted("health", 2, 1201),)


def test_a_digest_whose_number_is_taken_gets_the_next(ledger: Ledger) -> None:
    token = put(ledger, gathered(1))
    ledger.merge(token, digest(), 50, critical=True)
    ledger.commit(token, {}, [Draft(gathered(2))], Change())

    assert ledger.merge(token, digest(), 51, critical=True) == 2

    first, second = ledger.get(digest().key), ledger.get(digest(8).key)
    assert first is not None
    assert second is not None
    assert (first.merged_into, second.firing) == (digest(8).key, 2)


def test_without_anything_that_waits_there_is_no_digest(ledger: Ledger) -> None:
    token = put(ledger, notice(1, severity=4), notice(2, unsure=True))

    assert ledger.merge(token, digest(), 50, critical=False) == 0
    assert ledger.get(digest().key) is None
    ledger.claim()
    with pytest.raises(LedgerTaken):
        ledger.merge(token, digest(), 50, critical=True)


# the table


def test_a_write_that_another_comes_before_is_decided_anew(ministack: Server, tmp_path: Path) -> None:
    table = table_at(ministack, tmp_path)
    client = ministack.client("dynamodb")
    other = DynamoLedger(client, table, dice=Random())
    token = other.claim()

    def meanwhile(happens: Callable[[], object]) -> DynamoLedger:
        return DynamoLedger(Meanwhile(client, happens), table, dice=Random())

    assert (
        meanwhile(lambda: other.commit(token, {}, [Draft(notice(1), event(1))], Change())).commit(
            token, {}, [Draft(notice(1))], Change()
        )
        == 0
    )
    with pytest.raises(LedgerTaken, match="is no longer pending"):
        meanwhile(lambda: other.intend(token, notice(1), 40)).intend(token, notice(1), 40)
    assert meanwhile(lambda: other.begin(MARKS)).begin({}) is False
    with pytest.raises(LedgerTaken, match="another notifier"):
        meanwhile(other.claim).recover(token, 50)
    sending = other.get(notice(1).key)
    assert sending
    other.settle(other.claim(), sending, DEAD, 51)
    assert meanwhile(lambda: other.redrive(None, 52)).redrive(None, 53) == 0

    assert other.marks() == MARKS
    assert len(other.outbox(9)) == 1


def test_what_a_person_says_between_the_reading_and_the_writing_of_a_pace_is_not_undone(
    ministack: Server, tmp_path: Path
) -> None:
    table = table_at(ministack, tmp_path)
    client = ministack.client("dynamodb")
    other = DynamoLedger(client, table, dice=Random())
    token = put(other, notice(1), notice(2))
    sending = other.intend(token, notice(1), 40)
    failed = outcome(State.PENDING, Reason.UNAVAILABLE, 900, pace=Pace(800, 1))

    DynamoLedger(Meanwhile(client, lambda: other.retry("ops", 45)), table, dice=Random()).settle(token, sending, failed, 50)
    assert other.pace("ops") == Pace(50, 1, retried_us=50)

    waiting = other.due("ops", 50)
    assert waiting is not None
    again = outcome(State.PENDING, Reason.UNAVAILABLE, 900, pace=Pace(800, 2, retried_us=50))
    in_flight = other.intend(token, waiting, 60)

    def settled() -> None:
        other.settle(token, in_flight, again, 61)

    assert DynamoLedger(Meanwhile(client, settled), table, dice=Random()).retry("ops", 70) == 2
    assert other.pace("ops") == Pace(70, 2, retried_us=70)
    assert other.due("ops", 70) == replace(waiting, attempt=2, due_us=70, changed_us=61)


class BeforeItReads:
    """A client before whose first read of several items something else happens."""

    def __init__(self, client: Any, happens: Callable[[], object]) -> None:
        self._client = client
        self._happens: list[Callable[[], object]] = [happens]

    def __getattr__(self, name: str) -> Any:
        if name == "batch_get_item" and self._happens:
            self._happens.pop()()
        return getattr(self._client, name)


def test_what_was_sent_while_a_person_has_its_channel_tried_stays_sent(ministack: Server, tmp_path: Path) -> None:
    table = table_at(ministack, tmp_path)
    client = ministack.client("dynamodb")
    other = DynamoLedger(client, table, dice=Random())
    waits = notice(1, due_us=900)
    token = put(other, waits)

    def sent() -> None:
        other.settle(token, other.intend(token, waits, 40), SENT, 41)

    assert DynamoLedger(BeforeItReads(client, sent), table, dice=Random()).retry("ops", 50) == 1
    assert other.get(waits.key) == replace(
        waits, state=State.SENT, reason=Reason.DELIVERED, attempt=1, first_attempt_us=40, due_us=0, changed_us=41
    )


def test_a_table_that_is_absent_or_holds_something_else_is_unavailable(ministack: Server, tmp_path: Path) -> None:
    absent = DynamoLedger(ministack.client("dynamodb"), "absent", dice=Random())
    with pytest.raises(LedgerUnavailable, match="absent"):
        absent.marks()
    absent.close()

    ledger = DynamoLedger(ministack.client("dynamodb"), table_at(ministack, tmp_path), dice=Random())
    ledger.commit(ledger.claim(), {}, [Draft(notice(1), event(1))], Change())
    fact = {"pk": {"S": "ledger#outbox"}, "sk": {"S": f"{1:020}"}, "header": {"S": "text"}, "body": {"S": "text"}}
    ministack.client("dynamodb").put_item(TableName=table_at(ministack, tmp_path), Item=fact)
    with pytest.raises(LedgerUnavailable, match="bytes"):
        ledger.outbox(9)


class Cut:
    """A client that is lost at its n-th transaction."""

    def __init__(self, client: object, at: int) -> None:
        self._client = client
        self._left = at

    def __getattr__(self, name: str) -> object:
        if name == "transact_write_items":
            self._left -= 1
            if self._left < 0:
                raise Lost
        return getattr(self._client, name)


class Lost(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("at", range(1, 6))
def test_a_long_write_that_a_crash_cut_off_is_carried_out_by_who_comes_next(ministack: Server, tmp_path: Path, at: int) -> None:
    table = table_at(ministack, tmp_path)
    client = ministack.client("dynamodb")
    drafts = [Draft(gathered(number), event(number)) for number in range(1, 100)]
    dying = DynamoLedger(Cut(client, at), table, dice=Random())
    token = dying.claim()
    with pytest.raises(Lost):
        dying.commit(token, MARKS, drafts, Change({KEY: GROUP}, {(KEY, "alarm/1"): MEMBER}))

    ledger = DynamoLedger(client, table, dice=Random())
    ledger.begin({})
    token = ledger.claim()

    whole = at > 1
    assert len(ledger.notices(Wanted(limit=200))) == (99 if whole else 0)
    assert len(ledger.outbox(200)) == (99 if whole else 0)
    assert (kept(ledger) == {KEY: (GROUP, {"alarm/1": MEMBER})}) == whole
    assert ledger.commit(token, MARKS, drafts, Change()) == (0 if whole else 99)
    assert ledger.tallies() == [Tally("ops", State.PENDING, 99)]


def test_a_long_write_of_which_a_part_is_missing_is_told_and_not_waited_for(ministack: Server, tmp_path: Path) -> None:
    table = table_at(ministack, tmp_path)
    client = ministack.client("dynamodb")
    dying = DynamoLedger(Cut(client, 2), table, dice=Random())
    token = dying.claim()
    with pytest.raises(Lost):
        dying.commit(token, MARKS, [Draft(gathered(number)) for number in range(1, 100)], Change())
    for item in client.scan(TableName=table)["Items"]:
        if item["pk"]["S"].startswith("ledger#journal#"):
            client.delete_item(TableName=table, Key={name: item[name] for name in ("pk", "sk")})

    with pytest.raises(LedgerUnreadable, match=r"part 1 of [2-9] of the ledger's long write is missing"):
        DynamoLedger(client, table, dice=Random()).claim()


def test_a_long_write_that_another_comes_before_is_decided_anew(ministack: Server, tmp_path: Path) -> None:
    table = table_at(ministack, tmp_path)
    client = ministack.client("dynamodb")
    other = DynamoLedger(client, table, dice=Random())
    token = other.claim()
    drafts = [Draft(gathered(number)) for number in range(1, 100)]
    mine = DynamoLedger(Meanwhile(client, lambda: other.commit(token, {}, drafts[:9], Change())), table, dice=Random())

    assert mine.commit(token, MARKS, drafts, Change()) == 90

    assert other.tallies() == [Tally("ops", State.PENDING, 99)]


def test_the_items_of_another_build_are_refused(ministack: Server, tmp_path: Path) -> None:
    table = table_at(ministack, tmp_path)
    item = {"pk": {"S": items.WRITER.pk}, "sk": {"S": items.WRITER.sk}, "token": {"N": "3"}, "changes": {"N": "9"}}
    ministack.client("dynamodb").put_item(TableName=table, Item=item)

    with pytest.raises(UnknownFormat, match="delete its items"):
        DynamoLedger(ministack.client("dynamodb"), table, dice=Random()).claim()


# keys


@pytest.mark.parametrize("key", [Key("all", "event-1", 0), Key("a", "with/slash/es", 12)])
def test_a_key_is_read_back_from_its_text(key: Key) -> None:
    assert Key.parse(str(key)) == key


@pytest.mark.parametrize(
    "text", ["", "all", "all/event", "all/event/x", "/event/0", "all//0", "all/event/-1", "all/event/²", f"all/event/{10**18}"]
)
def test_what_is_no_key_is_refused_with_the_accepted_form(text: str) -> None:
    with pytest.raises(ValueError, match="not of the form route/group/flush"):
        Key.parse(text)


# order within a group


def test_of_a_group_the_first_decided_that_waits_comes_before_the_others(ledger: Ledger) -> None:
    first, second, third = (notice(n, key=Key("all", 'account="1"', n)) for n in (1, 2, 3))
    elsewhere = [notice(4, key=Key("all", 'account="2"', 0)), notice(5, "pager", key=Key("all", 'account="1"', 0))]
    token = put(ledger, third, first, second, *elsewhere)

    assert (ledger.earlier(third), ledger.earlier(second), ledger.earlier(first)) == (first, first, None)

    ledger.settle(token, ledger.intend(token, first, 10), SENT, 11)

    assert ledger.earlier(third) == second


def test_what_is_repeated_is_found_by_its_first_message_alone(ledger: Ledger) -> None:
    event_id = "event-1"
    put(ledger, notice(1), notice(1, key=Key("all", "event-1", 7), why=Reason.REPEATED))

    assert ledger.known([event_id]) == {event_id}
    assert [found.key.flush for found in ledger.notices(Wanted(event_id=event_id))] == [0]
