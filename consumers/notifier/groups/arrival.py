"""What an item changes as it arrives: where it comes in, and what is said at once of an event that will not be told.

Order: of what lasts, the event that happened last counts, to the second; among those of one second the one that came last. So an
       event that comes late changes nothing. One that says it happened more than ``AHEAD_US`` from now counts only until the next
       comes: a source whose clock is wrong keeps no end, and no news, from anybody.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from consumers import palette
from consumers.notifier.groups.naming import Home, homes
from consumers.notifier.groups.state import WATCHED, GroupKey, Member
from consumers.notifier.groups.step import Step
from consumers.notifier.item import REOPENED, Item, Turn
from consumers.notifier.notice import Cause, Reason
from schemas import rfc3339

AHEAD_US: Final = 3_600_000_000
SUPERSEDED: Final = "a later event about it is told"
OVERTAKEN: Final = "a later event about it came first"
SEEN_TO: Final = "acknowledged: it is not repeated"

_ALERT: Final = "alert."
_SEVERITIES: Final = {tone.word: severity for severity, tone in enumerate(palette.SEVERITIES)}


def arrive(step: Step, item: Item) -> None:
    """Take ``item`` in. A repeat of the last event about something changes nothing."""
    known = step.held_by(item.fingerprint)
    if any(member.cause.event_id == item.cause.event_id for member in known.values()):
        return
    if any(item.cause.time_us < member.cause.time_us <= step.now_us + AHEAD_US for member in known.values()):
        _late(step, item, known)
    elif item.turn is Turn.ACKNOWLEDGED:
        _acknowledged(step, item, known)
    elif item.turn is Turn.RESOLVED:
        _over(step, item, known)
    else:
        _fires(step, _as_known(item, known.values()), known)


def _as_known(item: Item, known: Iterable[Member]) -> Item:
    """A reopened alert with the fields by which it was raised, which its own event does not tell."""
    before = next(iter(known), None)
    if before is None or item.fields.get("type") != REOPENED:
        return item
    fields = before.fields
    severity = _SEVERITIES.get(fields.get("severity", ""), 0)
    cause = _begun(item.cause, before)._replace(severity=severity, resource=fields.get("resource", ""))
    return replace(item, fields=fields, cause=cause)


def _begun(cause: Cause, before: Member) -> Cause:
    """A later event of an alert with where that was raised, without which there is little to tell of it."""
    if not cause.kind.startswith(_ALERT):
        return cause
    return cause._replace(began=before.cause.began or before.cause.position)


def _fires(step: Step, item: Item, known: dict[GroupKey, Member]) -> None:
    """Something fires, or happened: to where a route wants it, else to where it is already.

    If it belongs into another group of a route than before (it is grouped by severity, say), it is told there, and there only.
    """
    wanted = homes(step.policies.routing, item.fields, item.fingerprint)
    for key in known.keys() - {home.key for home in wanted}:
        if any(home.key.route == key.route for home in wanted):
            _supersede(step, key, known[key])
            step.leave(key, item.fingerprint)
    for home in wanted:
        _joins(step, item, home, known.get(home.key))
    if wanted:
        if WATCHED in known:
            step.leave(WATCHED, item.fingerprint)
        return
    present = [key for key in known if key != WATCHED]
    for key in present:
        _goes_on(step, item, key, known[key])
    if item.is_lasting and not present:
        step.watch(_member(step, item))


def _joins(step: Step, item: Item, home: Home, member: Member | None) -> None:
    if member is None:
        step.news(home, _member(step, item))
    elif member.resolved or item.cause.severity > member.cause.severity:
        _supersede(step, home.key, member)
        since_us = step.now_us if member.resolved else member.since_us
        step.news(home, replace(_member(step, item), since_us=since_us))
    else:
        _goes_on(step, item, home.key, member)


def _goes_on(step: Step, item: Item, key: GroupKey, member: Member) -> None:
    """What fires fires on. If that was told it is not told again; if it waits, its last event is what will be told."""
    latest = replace(member, cause=item.cause, fields=item.fields, resolved=False, acknowledged=False)
    if member.told and not member.resolved:
        step.join(key, latest)
        group = step.group(key)
        told = f"told at {rfc3339.text(group.last_us)}" if group and group.last_us is not None else ""
        step.hold(key, Reason.ALREADY_TOLD, [item.cause], told)
    else:
        _supersede(step, key, member)
        step.join(key, replace(latest, told=False, held=""))
    step.wake(key)


def _supersede(step: Step, key: GroupKey, member: Member) -> None:
    """Leave a trace of the event that was to be told of ``member``, unless there is one."""
    if member.resolved or not (member.told or member.held):
        step.hold(key, Reason.ALREADY_TOLD, [member.cause], SUPERSEDED)


def _over(step: Step, item: Item, known: dict[GroupKey, Member]) -> None:
    """Something is over: for the groups that have it. Nobody else is told."""
    for key, member in known.items():
        if key == WATCHED:
            continue
        if member.told:
            _supersede(step, key, member)
            step.join(key, replace(member, cause=_begun(item.cause, member), resolved=True))
            step.wake(key)
        else:
            step.hold(key, Reason.RESOLVED_UNTOLD, [member.cause, item.cause])
            step.leave(key, item.fingerprint)
    if known.keys() <= {WATCHED}:
        _for_nobody(step, item)
    if known:
        before = next(iter(known.values()))
        step.watch(Member(item.fingerprint, _begun(item.cause, before), step.now_us, before.fields, resolved=True))


def _acknowledged(step: Step, item: Item, known: dict[GroupKey, Member]) -> None:
    for key, member in known.items():
        if key != WATCHED:
            step.join(key, replace(member, acknowledged=True))
            step.hold(key, Reason.ALREADY_TOLD, [item.cause], SEEN_TO)
    if known.keys() <= {WATCHED}:
        _for_nobody(step, item)


def _late(step: Step, item: Item, known: dict[GroupKey, Member]) -> None:
    """A later event was here first. That something fired which no route would have wanted leaves no trace."""
    present = [key for key in known if key != WATCHED]
    if item.turn is Turn.FIRING and not homes(step.policies.routing, item.fields, item.fingerprint):
        return
    for key in present:
        step.hold(key, Reason.ALREADY_TOLD, [item.cause], OVERTAKEN)
    if not present:
        _for_nobody(step, item)


def _for_nobody(step: Step, item: Item) -> None:
    """Say of an event that no group is concerned by why nobody is told, where a route would have wanted it."""
    reason = Reason.RESOLVED_UNTOLD if item.turn is Turn.FIRING else Reason.NOT_FIRING
    for home in homes(step.policies.routing, item.fields, item.fingerprint):
        step.hold(home.key, reason, [item.cause])


def _member(step: Step, item: Item) -> Member:
    return Member(item.fingerprint, item.cause, step.now_us, item.fields, lasting=item.is_lasting)
