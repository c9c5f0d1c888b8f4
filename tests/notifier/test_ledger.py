"""The ledger keeps what was decided and what became of it."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from consumers.notifier.errors import LedgerTaken, LedgerUnavailable, LedgerUnreadable
from consumers.notifier.ledger.dynamodb import DynamoLedger
from consumers.notifier.ledger.port import Draft, Ledger, Tally, Wanted
from consumers.notifier.ledger.sqlite import SqliteLedger
from consumers.notifier.notice import Cause, Key, Notice, Reason, State
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
    ledger.commit(token, {}, [Draft(each) for each in notices])
    return token


# marks and decisions


def test_a_new_ledger_has_no_live_mark(ledger: Ledger) -> None:
    assert ledger.marks() is None


def test_the_live_mark_is_set_once(ledger: Ledger) -> None:
    assert ledger.begin(MARKS)
    assert not ledger.begin({"shard-0": Position("shard-0", 99)})

    assert ledger.marks() == MARKS


def test_the_live_mark_of_an_empty_log_is_set_too(ledger: Ledger) -> None:
    assert ledger.begin({})
    assert not ledger.begin(MARKS)

    assert ledger.marks() == {}


def test_decisions_and_how_far_the_log_was_read_are_kept_together(ledger: Ledger) -> None:
    ledger.begin({})
    token = ledger.claim()

    assert ledger.commit(token, MARKS, [Draft(notice(1)), Draft(notice(2))]) == 2

    assert ledger.marks() == MARKS
    assert ledger.get(Key("all", "event-1")) == notice(1)
    assert ledger.get(Key("all", "event-3")) is None


def test_a_mark_moves_on_alone(ledger: Ledger) -> None:
    ledger.begin(MARKS)

    ledger.commit(ledger.claim(), {"shard-0": Position("shard-0", 8)}, [])

    assert ledger.marks() == {**MARKS, "shard-0": Position("shard-0", 8)}


def test_a_notice_that_is_known_is_dropped_with_its_fact(ledger: Ledger) -> None:
    token = ledger.claim()
    ledger.commit(token, {}, [Draft(notice(1), event(1))])

    assert ledger.commit(token, {}, [Draft(notice(1, channel="other"), event(2)), Draft(notice(2))]) == 1

    assert ledger.get(Key("all", "event-1")) == notice(1)
    assert [fact for _, fact in ledger.outbox(10)] == [event(1)]


def test_a_write_that_fails_leaves_nothing_behind(ledger: Ledger) -> None:
    ledger.begin({})
    token = ledger.claim()

    with pytest.raises(AttributeError):
        ledger.commit(token, MARKS, [Draft(notice(1)), Draft(None)])  # type: ignore[arg-type]  # breaks in the middle

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
        ledger.commit(old, MARKS, [Draft(notice(2))])
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


def test_notices_to_channels_that_are_gone_are_found(ledger: Ledger) -> None:
    token = put(ledger, notice(1), notice(2, channel="gone"), notice(3, channel="gone"))
    ledger.intend(token, notice(3, channel="gone"), 40)

    assert ledger.orphans({"ops"}, 10) == [notice(2, channel="gone")]
    assert ledger.orphans((), 1) == [notice(1)]


# the outbox


def test_facts_leave_the_outbox_when_they_were_relayed(ledger: Ledger) -> None:
    ledger.commit(ledger.claim(), {}, [Draft(notice(number), event(number)) for number in (1, 2, 3)])

    assert ledger.outbox(2) == [(1, event(1)), (2, event(2))]
    ledger.relayed([1, 3, 99])

    assert ledger.outbox(10) == [(2, event(2))]


def test_a_number_of_the_outbox_is_never_used_twice(ledger: Ledger) -> None:
    token = ledger.claim()
    ledger.commit(token, {}, [Draft(notice(1), event(1))])
    ledger.relayed([1])
    ledger.commit(token, {}, [Draft(notice(2), event(2))])

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

    assert ledger.commit(token, MARKS, [*drafts, drafts[7]]) == 60
    assert ledger.commit(token, MARKS, drafts) == 0

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
    ledger.commit(token, {}, [Draft(told[4]), Draft(notice(6, causes=(Cause("4-y", Position("shard-0", 6)),)))])

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
            ledger.commit(token, MARKS, bulky)
        assert ledger.notices(Wanted()) == []
        roomy.append(True)
    with closing(SqliteLedger(tmp_path / "notices.db", connect=cramped)) as ledger:
        assert ledger.commit(token, MARKS, bulky) == 39


def test_a_file_that_is_damaged_or_none_of_ours_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notices.db").write_bytes(b"this is not a database, but it is long enough to be one" * 100)
    with pytest.raises(LedgerUnreadable, match="not a database"):
        SqliteLedger(tmp_path / "notices.db")

    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE something (else_)")
    with pytest.raises(UnknownFormat, match=r"other\.db is of kind"):
        SqliteLedger(tmp_path / "other.db")


# forgetting


def test_what_was_settled_long_ago_is_forgotten_with_its_causes(ledger: Ledger) -> None:
    states = [State.SENT, State.SUPPRESSED, State.FAILED, State.PENDING, State.SENDING, State.SENT]
    token = put(ledger, *(notice(number, state=state) for number, state in enumerate(states, start=1)))

    assert ledger.prune(token, 6, 10) == 2

    assert [found.key.group for found in ledger.notices(Wanted())] == ["event-6", "event-5", "event-4", "event-3"]
    found = [ledger.notices(Wanted(event_id=f"event-{number}")) for number in range(1, 7)]
    assert [len(each) for each in found] == [0, 0, 1, 1, 1, 1]
    assert sum(tally.count for tally in ledger.tallies()) == 4
    assert ledger.commit(token, {}, [Draft(notice(1))]) == 1


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


# the table


def test_a_write_that_another_comes_before_is_decided_anew(ministack: Server, tmp_path: Path) -> None:
    table = table_at(ministack, tmp_path)
    client = ministack.client("dynamodb")
    other = DynamoLedger(client, table, dice=Random())
    token = other.claim()

    def meanwhile(happens: Callable[[], object]) -> DynamoLedger:
        return DynamoLedger(Meanwhile(client, happens), table, dice=Random())

    assert meanwhile(lambda: other.commit(token, {}, [Draft(notice(1), event(1))])).commit(token, {}, [Draft(notice(1))]) == 0
    with pytest.raises(LedgerTaken, match="is no longer pending"):
        meanwhile(lambda: other.intend(token, notice(1), 40)).intend(token, notice(1), 40)
    assert meanwhile(lambda: other.begin(MARKS)).begin({}) is False
    with pytest.raises(LedgerTaken, match="another notifier"):
        meanwhile(other.claim).recover(token, 50)

    assert other.marks() == MARKS
    assert len(other.outbox(9)) == 1


def test_a_table_that_is_absent_or_holds_something_else_is_unavailable(ministack: Server, tmp_path: Path) -> None:
    absent = DynamoLedger(ministack.client("dynamodb"), "absent", dice=Random())
    with pytest.raises(LedgerUnavailable, match="absent"):
        absent.marks()
    absent.close()

    ledger = DynamoLedger(ministack.client("dynamodb"), table_at(ministack, tmp_path), dice=Random())
    ledger.commit(ledger.claim(), {}, [Draft(notice(1), event(1))])
    fact = {"pk": {"S": "ledger#outbox"}, "sk": {"S": f"{1:020}"}, "header": {"S": "text"}, "body": {"S": "text"}}
    ministack.client("dynamodb").put_item(TableName=table_at(ministack, tmp_path), Item=fact)
    with pytest.raises(LedgerUnavailable, match="bytes"):
        ledger.outbox(9)


# keys


@pytest.mark.parametrize("key", [Key("all", "event-1", 0), Key("a", "with/slash/es", 12)])
def test_a_key_is_read_back_from_its_text(key: Key) -> None:
    assert Key.parse(str(key)) == key


@pytest.mark.parametrize("text", ["", "all", "all/event", "all/event/x", "/event/0", "all//0", "all/event/-1", "all/event/²"])
def test_what_is_no_key_is_refused_with_the_accepted_form(text: str) -> None:
    with pytest.raises(ValueError, match="not of the form route/group/flush"):
        Key.parse(text)
