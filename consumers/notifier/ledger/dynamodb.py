"""The ledger in a DynamoDB table, beside whatever else stands there.

Layout: one item, ``ledger``, holds the writer's token, the marks, and the counters of notices and facts; each write of the notifier holds only
        if nobody changed it since it was read. ``ledger#notice`` has the notices by number, ``ledger#key`` their numbers by
        key, ``ledger#cause#…`` by event; an open notice stands under ``ledger#pending#channel``, ``ledger#sending`` or
        ``ledger#failed`` too. ``ledger#channel`` has each channel's rest and tallies, ``ledger#outbox`` the facts.
Size:   decisions of more than a transaction takes are kept in several, the marks with the last: what is decided again is dropped.
Many:   ``recover``, ``redrive`` and ``doubt`` change one notice after another; called again, they go on.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from random import Random
from time import sleep
from typing import Any, Final

import orjson

from consumers.notifier.errors import LedgerTaken, LedgerUnavailable
from consumers.notifier.ledger import rows
from consumers.notifier.ledger.port import Draft, Tally, Wanted
from consumers.notifier.notice import Key, Notice, Reason, State
from consumers.notifier.retry import Outcome, Pace
from pipeline import dynamodb_table as table
from pipeline.dynamodb_table import Action, Item, Refused, Table, delete, put, update
from pipeline.log.port import Position
from schemas.envelope import Envelope

_WRITER: Final = table.Key("ledger", "writer")
_NOTICES: Final = "ledger#notice"
_OUTBOX: Final = "ledger#outbox"
_CHANNELS: Final = "ledger#channel"
_OPEN: Final = (State.PENDING, State.SENDING, State.FAILED)
_MOST_ACTIONS: Final = 80
"""Of drafts in one transaction: the writer, the channels and the last draft come on top."""


@dataclass(frozen=True, slots=True)
class _Writer:
    """The writer's item as it was read. ``changes`` counts its changes."""

    token: int = 0
    begun: int = 0
    doubt_us: int = 0
    notices: int = 0
    facts: int = 0
    changes: int = 0
    marks: bytes = b"{}"


@dataclass(frozen=True, slots=True)
class _Kept:
    """A notice with its number."""

    number: int
    notice: Notice


