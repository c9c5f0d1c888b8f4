"""What people decided about notifying, kept up as the notifier reads the log: the routing, and the silences.

Start:  what the projection knew when the notifier began; what is read again after that changes nothing.
Ends:   a silence is remembered for ``KEPT_US`` behind its end. Somebody may have moved that in time, where the log was not read
        yet, and a clock that was ahead may come back.
Unread: a text that this build cannot read (a newer one wrote it) leaves what held before, and that is said loudly.
"""

import logging
from dataclasses import replace
from typing import Final

from consumers.notifier.errors import MatcherRefused, RoutingRefused
from consumers.notifier.routing import matchers, text
from consumers.notifier.routing.tree import Policies, Silence
from schemas.envelope import Envelope
from schemas.errors import EventRejected
from schemas.registry import REGISTRY

PUBLISHED: Final = "routing.published"
_CREATED: Final = "silence.created"
_CHANGED: Final = "silence.changed"
_EXPIRED: Final = "silence.expired"
TYPES: Final = frozenset({PUBLISHED, _CREATED, _CHANGED, _EXPIRED})

KEPT_US: Final = 86_400_000_000

_logger = logging.getLogger(__name__)


class Policing:
    """``policies`` are those that hold after all that was heard. ``hear`` what is of one of ``TYPES``, in the log's order."""

    def __init__(self, policies: Policies) -> None:
        self.policies = policies
        self._revisions: dict[str, int] = {}

    def copy(self) -> "Policing":
        """One that goes on from here by itself."""
        other = Policing(self.policies)
        other._revisions = dict(self._revisions)
        return other

    def hear(self, event: Envelope) -> None:
        """Go on from ``event``. What is older than what was heard of the same, or is of a later version, changes nothing."""
        if event.version != 1:
            _logger.error("%s of version %d cannot be read here; what held before goes on", event.type, event.version)
        elif not _is_sound(event):
            _logger.error("event %s is no %s, whatever it is; what held before goes on", event.id, event.type)
        elif event.type == PUBLISHED:
            self._publish(event)
        elif self._revisions.get(event.data["silence_id"], 0) < event.data["revision"]:
            self._revisions[event.data["silence_id"]] = event.data["revision"]
            self._silence(event)

    def forget(self, now_us: int) -> None:
        """Let go of silences that ended ``KEPT_US`` ago."""
        left = tuple(silence for silence in self.policies.silences if now_us < silence.ends_us + KEPT_US)
        if len(left) < len(self.policies.silences):
            self.policies = replace(self.policies, silences=left)
            self._revisions = {silence.id: self._revisions[silence.id] for silence in left if silence.id in self._revisions}

    def _publish(self, event: Envelope) -> None:
        number = event.data["version"]
        if number <= self.policies.routing.number:
            return
        try:
            routing = text.read(event.data["text"], number=number)
        except RoutingRefused as refused:
            _logger.error("version %d of the routing cannot be read here, the former one holds: %s", number, refused)  # noqa: TRY400 -- the flaws say all
        else:
            self.policies = replace(self.policies, routing=routing)

    def _silence(self, event: Envelope) -> None:
        told = event.data
        others = {silence.id: silence for silence in self.policies.silences}
        before = others.pop(told["silence_id"], None)
        after = before
        if event.type == _CREATED:
            after = before or _created(event)
        elif event.type == _CHANGED and before:
            after = replace(before, ends_us=told["ends_us"], comment=told["comment"])
        elif before:
            after = replace(before, ends_us=min(before.ends_us, event.time_us))
        self.policies = replace(self.policies, silences=(*others.values(), *((after,) if after else ())))


def _is_sound(event: Envelope) -> bool:
    """Whether its body is of the form of its type. Nobody can command one that is not, but it must not stop who tells people."""
    try:
        REGISTRY.parse(event)
    except EventRejected:
        return False
    return True


def _created(event: Envelope) -> Silence | None:
    told = event.data
    try:
        matching = matchers.read_all(told["matchers"])
    except MatcherRefused as refused:
        _logger.error("silence %s cannot be read here, it silences nothing: %s", told["silence_id"], refused)  # noqa: TRY400 -- the flaw says all
        return None
    return Silence(told["silence_id"], matching, told["starts_us"], told["ends_us"], told["comment"], told["by"])
