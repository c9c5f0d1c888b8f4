"""The facts that the notifier tells the log: ``notice.sent``, ``notice.suppressed``, ``notice.failed``.

Identity:  the id derives from notice, fate and attempt; it is made once, with the outcome, and relayed until the log has it.
Causation: the event that the notice tells of. Severity is 0: a notice is none of its own.
"""

from typing import Final

import orjson

from consumers.notifier.notice import Notice, Reason, State
from schemas.envelope import Envelope
from schemas.identity import derived_id

SOURCE: Final = "findstream.notifier"

_TYPES: Final = {
    State.SENT: "notice.sent",
    State.FAILED: "notice.failed",
    State.SUPPRESSED: "notice.suppressed",
    State.MERGED: "notice.suppressed",
}
_SAID: Final = {
    State.SENT: "sent",
    State.FAILED: "not sent",
    State.SUPPRESSED: "kept, not sent",
    State.MERGED: "kept, not sent",
}
_MOST_IDS: Final = 1000
_WHY: Final = {
    Reason.DELIVERED: "",
    Reason.NO_CHANNEL: "there is no such channel, or it has no address",
    Reason.IN_DIGEST: "a digest tells of it",
    Reason.INHIBITED: "something that fires inhibits it",
    Reason.OUT_OF_HOURS: "the route does not speak at this time",
    Reason.SILENCED: "it is silenced",
    Reason.ALREADY_TOLD: "it fires on, which was told",
    Reason.RESOLVED_UNTOLD: "it was over before it was told",
    Reason.RESOLVED_UNWANTED: "it is over, and the route tells no ends",
    Reason.ROUTE_REMOVED: "no route wants it any more",
    Reason.NOT_FIRING: "it ends what fires for nobody",
    Reason.REFUSED: "it refused the message",
    Reason.GAVE_UP: "it could not be reached for too long",
    Reason.CHANNEL_REMOVED: "it is no longer configured",
    Reason.EVENT_MISSING: "the log no longer holds the event",
    Reason.UNRENDERABLE: "the event cannot be made a message",
}
"""Of the reasons that can be the last one, in words about the channel."""


def settled(notice: Notice, state: State, reason: Reason, event: Envelope | None, *, time_us: int, detail: str = "") -> Envelope:
    """The fact that ``notice`` has come to ``state``, which is one of the last ones.

    ``event`` is the first that the notice tells of; None if the log no longer holds it. ``detail`` is the outcome's.
    """
    kind, key = _TYPES[state], notice.key
    cause = next((cause.event_id for cause in (*notice.causes, *notice.still)), "")
    body = {
        "route": key.route,
        "group": key.group,
        "flush": key.flush,
        "channel": notice.channel,
        "event_ids": _ids(notice),
        "reason": reason,
        "attempts": notice.attempt,
        "resent": notice.unsure,
        "detail": detail,
    }
    return Envelope(
        id=derived_id(time_us, kind, cause, *map(str, key), str(notice.attempt)),
        type=kind,
        version=1,
        time_us=time_us,
        source=SOURCE,
        account=event.account if event else "",
        region=event.region if event else "",
        subject=f"notice/{key.route}/{key.group}",
        severity=0,
        summary=_in_words(notice.channel, state, reason),
        resources=(),
        source_id="",
        correlation_id=(event.correlation_id or event.id) if event else cause,
        causation_id=cause,
        body=orjson.dumps(body),
    )


def merged(notice: Notice, *, time_us: int) -> Envelope:
    """The fact that a digest tells of ``notice``; its detail is the digest's key."""
    return settled(notice, State.MERGED, Reason.IN_DIGEST, None, time_us=time_us, detail=notice.detail)


def _ids(notice: Notice) -> list[str]:
    """Oldest first; of too many the newest."""
    return [cause.event_id for cause in sorted(notice.causes or notice.still, key=lambda cause: cause.time_us)][-_MOST_IDS:]


def _in_words(channel: str, state: State, reason: Reason) -> str:
    why = _WHY.get(reason, reason.replace("_", " "))
    told = f"Notice {_SAID[state]} to channel {channel}"
    return f"{told}: {why}" if why else told
