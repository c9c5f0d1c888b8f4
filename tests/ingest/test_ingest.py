"""What is taken in stands on the log, or in the quarantine, or was there before; nothing is lost and nothing counts twice."""

import gzip
import io
import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipeline.errors import InputRejected, LogUnavailable, QuarantineItemUnknown
from pipeline.ingest import BATCH, Ingest, Tally
from pipeline.log.port import Position
from pipeline.quarantine.port import Reject, Status
from tests.ingest.desk import Desk, desk
from tests.ingest.in_memory import MemoryLog, MemoryQuarantine
from tests.sources import items


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Desk]:
    with desk(tmp_path) as open_desk:
        yield open_desk


def lines(*values: Any) -> bytes:
    return b"\n".join(value if isinstance(value, bytes) else orjson.dumps(value) for value in values)


def counts(tally: Tally) -> tuple[int, int, int, int]:
    assert tally.accepted + tally.duplicate + tally.quarantined == tally.read
    return tally.read, tally.accepted, tally.duplicate, tally.quarantined


def stacks(number: int) -> list[items.Item]:
    return [items.stack(number=count) for count in range(number)]


def test_each_unit_is_accepted_or_a_duplicate_or_quarantined(at: Desk) -> None:
    tally = at.ingest.take(lines(items.alarm(), items.stack(), items.alarm(), b"rubbish"), origin="a.ndjson")

    assert counts(tally) == (4, 2, 1, 1)
    assert {event.subject.partition("/")[0] for event in at.events} == {"alarm", "stack"}
    [held] = at.held
    assert held.reject == Reject(
        b"rubbish", "the input is no JSON: unexpected character, expected a JSON value", "", "a.ndjson:4"
    )


def test_what_comes_from_a_file_whose_name_is_no_text_is_quarantined_too(at: Desk) -> None:
    tally = at.ingest.take(b"rubbish", origin=os.fsdecode(b"caf\xe9.json"))

    assert counts(tally) == (1, 0, 0, 1)
    assert [held.reject.origin for held in at.held] == [r"caf\udce9.json:1"]


def test_taking_the_same_twice_changes_nothing(at: Desk) -> None:
    raw = lines(items.alarm(), items.logs(items.log_event(id="1"), items.log_event(id="2")), b"rubbish")
    at.ingest.take(raw, origin="a")
    before = at.records

    assert counts(at.ingest.take(raw, origin="a")) == (4, 0, 3, 1)
    assert at.records == before
    assert [item.times for item in at.held] == [2]


def test_the_positions_of_a_tally_are_the_last_of_each_shard(at: Desk) -> None:
    tally = at.ingest.take(lines(*(items.asff(Id=str(number)) for number in range(40))), origin="a")

    assert tally.positions == tuple(position for _, position in sorted(at.log.heads().items()))
    again = at.ingest.take(lines(*(items.asff(Id=str(number)) for number in range(40))), origin="a")
    assert again.positions == tally.positions


def test_blank_input_is_nothing(at: Desk) -> None:
    assert at.ingest.take(b" \n ", origin="a") == Tally()


def test_events_of_one_subject_keep_the_order_of_the_input(at: Desk) -> None:
    at.ingest.take(lines(*stacks(2500)), origin="a")

    assert [event.data["raw"]["detail"]["number"] for event in at.events] == list(range(2500))


def test_the_origin_of_a_reject_tells_line_and_place(at: Desk) -> None:
    wrong = items.alarm() | {"time": None}
    record = {"EventSource": "aws:sns", "Sns": {"Type": "Notification", "Message": orjson.dumps([wrong]).decode()}}

    at.ingest.take(lines(items.alarm(), {"Records": [record]}), origin="in.ndjson")

    [held] = at.held
    assert held.reject.origin == "in.ndjson:2 Records[0].Sns.Message[0]"
    assert held.reject.field == "time"
    assert held.reject.reason == "time is missing: an event needs a time of its own"


def test_lines_and_streams_are_taken_as_bytes_are(at: Desk, tmp_path: Path) -> None:
    raw = lines(items.alarm(), orjson.dumps(items.stack(), option=orjson.OPT_INDENT_2), b"rubbish")

    assert counts(at.ingest.take_lines(raw.splitlines(), origin="a")) == (3, 2, 0, 1)
    assert counts(at.ingest.take_stream(io.BytesIO(raw), origin="a")) == (3, 0, 2, 1)
    assert counts(at.ingest.take_stream(io.BytesIO(gzip.compress(raw)), origin="a")) == (3, 0, 2, 1)
    (tmp_path / "in.ndjson").write_bytes(raw)
    with (tmp_path / "in.ndjson").open("rb") as file:
        assert counts(at.ingest.take(file.read(), origin="a")) == (3, 0, 2, 1)