class DynamoLedger:
    """The port of the ledger on ``table``. ``dice`` makes tokens and jitter. Raises ``LedgerUnavailable`` from every method."""

    def __init__(self, client: Any, name: str, *, dice: Random, pause: Callable[[float], None] = sleep) -> None:
        self._table = Table(client, name, LedgerUnavailable, dice=dice, pause=pause)
        self._dice = dice

    def close(self) -> None:
        """Nothing is held open."""

    def claim(self) -> int:
        """Become the writer, as the port says."""
        return self._write(lambda w: (replace(w, token=w.token + 1), [])).token

    def begin(self, marks: Mapping[str, Position]) -> bool:
        """Set the live mark, as the port says."""
        before = self._read()
        while not before.begun:
            if self._written(before, replace(before, begun=1, marks=_marks_as_bytes(marks)), []):
                return True
            before = self._read()
        return False

    def doubt(self, until_us: int) -> None:
        """What happened before ``until_us`` may have been told of, as the port says."""
        self._write(lambda w: (replace(w, doubt_us=max(w.doubt_us, until_us)), []))
        for state in _OPEN:
            self._each(state, lambda notice: replace(notice, unsure=True))

    def marks(self) -> Mapping[str, Position] | None:
        """How far each shard has been decided, as the port says."""
        writer = self._read()
        return _marks(writer) if writer.begun else None

    def commit(self, token: int, marks: Mapping[str, Position], drafts: Sequence[Draft]) -> int:
        """Keep decisions and how far the log was read, as the port says."""
        new = 0
        chunks = list(_chunks(drafts))
        for number, chunk in enumerate(chunks, 1):
            new += self._commit(token, marks if number == len(chunks) else {}, chunk)
        return new

    def recover(self, token: int, now_us: int) -> int:
        """Make every ``sending`` notice pending and unsure, as the port says."""
        self._ask_for_token(self._read(), token)

        def recovered(notice: Notice) -> Notice:
            told = {"reason": Reason.OUTCOME_UNKNOWN, "due_us": now_us, "changed_us": now_us}
            return replace(notice, state=State.PENDING, unsure=True, **told)

        return self._each(State.SENDING, recovered, token)

    def due(self, channel: str, now_us: int) -> Notice | None:
        """The first notice that is pending and due, as the port says."""
        for item in self._table.query(_pending(channel)):
            if int(item["due"]) <= now_us and (found := self._at(int(str(item["sk"])))):
                return found.notice
        return None

    def next_due_us(self, channel: str) -> int | None:
        """When the next pending notice is due, as the port says."""
        return min((int(item["due"]) for item in self._table.query(_pending(channel))), default=None)

    def pace(self, channel: str) -> Pace:
        """How the channel rests, as the port says."""
        found = self._table.get(table.Key(_CHANNELS, channel)) or {}
        return Pace(int(found.get("not_before", 0)), int(found.get("failures", 0)))

    def intend(self, token: int, notice: Notice, now_us: int) -> Notice:
        """Write down that a request is about to go out, as the port says."""
        first_us = now_us if notice.first_attempt_us is None else notice.first_attempt_us
        after = replace(notice, state=State.SENDING, attempt=notice.attempt + 1, first_attempt_us=first_us, changed_us=now_us)
        self._change(token, notice, after)
        return after

    def settle(self, token: int, notice: Notice, outcome: Outcome, now_us: int, fact: Envelope | None = None) -> None:
        """Write down what became of a notice, and of its channel, as the port says."""
        after = replace(
            notice,
            state=outcome.state,
            reason=outcome.reason,
            due_us=outcome.due_us,
            unsure=outcome.unsure,
            detail=outcome.detail,
            changed_us=now_us,
        )
        self._change(token, notice, after, outcome.pace, fact)

    def orphans(self, channels: Collection[str], limit: int) -> list[Notice]:
        """Pending notices to any other channel, as the port says."""
        others = [str(item["sk"]) for item in self._table.query(_CHANNELS) if item["sk"] not in channels]
        numbers = sorted(int(str(item["sk"])) for channel in others for item in self._table.query(_pending(channel)))
        return [kept.notice for kept in self._kept(numbers[:limit])]

    def outbox(self, limit: int) -> list[tuple[int, Envelope]]:
        """Facts to relay, as the port says."""
        items = islice(self._table.query(_OUTBOX, first_page=limit), limit)
        return [(int(str(item["sk"])), rows.fact_of(_bytes(item["header"]), _bytes(item["body"]))) for item in items]

    def relayed(self, numbers: Sequence[int]) -> None:
        """Drop facts from the outbox, as the port says."""
        self._table.delete_many(_at(_OUTBOX, number) for number in dict.fromkeys(numbers))

    def redrive(self, key: Key | None, now_us: int) -> int:
        """Make dead letters pending again, as the port says."""

        def redriven(notice: Notice) -> Notice:
            told = {"reason": Reason.REDRIVEN, "due_us": now_us, "changed_us": now_us}
            return replace(notice, state=State.PENDING, first_attempt_us=None, **told)

        if key is None:
            return self._each(State.FAILED, redriven)
        kept = self._find(key)
        return int(kept is not None and kept.notice.state is State.FAILED and self._replaced(kept, redriven(kept.notice)))

    def get(self, key: Key) -> Notice | None:
        """One notice, as the port says."""
        kept = self._find(key)
        return kept.notice if kept else None

    def notices(self, wanted: Wanted) -> list[Notice]:
        """Notices, the last decided first, as the port says. Without an event, all newer ones are looked at."""
        behind = self._find(wanted.after) if wanted.after else None
        if wanted.after and behind is None:
            return []
        high = _at(_NOTICES, behind.number).sk if behind else ""
        found = (kept.notice for kept in self._listed(wanted.event_id, high) if _is_wanted(kept.notice, wanted))
        return list(islice(found, wanted.limit))

    def tallies(self) -> list[Tally]:
        """Counts by channel and state, as the port says."""
        items = self._table.query(_CHANNELS)
        tallies = (Tally(str(item["sk"]), state, int(item.get(state, 0))) for item in items for state in sorted(State))
        return [tally for tally in tallies if tally.count]

    # writing

    def _commit(self, token: int, marks: Mapping[str, Position], drafts: Sequence[Draft]) -> int:
        new: list[Draft] = []

        def decided(writer: _Writer) -> tuple[_Writer, list[Action]]:
            self._ask_for_token(writer, token)
            known = self._table.get_many([_pointer(draft.notice.key) for draft in drafts])
            first_ones = {draft.notice.key: draft for draft in reversed(drafts)}
            new[:] = [draft for key, draft in reversed(first_ones.items()) if _pointer(key) not in known]
            kept = [_Kept(writer.notices + n, _doubted(draft.notice, writer)) for n, draft in enumerate(new, 1)]
            facts = [draft.fact for draft in new if draft.fact is not None]
            tallies: defaultdict[str, Counter[State]] = defaultdict(Counter)
            for each in kept:
                tallies[each.notice.channel][each.notice.state] += 1
            actions = [*chain.from_iterable(map(_made, kept)), *_told(facts, writer.facts)]
            actions += [_channel(channel, counts) for channel, counts in tallies.items()]
            after = replace(writer, notices=writer.notices + len(new), facts=writer.facts + len(facts))
            return replace(after, marks=_marks_as_bytes({**_marks(writer), **marks})), actions

        self._write(decided)
        return len(new)

    def _change(self, token: int, before: Notice, after: Notice, pace: Pace | None = None, fact: Envelope | None = None) -> None:
        def changed(writer: _Writer) -> tuple[_Writer, list[Action]]:
            self._ask_for_token(writer, token)
            kept = self._find(before.key)
            if kept is None or (kept.notice.state, kept.notice.attempt) != (before.state, before.attempt):
                message = f"notice {before.key} is no longer {before.state} at attempt {before.attempt}"
                raise LedgerTaken(message)
            facts = [fact] if fact else []
            actions = [*_replaced(kept, after, pace), *_told(facts, writer.facts)]
            return replace(writer, facts=writer.facts + len(facts)), actions

        self._write(changed)

    def _each(self, state: State, change: Callable[[Notice], Notice], token: int | None = None) -> int:
        """Change each notice in this open state, one after another; returns how many were."""
        if state is State.PENDING:
            partitions = [_pending(str(item["sk"])) for item in self._table.query(_CHANNELS)]
        else:
            partitions = [f"ledger#{state}"]
        numbers = [int(str(item["sk"])) for pk in partitions for item in self._table.query(pk)]
        changed = 0
        for number in numbers:
            if token is not None:
                self._ask_for_token(self._read(), token)
            kept = self._at(number)
            changed += kept is not None and kept.notice.state is state and self._replaced(kept, change(kept.notice))
        return changed

    def _replaced(self, kept: _Kept, after: Notice) -> bool:
        return self._transacted(_replaced(kept, after))

    def _write(self, change: Callable[[_Writer], tuple[_Writer, list[Action]]]) -> _Writer:
        """Change the writer's item, and others with it, as it is read; read again if somebody else changed it meanwhile."""
        while True:
            before = self._read()
            after, actions = change(before)
            if self._written(before, after, actions):
                return after

    def _written(self, before: _Writer, after: _Writer, actions: Sequence[Action]) -> bool:
        condition = "#changes = :before" if before.changes else "attribute_not_exists(pk)"
        values: Item = {"before": before.changes} if before.changes else {}
        item: Item = {name: getattr(after, name) for name in _Writer.__slots__} | {"changes": before.changes + 1}
        return self._transacted([put(_WRITER, item, condition, values), *actions])

    def _transacted(self, actions: Sequence[Action]) -> bool:
        try:
            self._table.transact(actions, f"{self._dice.getrandbits(128):032x}")
        except Refused:
            return False
        return True

    # reading

    def _read(self) -> _Writer:
        item: Any = self._table.get(_WRITER)
        return _Writer(**{name: item[name] for name in _Writer.__slots__}) if item else _Writer()

    def _ask_for_token(self, writer: _Writer, token: int) -> None:
        if writer.token != token:
            message = f"{self._table.name}: another notifier has taken over"
            raise LedgerTaken(message)

    def _find(self, key: Key) -> _Kept | None:
        found = self._table.get(_pointer(key))
        return self._at(int(found["number"])) if found else None

    def _at(self, number: int) -> _Kept | None:
        return next(self._kept([number]), None)

    def _kept(self, numbers: Sequence[int]) -> Iterator[_Kept]:
        keys = [_at(_NOTICES, number) for number in numbers]
        found = self._table.get_many(keys)
        return (_notice(found[key]) for key in keys if key in found)

    def _listed(self, event_id: str, high: str) -> Iterator[_Kept]:
        """Notices before ``high`` (""`: all), newest first: of one event, or all."""
        if event_id:
            items = self._table.query(_cause(event_id), "", high, descending=True)
            return self._kept([int(str(item["sk"])) for item in items])
        return map(_notice, self._table.query(_NOTICES, "", high, descending=True, first_page=64))


