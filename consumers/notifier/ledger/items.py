"""What the ledger's items in DynamoDB hold, and the writes that make and change them."""

from base64 import b64decode, b64encode
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from hashlib import sha256
from typing import Any, Final
from zlib import compress, decompress

import orjson

from consumers.notifier.errors import LedgerUnavailable
from consumers.notifier.groups.state import Change, GroupKey, Member
from consumers.notifier.ledger import rows
from consumers.notifier.notice import Key, Notice, State
from consumers.notifier.retry import Pace
from pipeline import dynamodb_table as table
from pipeline.dynamodb_table import Action, Item, Value, delete, put, update
from pipeline.log.port import Position
from schemas.envelope import Envelope

WRITER: Final = table.Key("ledger", "writer")
NOTICES: Final = "ledger#notice"
OUTBOX: Final = "ledger#outbox"
CHANNELS: Final = "ledger#channel"
GROUPS: Final = "ledger#group"
MEMBERS: Final = "ledger#member"
FORMAT: Final = 2
"""1 knew no groups."""
_LONGEST_KEY: Final = 900
"""Bytes of a sort key, of which DynamoDB takes 1,024."""
OPEN: Final = (State.PENDING, State.SENDING, State.FAILED)


@dataclass(frozen=True, slots=True)
class Writer:
    """The writer's item as it was read. ``changes`` counts its changes.

    ``journal`` names the journal that is being carried out, 0 for none; ``step`` is its next part, ``steps`` how many it has.
    """

    format: int = FORMAT
    token: int = 0
    begun: int = 0
    doubt_us: int = 0
    notices: int = 0
    facts: int = 0
    changes: int = 0
    marks: bytes = b"{}"
    live_mark: bytes = b"{}"
    journal: int = 0
    step: int = 0
    steps: int = 0


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
    return table.Key("ledger#key", _short(str(key)))


def pending(channel: str, *, critical: bool) -> str:
    """The partition of a channel's pending notices, of what is CRITICAL or of what is not."""
    return f"ledger#{'critical' if critical else 'pending'}#{channel}"


def cause(event_id: str) -> table.Key:
    """Where the numbers of the notices stand that tell of an event, an attribute each."""
    return table.Key(f"ledger#cause#{event_id}", "-")


def numbers_of(item: Item) -> list[int]:
    """The notices that tell of an event, oldest first."""
    return sorted(int(name[1:]) for name in item if name.startswith("n"))


def journal(number: int, part: int) -> table.Key:
    """A part of a journal."""
    return at(f"ledger#journal#{number}", part)


def _short(text: str) -> str:
    return text if len(text.encode()) <= _LONGEST_KEY else f"sha256:{sha256(text.encode()).hexdigest()}"


def opened(kept: Kept) -> table.Key | None:
    """Where a notice stands while it is open."""
    state = kept.notice.state
    if state is State.PENDING:
        return at(pending(kept.notice.channel, critical=kept.notice.severity >= rows.CRITICAL), kept.number)
    return at(f"ledger#{state}", kept.number) if state in OPEN else None


def item_of(notice: Notice) -> Item:
    """A notice as it is kept."""
    *told, causes, still = rows.row(notice)
    packed: Item = {"row": orjson.dumps(told), "causes": compress(causes), "still": compress(still)}
    return packed | {"state": notice.state, "attempt": notice.attempt}


def kept_of(item: Item) -> Kept:
    """The inverse of ``item_of``."""
    causes, still = (decompress(bytes_of(item[name])) for name in ("causes", "still"))
    return Kept(int(str(item["sk"])), rows.notice_of([*orjson.loads(bytes_of(item["row"])), causes, still]))


def waiting(notice: Notice) -> Item:
    """What is to be known of a pending notice without reading it."""
    waits: Item = {"due": notice.due_us, "decided": notice.decided_us, "unsure": int(notice.unsure)}
    return waits | {"group": group_of(notice.key), "flush": notice.key.flush}


def group_of(key: Key) -> str:
    """What all notices of a group have in common."""
    return _hashed(GroupKey(key.route, key.group))


def made(kept: Kept) -> Iterator[Action]:
    """What a new notice writes, but its channel's tally and its events."""
    yield put(pointer(kept.notice.key), {"number": kept.number})
    yield put(at(NOTICES, kept.number), item_of(kept.notice))
    if key := opened(kept):
        yield put(key, waiting(kept.notice))


def named(kept: Sequence[Kept]) -> Iterator[Action]:
    """What makes new notices be found by their events."""
    numbers: defaultdict[str, list[int]] = defaultdict(list)
    for each in kept:
        for event_id in rows.named_by(each.notice):
            numbers[event_id].append(each.number)
    for event_id, told in numbers.items():
        yield update(cause(event_id), "SET " + ", ".join(f"#n{number} = :one" for number in told), "", {"one": 1})


def regrouped(change: Change) -> Iterator[Action]:
    """What changes groups and their members."""
    for key, group in change.groups.items():
        place = table.Key(GROUPS, _hashed(key))
        yield delete(place) if group is None else put(place, {"row": rows.group_row(group)})
    for (key, fingerprint), member in change.members.items():
        place = table.Key(MEMBERS, f"{_hashed(key)}#{sha256(fingerprint.encode()).hexdigest()[:32]}")
        yield delete(place) if member is None else put(place, {"row": compress(rows.member_row(key, member))})