def test_what_came_before_a_stream_broke_is_taken(at: Desk) -> None:
    noise = [
        items.stack(noise="".join(sha256(b"%d.%d" % (number, part)).hexdigest() for part in range(60))) for number in range(1200)
    ]
    packed = gzip.compress(lines(*noise))

    with pytest.raises(
        InputRejected, match="the input is damaged gzip: it ends too early; what came before was taken"
    ) as rejected:
        at.ingest.take_stream(io.BytesIO(packed[: len(packed) * 9 // 10]), origin="a.gz")

    assert 1000 < len(at.events) < 1200
    assert rejected.value.items[0].index == len(at.events)


def test_gzip_that_cannot_be_opened_is_kept_as_it_is(at: Desk) -> None:
    raw = gzip.compress(lines(items.alarm()))[:-5]

    assert counts(at.ingest.take(raw, origin="a.gz")) == (1, 0, 0, 1)
    assert at.held[0].reject.payload == raw
    assert at.held[0].reject.reason == "the input is damaged gzip: it ends too early"


def test_input_goes_to_the_log_in_batches() -> None:
    log, quarantine = MemoryLog(), MemoryQuarantine()

    Ingest(log, quarantine, clock=lambda: 0).take(lines(*stacks(2 * BATCH + 500)), origin="a")

    assert log.appends == [BATCH, BATCH, 500]


def test_large_items_make_small_batches() -> None:
    log, quarantine = MemoryLog(), MemoryQuarantine()

    Ingest(log, quarantine, clock=lambda: 0).take(lines(*(items.stack(n=n, x="x" * 800_000) for n in range(15))), origin="a")

    assert log.appends == [11, 4]


def test_a_stream_is_not_read_ahead_of_the_log() -> None:
    log, quarantine = MemoryLog(), MemoryQuarantine()
    read = 0

    def told() -> Iterator[bytes]:
        nonlocal read
        for item in stacks(3000):
            read += 1
            assert read - sum(log.appends) <= BATCH
            yield orjson.dumps(item)

    assert counts(Ingest(log, quarantine, clock=lambda: 0).take_lines(told(), origin="a"))[1] == 3000


def test_the_clock_measures_how_long_it_took() -> None:
    ticks = iter([100, 350])

    assert Ingest(MemoryLog(), MemoryQuarantine(), clock=lambda: next(ticks)).take(b"", origin="a").took_us == 250


def test_what_the_log_failed_to_store_is_tried_again() -> None:
    log = MemoryLog(failures=3)

    tally = Ingest(log, MemoryQuarantine(), clock=lambda: 0).take(lines(*stacks(4)), origin="a")

    assert counts(tally) == (4, 4, 0, 0)
    assert log.appends == [4, 3]


def test_a_log_that_goes_on_failing_is_unavailable() -> None:
    log = MemoryLog(failures=100)

    with pytest.raises(LogUnavailable, match="4 of 4 events were not stored, the first because: throttled"):
        Ingest(log, MemoryQuarantine(), clock=lambda: 0).take(lines(*stacks(4)), origin="a")
    assert log.appends == [4, 4, 4]


def test_registered_sources_may_send(tmp_path: Path) -> None:
    raw = lines(items.envelope("Shop"))
    with desk(tmp_path) as closed:
        assert counts(closed.ingest.take(raw, origin="a")) == (1, 0, 0, 1)

    with desk(tmp_path, custom=frozenset({"Shop"})) as mended:
        [held] = mended.held
        assert "FINDSTREAM_CUSTOM_SOURCES" in held.reject.reason

        assert counts(mended.ingest.reingest(held.id)) == (1, 1, 0, 0)

        assert mended.held == []
        assert mended.quarantine.count()[Status.RELEASED] == 1
        assert [event.source for event in mended.events] == ["Shop"]


def test_an_item_that_still_fails_stays_held_with_its_new_reason(at: Desk) -> None:
    [item_id] = at.quarantine.put([Reject(lines(items.alarm() | {"account": "1"}), "an old reason", "", "a.ndjson:7")])

    assert counts(at.ingest.reingest(item_id)) == (1, 0, 0, 1)

    [held] = at.held
    assert (held.id, held.status, held.times) == (item_id, Status.HELD, 2)
    assert held.reject.reason == "account '1' is not 12 digits"
    assert held.reject.origin == "a.ndjson:7"


def test_the_good_parts_of_an_item_enter_and_the_bad_ones_are_kept_by_themselves(at: Desk) -> None:
    [item_id] = at.quarantine.put([Reject(lines(items.alarm(), b"rubbish"), "an old reason", "", "a.ndjson:7")])

    assert counts(at.ingest.reingest(item_id)) == (2, 1, 0, 1)

    assert at.quarantine.get(item_id).status is Status.RELEASED  # type: ignore[union-attr]  # it is there
    assert [held.reject.payload for held in at.held] == [b"rubbish"]


def test_an_item_that_entered_otherwise_is_released_as_a_duplicate(at: Desk) -> None:
    at.ingest.take(lines(items.alarm()), origin="a")
    [item_id] = at.quarantine.put([Reject(lines(items.alarm()), "", "", "a")])

    assert counts(at.ingest.reingest(item_id)) == (1, 0, 1, 0)
    assert at.held == []


def test_an_unknown_item_cannot_be_ingested_again(at: Desk) -> None:
    with pytest.raises(QuarantineItemUnknown, match="no-such"):
        at.ingest.reingest("no-such")


def test_good_input_is_accepted_with_a_receipt_an_event(at: Desk) -> None:
    accepted = at.ingest.accept(lines([items.alarm(), items.stack(), items.alarm()]))

    assert counts(accepted.tally) == (3, 2, 1, 0)
    assert [receipt.outcome.value for receipt in accepted.receipts] == ["accepted", "accepted", "duplicate"]
    assert accepted.receipts[0].id == accepted.receipts[2].id
    assert isinstance(accepted.receipts[0].position, Position)
    assert {receipt.id for receipt in accepted.receipts} == {event.id for event in at.events}


def test_input_with_a_bad_item_is_refused_as_a_whole_and_kept_nowhere(at: Desk) -> None:
    raw = lines([items.alarm(), items.alarm() | {"time": None, "region": "moon"}, {"odd": 1}])

    with pytest.raises(InputRejected) as rejected:
        at.ingest.accept(raw)

    told = [(item.index, item.field, item.reason) for item in rejected.value.items]
    assert told[:2] == [
        (1, "region", "region 'moon' is not an AWS region (such as us-east-1, us-gov-west-1, cn-north-1)"),
        (1, "time", "time is missing: an event needs a time of its own"),
    ]
    assert told[2][:2] == (2, "")
    assert str(rejected.value).startswith("item 1: region 'moon'")
    assert at.events == []
    assert at.held == []


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "the input from http is blank: expected JSON"),
        (b" \n", "the input from http is blank: expected JSON"),
        (b"[]", "the array is empty"),
        (b"{", "the input is no JSON: unexpected end of data"),
        (b"7", "'7' is no item: expected a JSON object"),
        (gzip.compress(b"x" * (33 << 20)), "the input unpacks to more than 32 MiB"),
    ],
)
def test_input_without_items_is_refused(at: Desk, raw: bytes, reason: str) -> None:
    with pytest.raises(InputRejected) as rejected:
        at.ingest.accept(raw)

    assert [item.reason for item in rejected.value.items] == [reason]


