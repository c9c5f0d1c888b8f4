"""The ledger in a DynamoDB table, beside whatever else stands there.

Layout:  one item, ``ledger``, holds the writer's token, the marks, and the counters of notices and facts; each write of the
         notifier holds only if nobody changed it since it was read. ``ledger#notice`` has the notices by number, ``ledger#key``
         their numbers by key, ``ledger#cause#…`` by event; an open notice stands under ``ledger#critical#channel``,
         ``ledger#pending#channel``, ``ledger#sending`` or ``ledger#failed`` too. ``ledger#channel`` has each channel's rest and
         tallies, ``ledger#outbox`` the facts, ``ledger#group`` and ``ledger#member`` the groups: a member is an item of its own.
Journal: a write of more than a transaction takes is written down first, whole, under ``ledger#journal#…``; then the writer's item
         names it, and from then on it counts. Its parts are carried out one transaction after the other, each once, by whoever
         writes next: a crash in between delays them only. What reads meanwhile may see some of it.
Many:    ``recover``, ``redrive``, ``retry`` and ``doubt`` change one notice after another; called again, they go on.
Pace:    is written if it still is as it was read, so that no writer undoes a ``retry``.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from itertools import chain, islice, starmap, takewhile
from random import Random
from time import sleep
from typing import Any, Final, TypeAlias
from zlib import compress, decompress

import orjson

from consumers.notifier import facts
from consumers.notifier.errors import LedgerTaken, LedgerUnavailable, LedgerUnreadable
from consumers.notifier.groups.state import Change, Group, Member
from consumers.notifier.ledger import items, rows
from consumers.notifier.ledger.port import Crowd, Draft, Tally, Wanted
from consumers.notifier.notice import Key, Notice, Reason, State
from consumers.notifier.retry import Outcome, Pace
from pipeline.dynamodb_table import MOST_ACTIONS, Action, Item, Refused, Table, check, put
from pipeline.errors import UnknownFormat
from pipeline.log.port import Position
from schemas.envelope import Envelope

_MOST_BYTES: Final = 3_000_000
_PART_BYTES: Final = 250_000
"""Of one transaction, and of a journal's part, which is an item."""
Changing: TypeAlias = Callable[[], tuple[Notice, items.Paced | None]]
"""What a notice becomes, and how its channel rests then; asked again if somebody else wrote meanwhile."""
_SETTLED: Final = (State.SENT, State.SUPPRESSED, State.MERGED)


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
        before, mark = self._read(), items.marks_as_bytes(marks)
        while not before.begun:
            if self._written(before, replace(before, begun=1, marks=mark, live_mark=mark), []):
                return True
            before = self._read()
        return False

    def doubt(self, until_us: int) -> None:
        """What happened before ``until_us`` may have been told of, as the port says."""
        self._write(lambda w: (replace(w, doubt_us=max(w.doubt_us, until_us)), []))
        for state in items.OPEN:
            self._each(state, lambda notice: replace(notice, unsure=True))

    def live_mark(self) -> Mapping[str, Position] | None:
        """What ``begin`` was told, as the port says."""
        writer = self._read()
        return items.marks_of(writer.live_mark) if writer.begun else None

    def marks(self) -> Mapping[str, Position] | None:
        """How far each shard has been decided, as the port says."""
        writer = self._read()
        return items.marks_of(writer.marks) if writer.begun else None

    def commit(self, token: int, marks: Mapping[str, Position], drafts: Sequence[Draft], change: Change) -> int:
        """Keep decisions, what they make of groups, and how far the log was read, as the port says."""
        new: list[Draft] = []

        def decided(writer: items.Writer) -> tuple[items.Writer, list[Action]]:
            self._ask_for_token(writer, token)
            known = self._table.get_many([items.pointer(draft.notice.key) for draft in drafts])
            first_ones: dict[Key, Draft] = {}
            for draft in drafts:
                first_ones.setdefault(draft.notice.key, draft)
            new[:] = [draft for key, draft in first_ones.items() if items.pointer(key) not in known]
            kept = [items.Kept(writer.notices + n, _doubted(draft.notice, writer)) for n, draft in enumerate(new, 1)]
            told = [draft.fact for draft in new if draft.fact is not None]
            actions = [*chain.from_iterable(map(items.made, kept)), *items.named(kept), *_tallied(kept)]
            actions += [*items.told(told, writer.facts), *items.regrouped(change)]
            after = replace(writer, notices=writer.notices + len(new), facts=writer.facts + len(told))
            return replace(after, marks=items.marks_as_bytes({**items.marks_of(writer.marks), **marks})), actions

        self._write(decided)
        return len(new)

    def groups(self) -> Iterator[tuple[Group, Sequence[Member]]]:
        """All groups with their members, as the port says."""
        groups = (rows.group_of(items.bytes_of(item["row"])) for item in self._table.query(items.GROUPS))
        members = (items.member_of(item) for item in self._table.query(items.MEMBERS))
        yield from rows.gathered(groups, members)

    def known(self, event_ids: Collection[str]) -> AbstractSet[str]:
        """Which of these events some notice tells of, as the port says."""
        found = self._table.get_many([items.cause(event_id) for event_id in event_ids])
        return {event_id for event_id in event_ids if items.cause(event_id) in found}

    def crowd(self, channel: str, *, critical: bool) -> Crowd:
        """What waits for a channel, as the port says."""
        found = self._table.query(items.pending(channel, critical=critical))
        decided = [int(item["decided"]) for item in found if not item["unsure"]]
        return Crowd(len(decided), min(decided), max(decided)) if decided else Crowd()

    def merge(self, token: int, digest: Notice, now_us: int, *, critical: bool) -> int:
        """Merge what waits into a digest, as the port says."""
        merged: list[items.Kept] = []

        def gathered(writer: items.Writer) -> tuple[items.Writer, list[Action]]:
            self._ask_for_token(writer, token)
            merged[:] = self._merging(digest.channel, critical=critical)
            if not merged:
                return writer, []
            before = [kept.notice for kept in merged]
            grown = items.Kept(writer.notices + 1, rows.grown(self._numbered_anew(digest), before))
            after = [notice.merged(grown.notice.key, now_us) for notice in before]
            told = [facts.merged(notice, time_us=now_us) for notice in after]
            changed = chain.from_iterable(items.replaced(*pair)[:-1] for pair in zip(merged, after, strict=True))
            counts = items.moved(before, [grown.notice, *after])
            actions = [*items.made(grown), *items.told(told, writer.facts), *changed, items.tallied(digest.channel, counts)]
            return replace(writer, notices=writer.notices + 1, facts=writer.facts + len(told)), actions

        self._write(gathered)
        return len(merged)

    def recover(self, token: int, now_us: int) -> int:
        """Make every ``sending`` notice pending and unsure, as the port says."""
        self._ask_for_token(self._read(), token)

        def recovered(notice: Notice) -> Notice:
            again = _pending_again(notice, Reason.OUTCOME_UNKNOWN, now_us)
            return replace(again, unsure=True)

        return self._each(State.SENDING, recovered, token)

    def due(self, channel: str, now_us: int) -> Notice | None:
        """One notice that is pending and due, as the port says."""
        for item in self._pending([channel]):
            if int(item["due"]) <= now_us and (found := self._at(int(str(item["sk"])))):
                return found.notice
        return None

    def earlier(self, notice: Notice) -> Notice | None:
        """The first pending one of its group before ``notice``, as the port says."""
        group, flush = items.group_of(notice.key), notice.key.flush
        before = [item for item in self._pending([notice.channel]) if item["group"] == group and int(item["flush"]) < flush]
        first = min(before, key=lambda item: int(item["flush"]), default=None)
        found = first and self._at(int(str(first["sk"])))
        return found.notice if found else None

    def next_due_us(self, channel: str) -> int | None:
        """When the next pending notice is due, as the port says."""
        return min((int(item["due"]) for item in self._pending([channel])), default=None)

    def pace(self, channel: str) -> Pace:
        """How the channel rests, as the port says."""
        return items.pace_of(self._table.get(items.channel(channel)))

    def intend(self, token: int, notice: Notice, now_us: int) -> Notice:
        """Write down that a request is about to go out, as the port says."""
        after = notice.attempted(now_us)
        self._change(token, notice, lambda: (after, None))
        return after

    def settle(self, token: int, notice: Notice, outcome: Outcome, now_us: int, fact: Envelope | None = None) -> None:
        """Write down what became of a notice, and of its channel, as the port says."""

        def settled() -> tuple[Notice, items.Paced]:
            channel = self._table.get(items.channel(notice.channel))
            came = outcome.unless_retried(items.pace_of(channel), now_us)
            return came.of(notice, now_us), items.paced(came.pace, channel)

        self._change(token, notice, settled, fact)

    def orphans(self, channels: Collection[str], limit: int) -> list[Notice]:
        """Pending notices to any other channel, as the port says."""
        others = [str(item["sk"]) for item in self._table.query(items.CHANNELS) if item["sk"] not in channels]
        numbers = sorted(int(str(item["sk"])) for item in self._pending(others))
        return [kept.notice for kept in self._kept(numbers[:limit])]

    def outbox(self, limit: int) -> list[tuple[int, Envelope]]:
        """Facts to relay, as the port says."""
        found = islice(self._table.query(items.OUTBOX, first_page=limit), limit)
        return [(int(str(item["sk"])), items.fact_of(item)) for item in found]

    def relayed(self, numbers: Sequence[int]) -> None:
        """Drop facts from the outbox, as the port says."""
        self._table.delete_many(items.at(items.OUTBOX, number) for number in dict.fromkeys(numbers))

    def prune(self, token: int, before_us: int, limit: int) -> int:
        """Forget what was settled long ago, as the port says; one notice after another, and dead letters are passed each time."""
        self._ask_for_token(self._read(), token)
        found = map(items.kept_of, self._table.query(items.NOTICES, first_page=limit))
        old = takewhile(lambda kept: kept.notice.decided_us < before_us, found)
        settled = (kept for kept in old if kept.notice.state in _SETTLED and kept.notice.changed_us < before_us)
        pruned = 0
        for kept in islice(settled, limit):
            self._forget(token, kept)
            pruned += 1
        return pruned

    def redrive(self, key: Key | None, now_us: int) -> int:
        """Make dead letters pending again, as the port says."""

        def redriven(notice: Notice) -> Notice:
            again = _pending_again(notice, Reason.REDRIVEN, now_us)
            return replace(again, first_attempt_us=None)

        if key is None:
            return self._each(State.FAILED, redriven)
        kept = self._find(key)
        if kept is None or kept.notice.state is not State.FAILED:
            return 0
        return int(self._transacted(items.replaced(kept, redriven(kept.notice))))

    def retry(self, channel: str, now_us: int) -> int:
        """Have a channel tried now, as the port says."""
        while not self._repaced(channel, now_us):
            pass
        waiting = {int(str(item["sk"])): int(item["due"]) for item in self._pending([channel])}
        for kept in self._kept([number for number, due_us in waiting.items() if due_us > now_us]):
            if kept.notice.state is State.PENDING:
                self._transacted(items.replaced(kept, replace(kept.notice, due_us=now_us)))
        return len(waiting)

    def get(self, key: Key) -> Notice | None:
        """One notice, as the port says."""
        kept = self._find(key)
        return kept.notice if kept else None

    def notices(self, wanted: Wanted) -> list[Notice]:
        """Notices, the last decided first, as the port says. Without an event, all newer ones are looked at."""
        behind = self._find(wanted.after) if wanted.after else None
        if wanted.after and behind is None:
            return []
        high = items.at(items.NOTICES, behind.number).sk if behind else ""
        found = (kept.notice for kept in self._listed(wanted.event_id, high) if _is_wanted(kept.notice, wanted))
        return list(islice(found, wanted.limit))

    def tallies(self) -> list[Tally]:
        """Counts by channel and state, as the port says."""
        channels = self._table.query(items.CHANNELS)
        tallies = (Tally(str(item["sk"]), state, int(item.get(state, 0))) for item in channels for state in sorted(State))
        return [tally for tally in tallies if tally.count]

    # writing

    def _forget(self, token: int, kept: items.Kept) -> None:
        def forgotten(writer: items.Writer) -> tuple[items.Writer, list[Action]]:
            self._ask_for_token(writer, token)
            causes = self._table.get_many([items.cause(event_id) for event_id in rows.named_by(kept.notice)])
            return writer, items.forgotten(kept, causes)

        self._write(forgotten)

    def _repaced(self, name: str, now_us: int) -> bool:
        channel = self._table.get(items.channel(name))
        paced = items.paced(items.pace_of(channel).retried(now_us), channel)
        return self._transacted([items.tallied(name, {}, paced)])

    def _change(self, token: int, before: Notice, change: Changing, fact: Envelope | None = None) -> None:
        def changed(writer: items.Writer) -> tuple[items.Writer, list[Action]]:
            self._ask_for_token(writer, token)
            kept = self._find(before.key)
            if kept is None or (kept.notice.state, kept.notice.attempt) != (before.state, before.attempt):
                message = f"notice {before.key} is no longer {before.state} at attempt {before.attempt}"
                raise LedgerTaken(message)
            facts = [fact] if fact else []
            actions = [*items.replaced(kept, *change()), *items.told(facts, writer.facts)]
            return replace(writer, facts=writer.facts + len(facts)), actions

        self._write(changed)

    def _each(self, state: State, change: Callable[[Notice], Notice], token: int | None = None) -> int:
        """Change each notice in this open state, one after another; returns how many were."""
        if state is State.PENDING:
            found = self._pending([str(item["sk"]) for item in self._table.query(items.CHANNELS)])
        else:
            found = self._table.query(f"ledger#{state}")
        numbers = [int(str(item["sk"])) for item in found]
        fence = [] if token is None else [check(items.WRITER, "#token = :token", {"token": token})]
        changed = 0
        for kept in self._kept(numbers):
            if kept.notice.state is state and self._transacted([*fence, *items.replaced(kept, change(kept.notice))]):
                changed += 1
            elif token is not None:
                self._ask_for_token(self._read(), token)
        return changed

    def _write(self, change: Callable[[items.Writer], tuple[items.Writer, list[Action]]]) -> items.Writer:
        """Change the writer's item, and others with it, as it is read; read again if somebody else changed it meanwhile."""
        while True:
            before = self._carried_out(self._read())
            after, actions = change(before)
            if len(actions) < MOST_ACTIONS and sum(action.size() for action in actions) <= _MOST_BYTES:
                if self._written(before, after, actions):
                    return after
            elif self._journaled(before, after, actions):
                self._carried_out(self._read())
                return after

    def _journaled(self, before: items.Writer, after: items.Writer, actions: Sequence[Action]) -> bool:
        number = self._dice.getrandbits(48) + 1
        parts = list(_parts(actions))
        for place, part in enumerate(parts):
            self._table.write(put(items.journal(number, place), {"actions": compress(orjson.dumps(part))}))
        if self._written(before, replace(after, journal=number, step=0, steps=len(parts)), []):
            return True
        self._table.delete_many(items.journal(number, place) for place in range(len(parts)))
        return False

    def _carried_out(self, writer: items.Writer) -> items.Writer:
        """The writer's item once no journal is left. Raises ``LedgerUnreadable`` if a part of one is missing."""
        while writer.journal:
            part = self._table.get(items.journal(writer.journal, writer.step))
            last = writer.step + 1 == writer.steps
            after = replace(writer, journal=0, step=0, steps=0) if last else replace(writer, step=writer.step + 1)
            told = orjson.loads(decompress(items.bytes_of(part["actions"]))) if part else []
            if part and self._written(writer, after, [items.action_of(each) for each in told]) and last:
                self._table.delete_many(items.journal(writer.journal, place) for place in range(writer.steps))
            before, writer = writer, self._read()
            if not part and writer == before:  # or another process was faster: then its item has changed
                message = f"{self._table.name}: part {writer.step + 1} of {writer.steps} of the ledger's long write is missing"
                raise LedgerUnreadable(message)
        return writer

    def _written(self, before: items.Writer, after: items.Writer, actions: Sequence[Action]) -> bool:
        condition = "#changes = :before" if before.changes else "attribute_not_exists(pk)"
        values: Item = {"before": before.changes} if before.changes else {}
        item: Item = {name: getattr(after, name) for name in items.Writer.__slots__} | {"changes": before.changes + 1}
        return self._transacted([put(items.WRITER, item, condition, values), *actions])

    def _transacted(self, actions: Sequence[Action]) -> bool:
        try:
            self._table.transact(actions, f"{self._dice.getrandbits(128):032x}")
        except Refused:
            return False
        return True

    # reading

    def _read(self) -> items.Writer:
        item: Any = self._table.get(items.WRITER)
        if not item:
            return items.Writer()
        if item.get("format") != items.FORMAT:
            message = (
                f"{self._table.name}: the ledger was written by another build; delete its items, whose pk begins with 'ledger': "
                "only what was told so far is forgotten"
            )
            raise UnknownFormat(message)
        return items.Writer(**{name: item[name] for name in items.Writer.__slots__})

    def _pending(self, channels: Collection[str]) -> Iterator[Item]:
        """What waits for these channels, for each what is CRITICAL first."""
        for channel in channels:
            for critical in (True, False):
                yield from self._table.query(items.pending(channel, critical=critical))

    def _numbered_anew(self, digest: Notice) -> Notice:
        while self._table.get(items.pointer(digest.key)):
            digest = digest.renumbered()
        return digest

    def _merging(self, channel: str, *, critical: bool) -> list[items.Kept]:
        lanes = (True, False) if critical else (False,)
        found = [item for lane in lanes for item in self._table.query(items.pending(channel, critical=lane))]
        return list(self._kept(sorted(int(str(item["sk"])) for item in found if not item["unsure"])))

    def _ask_for_token(self, writer: items.Writer, token: int) -> None:
        if writer.token != token:
            message = f"{self._table.name}: another notifier has taken over"
            raise LedgerTaken(message)

    def _find(self, key: Key) -> items.Kept | None:
        found = self._table.get(items.pointer(key))
        return self._at(int(found["number"])) if found else None

    def _at(self, number: int) -> items.Kept | None:
        return next(self._kept([number]), None)

    def _kept(self, numbers: Sequence[int]) -> Iterator[items.Kept]:
        keys = [items.at(items.NOTICES, number) for number in numbers]
        found = self._table.get_many(keys)
        return (items.kept_of(found[key]) for key in keys if key in found)

    def _listed(self, event_id: str, high: str) -> Iterator[items.Kept]:
        """Notices before ``high`` (""`: all), newest first: of one event, or all."""
        if event_id:
            numbers = items.numbers_of(self._table.get(items.cause(event_id)) or {})
            return self._kept([number for number in reversed(numbers) if not high or items.at("", number).sk < high])
        return map(items.kept_of, self._table.query(items.NOTICES, "", high, descending=True, first_page=64))


