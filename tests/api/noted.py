"""Notices for tests of routes, in a list; and a channel that does as it is told."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from consumers.notifier.channels.port import Answer, Delivered, Message, Payload, Rate
from consumers.notifier.groups.state import Group, GroupKey, Member
from consumers.notifier.ledger.port import Crowd, Tally, Wanted
from consumers.notifier.notice import DIGEST, Cause, Key, Notice, Reason, State
from consumers.notifier.retry import Pace
from pipeline.log.port import Position
from tests.support.facts import MORNING_US


class MemoryLedger:
    """What may be asked of a ledger without being its writer. ``kept`` are notices, the last decided first."""

    def __init__(self) -> None:
        self.read_to: Mapping[str, Position] | None = {}
        self.kept: list[Notice] = []
        self.firing: list[Member] = []
        self.paces: dict[str, Pace] = {}

    def marks(self) -> Mapping[str, Position] | None:
        return self.read_to

    def live_mark(self) -> Mapping[str, Position] | None:
        return {}

    def notices(self, wanted: Wanted) -> list[Notice]:
        found = [
            notice
            for notice in self.kept
            if wanted.state in (None, notice.state)
            if wanted.reason in (None, notice.reason)
            if wanted.channel in ("", notice.channel)
            if not wanted.event_id or (notice.key.route != DIGEST and wanted.event_id in {c.event_id for c in notice.causes})
        ]
        keys = [notice.key for notice in found]
        begin = keys.index(wanted.after) + 1 if wanted.after in keys else 0
        return found[begin : begin + wanted.limit]

    def get(self, key: Key) -> Notice | None:
        return next((notice for notice in self.kept if notice.key == key), None)

    def groups(self) -> Iterable[tuple[Group, Sequence[Member]]]:
        return [(Group(GroupKey("findings", "all"), MORNING_US, MORNING_US), self.firing)]

    def redrive(self, key: Key | None, now_us: int) -> int:
        def dead(notice: Notice) -> bool:
            return notice.state is State.FAILED and key in (None, notice.key)

        done = sum(map(dead, self.kept))
        again: dict[str, Any] = {"state": State.PENDING, "reason": Reason.REDRIVEN, "due_us": now_us}
        self.kept = [replace(notice, **again) if dead(notice) else notice for notice in self.kept]
        return done

    def retry(self, channel: str, now_us: int) -> int:
        self.paces[channel] = self.pace(channel).retried(now_us)
        return sum(notice.channel == channel and notice.state is State.PENDING for notice in self.kept)

    def pace(self, channel: str) -> Pace:
        return self.paces.get(channel, Pace())

    def crowd(self, channel: str, *, critical: bool) -> Crowd:
        waiting = [n.decided_us for n in self.kept if n.channel == channel and n.state is State.PENDING and not n.unsure]
        return Crowd(len(waiting), min(waiting), max(waiting)) if waiting and not critical else Crowd()

    def tallies(self) -> list[Tally]:
        counted = Counter((notice.channel, notice.state) for notice in self.kept)
        return [Tally(channel, state, count) for (channel, state), count in sorted(counted.items())]


class Told:
    """A channel that keeps what it is sent, and answers ``answer``."""

    kind = "slack"
    pace = Rate()

    def __init__(self, answer: Answer | None = None) -> None:
        self.answer = answer or Delivered()
        self.sent: list[Payload] = []

    def render(self, message: Message) -> Payload:
        return {"about": [event.summary for event, _ in message.told]}

    def send(self, payload: Payload) -> Answer:
        self.sent.append(payload)
        return self.answer


def noted(number: int, *event_ids: str, state: State = State.SENT, reason: Reason = Reason.DELIVERED, **more: Any) -> Notice:
    """A notice of some events to ``ops``, decided so many seconds into the morning."""
    at_us = MORNING_US + number * 1_000_000
    causes = tuple(Cause(event_id, Position("shard-0", number), 3, "health", "arn:aws:x") for event_id in event_ids)
    known: dict[str, Any] = {"key": Key("findings", "all", number), "channel": "ops", "severity": 3, "path": ("root", "findings")}
    times = {"decided_us": at_us, "due_us": at_us, "changed_us": at_us}
    return Notice(**{"why": Reason.NEWLY_FIRING, "causes": causes, "state": state, "reason": reason} | known | times | more)