def member_of(item: Item) -> tuple[GroupKey, Member]:
    """A member, and the group that it is in."""
    return rows.member_of(decompress(bytes_of(item["row"])))


def _hashed(key: GroupKey) -> str:
    return sha256(orjson.dumps(tuple(key))).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Paced:
    """How a channel is to rest, if its item still has the pace ``was``: None for none."""

    pace: Pace
    was: Value | None


def replaced(kept: Kept, after: Notice, paced: Paced | None = None) -> list[Action]:
    """What a changed notice writes, if it is still as ``kept``, and its channel rests as ``paced`` says."""
    before = kept.notice
    same: Item = {"state": before.state, "attempt": before.attempt}
    condition = "#state = :state AND #attempt = :attempt"
    actions = [put(at(NOTICES, kept.number), item_of(after), condition, same)]
    was, now = opened(kept), opened(Kept(kept.number, after))
    if was and was != now:
        actions.append(delete(was))
    if now:
        actions.append(put(now, waiting(after)))
    return [*actions, tallied(after.channel, moved([before], [after]), paced)]


def moved(before: Sequence[Notice], after: Sequence[Notice]) -> Counter[State]:
    """How a channel's tallies change."""
    counts = Counter(notice.state for notice in after)
    counts.subtract(notice.state for notice in before)
    return counts


def forgotten(kept: Kept, causes: Mapping[table.Key, Item]) -> list[Action]:
    """What a notice that is settled leaves behind when it goes: nothing. ``causes`` are the items of its events."""
    notice = kept.notice
    return [
        delete(at(NOTICES, kept.number)),
        delete(pointer(notice.key)),
        *(_untold(key, item, kept.number) for key, item in causes.items()),
        tallied(notice.channel, {notice.state: -1}),
    ]


def _untold(key: table.Key, item: Item, number: int) -> Action:
    return delete(key) if numbers_of(item) == [number] else update(key, f"REMOVE #n{number}")


def tallied(name: str, counts: Mapping[State, int], paced: Paced | None = None) -> Action:
    """A channel's tallies counted on, and its rest."""
    values: Item = {str(state): count for state, count in counts.items()}
    counted = f"ADD {', '.join(f'#{state} :{state}' for state in counts)}" if counts else ""
    if paced is None:
        return update(channel(name), counted, "", values)
    values |= {"pace": orjson.dumps(astuple(paced.pace))} | ({} if paced.was is None else {"was": paced.was})
    condition = "attribute_not_exists(#pace)" if paced.was is None else "#pace = :was"
    return update(channel(name), f"SET #pace = :pace {counted}".rstrip(), condition, values)


def told(facts: Sequence[Envelope], number: int) -> Iterator[Action]:
    """Facts for the outbox, numbered behind ``number``."""
    for fact in facts:
        number += 1
        header, body = rows.fact_row(fact)
        yield put(at(OUTBOX, number), {"header": header, "body": body})


def channel(name: str) -> table.Key:
    """Where a channel's tallies and its rest stand."""
    return table.Key(CHANNELS, name)


def paced(pace: Pace, item: Item | None) -> Paced:
    """How a channel is to rest whose item was read."""
    return Paced(pace, item.get("pace") if item else None)


def pace_of(item: Item | None) -> Pace:
    """A channel's rest."""
    return Pace(*orjson.loads(bytes_of(item["pace"]))) if item and "pace" in item else Pace()


def action_as_json(action: Action) -> dict[str, Any]:
    """A write, for a journal."""
    told = action._asdict()
    return told | {"key": tuple(action.key), "item": _packed(action.item), "values": _packed(action.values)}


def action_of(told: Mapping[str, Any]) -> Action:
    """The inverse of ``action_as_json``."""
    key = table.Key(*told["key"])
    return Action(**{**told, "key": key, "item": _unpacked(told["item"]), "values": _unpacked(told["values"])})


def _packed(item: Mapping[str, Value]) -> dict[str, Any]:
    return {name: [b64encode(value).decode()] if isinstance(value, bytes) else value for name, value in item.items()}


def _unpacked(item: Mapping[str, Any]) -> Item:
    return {name: b64decode(value[0]) if isinstance(value, list) else value for name, value in item.items()}


def fact_of(item: Item) -> Envelope:
    """A fact of the outbox."""
    return rows.fact_of(bytes_of(item["header"]), bytes_of(item["body"]))


def marks_of(kept: bytes) -> dict[str, Position]:
    """Marks as the writer's item keeps them."""
    return {shard: Position.parse(position) for shard, position in orjson.loads(kept).items()}


def marks_as_bytes(marks: Mapping[str, Position]) -> bytes:
    """The inverse of ``marks_of``."""
    return orjson.dumps({shard: str(position) for shard, position in marks.items()})


def bytes_of(value: object) -> bytes:
    """An attribute that holds bytes."""
    if not isinstance(value, bytes):
        message = f"the ledger holds {value!r} where bytes should be"
        raise LedgerUnavailable(message)
    return value