def _at(pk: str, number: int) -> table.Key:
    return table.Key(pk, f"{number:020}")


def _pointer(key: Key) -> table.Key:
    return table.Key("ledger#key", str(key))


def _pending(channel: str) -> str:
    return f"ledger#pending#{channel}"


def _cause(event_id: str) -> str:
    return f"ledger#cause#{event_id}"


def _open(kept: _Kept) -> table.Key | None:
    """Where a notice stands while it is open."""
    state = kept.notice.state
    if state is State.PENDING:
        return _at(_pending(kept.notice.channel), kept.number)
    return _at(f"ledger#{state}", kept.number) if state in _OPEN else None


def _item(notice: Notice) -> Item:
    causes = [(cause.event_id, str(cause.position)) for cause in notice.causes]
    told: Item = {"row": orjson.dumps(rows.row(notice)), "causes": orjson.dumps(causes)}
    return told | {"state": notice.state, "attempt": notice.attempt}


def _notice(item: Item) -> _Kept:
    causes = [(event_id, position) for event_id, position in orjson.loads(_bytes(item["causes"]))]
    return _Kept(int(str(item["sk"])), rows.notice_of(tuple(orjson.loads(_bytes(item["row"]))), causes))


def _made(kept: _Kept) -> Iterator[Action]:
    """What a new notice writes, but its channel's tally."""
    yield put(_pointer(kept.notice.key), {"number": kept.number}, "attribute_not_exists(pk)")
    yield put(_at(_NOTICES, kept.number), _item(kept.notice))
    for event_id in dict.fromkeys(cause.event_id for cause in kept.notice.causes):
        yield put(_at(_cause(event_id), kept.number), {})
    if key := _open(kept):
        yield put(key, {"due": kept.notice.due_us})