def test_too_many_items_at_once_are_refused(at: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.ingest.MOST_ACCEPTED", 3)

    with pytest.raises(InputRejected, match="more than 3 items at once"):
        at.ingest.accept(lines(*stacks(4)))
    assert counts(at.ingest.accept(lines(*stacks(3))).tally) == (3, 3, 0, 0)


def test_all_good_input_of_a_request_is_appended_in_one_call() -> None:
    log = MemoryLog()

    accepted = Ingest(log, MemoryQuarantine(), clock=lambda: 0).accept(lines(*stacks(BATCH + 1)))

    assert log.appends == [BATCH + 1]
    assert len(accepted.receipts) == BATCH + 1


def test_what_is_too_large_for_the_log_is_quarantined_whole_and_stops_nothing_else() -> None:
    log, quarantine = MemoryLog(most=20_000), MemoryQuarantine()
    ingest = Ingest(log, quarantine, clock=lambda: 0)

    tally = ingest.take(
        lines(items.stack(number=1), items.alarm(description="x" * 30_000), items.stack(number=2)), origin="queue"
    )

    assert counts(tally) == (3, 2, 0, 1)
    [held] = quarantine.items.values()
    assert (held.reject.reason, held.reject.origin) == ("too large for this log", "log")
    log.most = 1 << 30
    assert counts(ingest.reingest(held.id)) == (1, 1, 0, 0)
    assert len(log.all) == 3


def test_a_request_that_holds_what_is_too_large_for_the_log_is_told_which_it_is() -> None:
    ingest = Ingest(MemoryLog(most=20_000), MemoryQuarantine(), clock=lambda: 0)

    with pytest.raises(InputRejected) as refused:
        ingest.accept(lines(items.stack(number=1), items.alarm(description="x" * 30_000)))

    assert [(item.index, item.reason) for item in refused.value.items] == [(1, "too large for this log")]
    assert refused.value.taken == (1, 1, 0, 0)