def _pending_again(notice: Notice, reason: Reason, now_us: int) -> Notice:
    return replace(notice, state=State.PENDING, reason=reason, due_us=now_us, changed_us=now_us)


def _doubted(notice: Notice, writer: items.Writer) -> Notice:
    doubtful = notice.state is State.PENDING and any(
        cause.time_us < writer.doubt_us for cause in notice.causes if writer.doubt_us
    )
    return replace(notice, unsure=True) if doubtful else notice


def _tallied(kept: Iterable[items.Kept]) -> Iterator[Action]:
    tallies: defaultdict[str, Counter[State]] = defaultdict(Counter)
    for each in kept:
        tallies[each.notice.channel][each.notice.state] += 1
    return starmap(items.tallied, tallies.items())


def _parts(actions: Sequence[Action]) -> Iterator[list[dict[str, Any]]]:
    """Writes in runs that fit into a transaction and, written down, into an item each."""
    part: list[dict[str, Any]] = []
    held = 0
    for action in actions:
        size = action.size()
        if part and (len(part) == MOST_ACTIONS - 1 or held + size > _PART_BYTES):
            yield part
            part, held = [], 0
        part.append(items.action_as_json(action))
        held += size
    yield part


def _is_wanted(notice: Notice, wanted: Wanted) -> bool:
    return (
        (wanted.state is None or notice.state is wanted.state)
        and (wanted.reason is None or notice.reason is wanted.reason)
        and (not wanted.channel or notice.channel == wanted.channel)
    )