def _replaced(kept: _Kept, after: Notice, pace: Pace | None = None) -> list[Action]:
    """What a changed notice writes, if it is still as ``kept``."""
    before = kept.notice
    same: Item = {"state": before.state, "attempt": before.attempt}
    condition = "#state = :state AND #attempt = :attempt"
    actions = [put(_at(_NOTICES, kept.number), _item(after), condition, same)]
    was, now = _open(kept), _open(_Kept(kept.number, after))
    if was and was != now:
        actions.append(delete(was))
    if now:
        actions.append(put(now, {"due": after.due_us}))
    counts = Counter({after.state: 1})
    counts.subtract({before.state: 1})
    return [*actions, _channel(after.channel, counts, pace)]


def _channel(channel: str, counts: Mapping[State, int], pace: Pace | None = None) -> Action:
    """A channel's tallies counted on, and its rest."""
    values: Item = {str(state): count for state, count in counts.items()}
    expression = "ADD " + ", ".join(f"#{state} :{state}" for state in counts)
    if pace:
        values |= {"not_before": pace.not_before_us, "failures": pace.failures}
        expression = f"SET #not_before = :not_before, #failures = :failures {expression}"
    return update(table.Key(_CHANNELS, channel), expression, "", values)


def _told(facts: Sequence[Envelope], number: int) -> Iterator[Action]:
    for fact in facts:
        number += 1
        header, body = rows.fact_row(fact)
        yield put(_at(_OUTBOX, number), {"header": header, "body": body})


def _doubted(notice: Notice, writer: _Writer) -> Notice:
    doubtful = notice.state is State.PENDING and any(
        cause.time_us < writer.doubt_us for cause in notice.causes if writer.doubt_us
    )
    return replace(notice, unsure=True) if doubtful else notice


def _chunks(drafts: Sequence[Draft]) -> Iterator[Sequence[Draft]]:
    """Drafts in runs that fit into a transaction each; at least one run, which may be empty."""
    first = held = 0
    for number, draft in enumerate(drafts):
        actions = 5 + len(draft.notice.causes)
        if number > first and held + actions > _MOST_ACTIONS:
            yield drafts[first:number]
            first, held = number, 0
        held += actions
    yield drafts[first:]


def _is_wanted(notice: Notice, wanted: Wanted) -> bool:
    return (
        (wanted.state is None or notice.state is wanted.state)
        and (wanted.reason is None or notice.reason is wanted.reason)
        and (not wanted.channel or notice.channel == wanted.channel)
    )


def _marks(writer: _Writer) -> dict[str, Position]:
    return {shard: Position.parse(position) for shard, position in orjson.loads(writer.marks).items()}


def _marks_as_bytes(marks: Mapping[str, Position]) -> bytes:
    return orjson.dumps({shard: str(position) for shard, position in marks.items()})


def _bytes(value: object) -> bytes:
    if not isinstance(value, bytes):
        message = f"the ledger holds {value!r} where bytes should be"
        raise LedgerUnavailable(message)
    return value
