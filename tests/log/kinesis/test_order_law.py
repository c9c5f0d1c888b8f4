"""Laws 1 and 3 on Kinesis: whatever goes wrong, what was accepted is read, a subject's events first appearing in their order."""

from collections.abc import Iterator, Sequence

from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import LogUnavailable
from pipeline.log.kinesis import Kind, KinesisLog, Unreadable
from pipeline.log.port import Outcome, Position, Record
from projections.projector import Reads
from schemas.envelope import Envelope
from tests.aws.fake_kinesis import FakeKinesis, Trouble, log_of
from tests.log.made_up import event

PUTTING = [
    Trouble.NONE,
    Trouble.NONE,
    Trouble.THROTTLED,
    Trouble.FAULT,
    Trouble.UNREACHABLE,
    Trouble.TIME_OUT,
    Trouble.TIME_OUT_AFTER,
    Trouble.TIME_OUT_LATE,
    Trouble.SOME_FAIL,
    Trouble.OTHERS_FAIL,
]
READING = [
    Trouble.NONE,
    Trouble.NONE,
    Trouble.THROTTLED,
    Trouble.TIME_OUT_AFTER,
    Trouble.EXPIRED,
    Trouble.NOTHING_YET,
    Trouble.NOTHING,
    Trouble.AGAIN,
]
ONLY_READING = {Trouble.EXPIRED, Trouble.NOTHING_YET, Trouble.NOTHING, Trouble.AGAIN}
SUBJECTS = 9


class Weather:
    """Troubles and reshardings as they were drawn, and then fair weather."""

    def __init__(
        self, kinesis: FakeKinesis, putting: Sequence[Trouble], reading: Sequence[Trouble], changes: Sequence[int]
    ) -> None:
        self._kinesis = kinesis
        self._putting, self._reading, self._changes = iter(putting), iter(reading), iter(changes)
        kinesis.trouble = self.trouble
        kinesis.meanwhile = self.meanwhile

    def trouble(self, call: str) -> Trouble:
        if call == "put_records":
            return next(self._putting, Trouble.NONE)
        trouble = next(self._reading, Trouble.NONE)
        return trouble if call == "get_records" or trouble not in ONLY_READING else Trouble.NONE

    def meanwhile(self, call: str) -> None:
        if call in {"put_records", "get_records"} and (change := next(self._changes, 0)):
            shards = self._kinesis.open_shards()
            which = change % len(shards)
            if change % 2 or len(shards) == 1:
                self._kinesis.split(shards[which].id)
            else:
                left = min(which, len(shards) - 2)
                self._kinesis.merge(shards[left], shards[left + 1])


weathers = {
    "putting": st.lists(st.sampled_from(PUTTING), max_size=30),
    "reading": st.lists(st.sampled_from(READING), max_size=30),
    "changes": st.lists(st.sampled_from([0, 0, 0, 1, 2, 3, 4, 5]), max_size=25),
}


def read_on(log: KinesisLog, checkpoints: dict[str, Position]) -> Iterator[Record]:
    """What a projector would fold in one step."""
    for batch in Reads(log, 4).behind(checkpoints):
        yield from batch.records()
        checkpoints[batch.shard] = batch.positions[-1]


@given(
    steps=st.lists(st.tuples(st.integers(1, 12), st.booleans()), max_size=10),
    shards=st.integers(1, 4),
    aggregate_bytes=st.sampled_from([1 << 10, 2 << 10, 1 << 20]),
    data=st.fixed_dictionaries(weathers),
)
def test_a_subjects_events_first_appear_in_their_order_and_none_is_lost(
    steps: list[tuple[int, bool]], shards: int, aggregate_bytes: int, data: dict[str, list[Trouble]]
) -> None:
    kinesis = FakeKinesis(shards)
    unreadable: list[Unreadable] = []
    foreign: set[bytes] = set()

    def opened() -> KinesisLog:
        return log_of(kinesis, aggregate_bytes=aggregate_bytes, on_unreadable=unreadable.extend, refresh_seconds=0.0)

    log = opened()
    Weather(kinesis, **data)  # type: ignore[arg-type]
    seen: list[Record] = []
    checkpoints: dict[str, Position] = {}
    told: list[Envelope] = []
    for size, restarts in steps:
        log = opened() if restarts else log
        some = [event(number, subject=f"subject/{number % SUBJECTS}") for number in range(len(told), len(told) + size)]
        append(log, some)
        told += some
        foreign.add(b"foreign %d" % len(told))
        kinesis.put(b"foreign %d" % len(told), key=f"producer/{size}")
        assert log.behind({}) > 0 or Trouble.NOTHING in data["reading"]
        seen += read_on(log, checkpoints)
    kinesis.settle()
    kinesis.trouble = lambda _: Trouble.NONE

    while more := list(read_on(log, checkpoints)):
        seen += more

    first_seen = list({record.event.id: record.event for record in seen}.values())
    for subject in range(SUBJECTS):
        name = f"subject/{subject}"
        assert [one for one in told if one.subject == name] == [one for one in first_seen if one.subject == name]
    assert {Kind.STRAY, Kind.FOREIGN} >= {one.kind for one in unreadable}
    assert foreign == {one.payload for one in unreadable if one.kind is Kind.FOREIGN}


def append(log: KinesisLog, events: Sequence[Envelope]) -> None:
    """As ingest does: what failed is appended again, in its order."""
    while events:
        try:
            receipts = log.append(events)
        except LogUnavailable:
            continue
        events = [one for one, receipt in zip(events, receipts, strict=True) if receipt.outcome is Outcome.FAILED]
