"""The ledger in a DynamoDB table, beside whatever else stands there.

Layout: one item, ``ledger``, holds the writer's token, the marks, and the counters of notices and facts; each write of the
        notifier holds only if nobody changed it since it was read. ``ledger#notice`` has the notices by number, ``ledger#key``
        their numbers by key, ``ledger#cause#…`` by event; an open notice stands under ``ledger#pending#channel``,
        ``ledger#sending`` or ``ledger#failed`` too. ``ledger#channel`` has each channel's rest and tallies, ``ledger#outbox``
        the facts.
Size:   decisions of more than a transaction takes are kept in several, the marks with the last: what is decided again is dropped.
Many:   ``recover``, ``redrive`` and ``doubt`` change one notice after another; called again, they go on.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice, takewhile
from random import Random
from time import sleep
from typing import Any, Final

from consumers.notifier.errors import LedgerTaken, LedgerUnavailable
from consumers.notifier.ledger import items
from consumers.notifier.ledger.port import Draft, Tally, Wanted
from consumers.notifier.notice import Key, Notice, Reason, State
from consumers.notifier.retry import Outcome, Pace
from pipeline import dynamodb_table as table
from pipeline.dynamodb_table import Action, Item, Refused, Table, check, put
from pipeline.log.port import Position
from schemas.envelope import Envelope

_MOST_ACTIONS: Final = 80
"""Of drafts in one transaction: the writer, the channels and the last draft come on top."""
_SETTLED: Final = (State.SENT, State.SUPPRESSED)


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
            if self._written(before, replace(before, begun=1, marks=items.marks_as_bytes(marks)), []):
                return True
            before = self._read()
        return False

    def doubt(self, until_us: int) -> None:
        """What happened before ``until_us`` may have been told of, as the port says."""
        self._write(lambda w: (replace(w, doubt_us=max(w.doubt_us, until_us)), []))
        for state in items.OPEN:
            self._each(state, lambda notice: replace(notice, unsure=True))

    def marks(self) -> Mapping[str, Position] | None:
        """How far each shard has been decided, as the port says."""
        writer = self._read()
        return items.marks_of(writer) if writer.begun else None

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
            again = _pending_again(notice, Reason.OUTCOME_UNKNOWN, now_us)
            return replace(again, unsure=True)

        return self._each(State.SENDING, recovered, token)

    def due(self, channel: str, now_us: int) -> Notice | None:
        """The first notice that is pending and due, as the port says."""
        for item in self._table.query(items.pending(channel)):
            if int(item["due"]) <= now_us and (found := self._at(int(str(item["sk"])))):
                return found.notice
        return None

    def next_due_us(self, channel: str) -> int | None:
        """When the next pending notice is due, as the port says."""
        return min((int(item["due"]) for item in self._table.query(items.pending(channel))), default=None)

    def pace(self, channel: str) -> Pace:
        """How the channel rests, as the port says."""
        found = self._table.get(table.Key(items.CHANNELS, channel)) or {}
        return Pace(int(found.get("not_before", 0)), int(found.get("failures", 0)))

    def intend(self, token: int, notice: Notice, now_us: int) -> Notice:
        """Write down that a request is about to go out, as the port says."""
        after = notice.attempted(now_us)
        self._change(token, notice, after)
        return after

    def settle(self, token: int, notice: Notice, outcome: Outcome, now_us: int, fact: Envelope | None = None) -> None:
        """Write down what became of a notice, and of its channel, as the port says."""
        after = outcome.of(notice, now_us)
        self._change(token, notice, after, outcome.pace, fact)

    def orphans(self, channels: Collection[str], limit: int) -> list[Notice]:
        """Pending notices to any other channel, as the port says."""
        others = [str(item["sk"]) for item in self._table.query(items.CHANNELS) if item["sk"] not in channels]
        numbers = sorted(int(str(item["sk"])) for channel in others for item in self._table.query(items.pending(channel)))
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
        fence = check(items.WRITER, "#token = :token", {"token": token})
        found = map(items.kept_of, self._table.query(items.NOTICES, first_page=limit))
        old = takewhile(lambda kept: kept.notice.decided_us < before_us, found)
        settled = (kept for kept in old if kept.notice.state in _SETTLED and kept.notice.changed_us < before_us)
        pruned = 0
        for kept in islice(settled, limit):
            if self._transacted([fence, *items.forgotten(kept)]):
                pruned += 1
            else:
                self._ask_for_token(self._read(), token)
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

    def _commit(self, token: int, marks: Mapping[str, Position], drafts: Sequence[Draft]) -> int:
        new: list[Draft] = []

        def decided(writer: items.Writer) -> tuple[items.Writer, list[Action]]:
            self._ask_for_token(writer, token)
            known = self._table.get_many([items.pointer(draft.notice.key) for draft in drafts])
            first_ones = {draft.notice.key: draft for draft in reversed(drafts)}
            new[:] = [draft for key, draft in reversed(first_ones.items()) if items.pointer(key) not in known]
            kept = [items.Kept(writer.notices + n, _doubted(draft.notice, writer)) for n, draft in enumerate(new, 1)]
            facts = [draft.fact for draft in new if draft.fact is not None]
            tallies: defaultdict[str, Counter[State]] = defaultdict(Counter)
            for each in kept:
                tallies[each.notice.channel][each.notice.state] += 1
            actions = [*chain.from_iterable(map(items.made, kept)), *items.told(facts, writer.facts)]
            actions += [items.tallied(channel, counts) for channel, counts in tallies.items()]
            after = replace(writer, notices=writer.notices + len(new), facts=writer.facts + len(facts))
            return replace(after, marks=items.marks_as_bytes({**items.marks_of(writer), **marks})), actions

        self._write(decided)
        return len(new)

    def _change(self, token: int, before: Notice, after: Notice, pace: Pace | None = None, fact: Envelope | None = None) -> None:
        def changed(writer: items.Writer) -> tuple[items.Writer, list[Action]]:
            self._ask_for_token(writer, token)
            kept = self._find(before.key)
            if kept is None or (kept.notice.state, kept.notice.attempt) != (before.state, before.attempt):
                message = f"notice {before.key} is no longer {before.state} at attempt {before.attempt}"
                raise LedgerTaken(message)
            facts = [fact] if fact else []
            actions = [*items.replaced(kept, after, pace), *items.told(facts, writer.facts)]
            return replace(writer, facts=writer.facts + len(facts)), actions

        self._write(changed)

    def _each(self, state: State, change: Callable[[Notice], Notice], token: int | None = None) -> int:
        """Change each notice in this open state, one after another; returns how many were."""
        if state is State.PENDING:
            partitions = [items.pending(str(item["sk"])) for item in self._table.query(items.CHANNELS)]
        else:
            partitions = [f"ledger#{state}"]
        numbers = [int(str(item["sk"])) for pk in partitions for item in self._table.query(pk)]
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
            before = self._read()
            after, actions = change(before)
            if self._written(before, after, actions):
                return after

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
        return items.Writer(**{name: item[name] for name in items.Writer.__slots__}) if item else items.Writer()

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
            found = self._table.query(items.cause(event_id), "", high, descending=True)
            return self._kept([int(str(item["sk"])) for item in found])
        return map(items.kept_of, self._table.query(items.NOTICES, "", high, descending=True, first_page=64))


def _pending_again(notice: Notice, reason: Reason, now_us: int) -> Notice:
    return replace(notice, state=State.PENDING, reason=reason, due_us=now_us, changed_us=now_us)


def _doubted(notice: Notice, writer: items.Writer) -> Notice:
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
