"""What the ledger's items in DynamoDB hold, and the writes that make and change them."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from consumers.notifier.errors import LedgerUnavailable
from consumers.notifier.ledger import rows
from consumers.notifier.notice import Key, Notice, State
from consumers.notifier.retry import Pace
from pipeline import dynamodb_table as table
from pipeline.dynamodb_table import Action, Item, delete, put, update
from pipeline.log.port import Position
from schemas.envelope import Envelope

WRITER: Final = table.Key("ledger", "writer")
NOTICES: Final = "ledger#notice"
OUTBOX: Final = "ledger#outbox"
CHANNELS: Final = "ledger#channel"
OPEN: Final = (State.PENDING, State.SENDING, State.FAILED)


@dataclass(frozen=True, slots=True)
class Writer:
    """The writer's item as it was read. ``changes`` counts its changes."""

    token: int = 0
    begun: int = 0
    doubt_us: int = 0
    notices: int = 0
    facts: int = 0
    changes: int = 0
    marks: bytes = b"{}"


@dataclass(frozen=True, slots=True)
class Kept:
    """A notice with its number."""

    number: int
    notice: Notice


def at(pk: str, number: int) -> table.Key:
    """A numbered item of a partition."""
    return table.Key(pk, f"{number:020}")


def pointer(key: Key) -> table.Key:
    """Where a notice's number stands."""
    return table.Key("ledger#key", str(key))


def pending(channel: str) -> str:
    """The partition of a channel's pending notices."""
    return f"ledger#pending#{channel}"


def cause(event_id: str) -> str:
    """The partition of the notices that tell of an event."""
    return f"ledger#cause#{event_id}"


def opened(kept: Kept) -> table.Key | None:
    """Where a notice stands while it is open."""
    state = kept.notice.state
    if state is State.PENDING:
        return at(pending(kept.notice.channel), kept.number)
    return at(f"ledger#{state}", kept.number) if state in OPEN else None


def item_of(notice: Notice) -> Item:
    """A notice as it is kept."""
    causes = [(cause.event_id, str(cause.position)) for cause in notice.causes]
    told: Item = {"row": orjson.dumps(rows.row(notice)), "causes": orjson.dumps(causes)}
    return told | {"state": notice.state, "attempt": notice.attempt}


def kept_of(item: Item) -> Kept:
    """The inverse of ``item_of``."""
    causes = [(event_id, position) for event_id, position in orjson.loads(bytes_of(item["causes"]))]
    return Kept(int(str(item["sk"])), rows.notice_of(tuple(orjson.loads(bytes_of(item["row"]))), causes))


def made(kept: Kept) -> Iterator[Action]:
    """What a new notice writes, but its channel's tally."""
    yield put(pointer(kept.notice.key), {"number": kept.number}, "attribute_not_exists(pk)")
    yield put(at(NOTICES, kept.number), item_of(kept.notice))
    for event_id in dict.fromkeys(cause.event_id for cause in kept.notice.causes):
        yield put(at(cause(event_id), kept.number), {})
    if key := opened(kept):
        yield put(key, {"due": kept.notice.due_us})


def replaced(kept: Kept, after: Notice, pace: Pace | None = None) -> list[Action]:
    """What a changed notice writes, if it is still as ``kept``."""
    before = kept.notice
    same: Item = {"state": before.state, "attempt": before.attempt}
    condition = "#state = :state AND #attempt = :attempt"
    actions = [put(at(NOTICES, kept.number), item_of(after), condition, same)]
    was, now = opened(kept), opened(Kept(kept.number, after))
    if was and was != now:
        actions.append(delete(was))
    if now:
        actions.append(put(now, {"due": after.due_us}))
    counts = Counter({after.state: 1})
    counts.subtract({before.state: 1})
    return [*actions, tallied(after.channel, counts, pace)]


def forgotten(kept: Kept) -> list[Action]:
    """What a notice that is settled leaves behind when it goes: nothing, if it is still as ``kept``."""
    notice = kept.notice
    same: Item = {"state": notice.state, "attempt": notice.attempt}
    events = dict.fromkeys(cause.event_id for cause in notice.causes)
    return [
        delete(at(NOTICES, kept.number), "#state = :state AND #attempt = :attempt", same),
        delete(pointer(notice.key)),
        *(delete(at(cause(event_id), kept.number)) for event_id in events),
        tallied(notice.channel, {notice.state: -1}),
    ]


def tallied(channel: str, counts: Mapping[State, int], pace: Pace | None = None) -> Action:
    """A channel's tallies counted on, and its rest."""
    values: Item = {str(state): count for state, count in counts.items()}
    expression = "ADD " + ", ".join(f"#{state} :{state}" for state in counts)
    if pace:
        values |= {"not_before": pace.not_before_us, "failures": pace.failures}
        expression = f"SET #not_before = :not_before, #failures = :failures {expression}"
    return update(table.Key(CHANNELS, channel), expression, "", values)


def told(facts: Sequence[Envelope], number: int) -> Iterator[Action]:
    """Facts for the outbox, numbered behind ``number``."""
    for fact in facts:
        number += 1
        header, body = rows.fact_row(fact)
        yield put(at(OUTBOX, number), {"header": header, "body": body})


def fact_of(item: Item) -> Envelope:
    """A fact of the outbox."""
    return rows.fact_of(bytes_of(item["header"]), bytes_of(item["body"]))


def marks_of(writer: Writer) -> dict[str, Position]:
    """The marks."""
    return {shard: Position.parse(position) for shard, position in orjson.loads(writer.marks).items()}


def marks_as_bytes(marks: Mapping[str, Position]) -> bytes:
    """The inverse of ``marks_of``."""
    return orjson.dumps({shard: str(position) for shard, position in marks.items()})


def bytes_of(value: object) -> bytes:
    """An attribute that holds bytes."""
    if not isinstance(value, bytes):
        message = f"the ledger holds {value!r} where bytes should be"
        raise LedgerUnavailable(message)
    return value
