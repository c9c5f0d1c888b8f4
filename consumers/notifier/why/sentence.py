"""The one sentence that says why somebody was, or was not, told of an event, and how it stands in a word. Pure."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from consumers.notifier.groups.state import WATCHED, Group, Member
from consumers.notifier.item import RAISED, Item, Turn
from consumers.notifier.moment import moment
from consumers.notifier.notice import Key, Notice, Reason, State
from consumers.notifier.retry import Pace
from consumers.notifier.routing.tree import Matcher
from consumers.notifier.routing.walk import Step, walk
from consumers.notifier.why.known import ByWay, Known, Progress


class Verdict(StrEnum):
    """How it stands with telling of an event."""

    TOLD = "told"
    """A channel has it, in a message of its own or in a digest."""
    SENDING = "sending"
    """A message about it is on its way, or waits for its turn."""
    WAITING = "waiting"
    """It waits in its group to be decided about."""
    HELD = "held"
    """It was decided that nobody is told of it, or not now."""
    FAILED = "failed"
    """It was to be told, and no channel took it."""
    UNWANTED = "unwanted"
    """No route wants it."""
    NEVER = "never"
    """Nobody is ever told of such events."""
    UNREAD = "unread"
    """The notifier has not come to it yet."""
    BEFORE = "before"
    """It stood on the log already when the notifier began, and such things are never told."""
    UNKNOWN = "unknown"
    """It left no trace: it was so long ago that it was forgotten, or the routing was another then."""


class Said(NamedTuple):
    """A verdict and its sentence."""

    verdict: Verdict
    sentence: str


_UNDECIDED: Final = {
    Progress.NO_NOTIFIER: Said(Verdict.UNREAD, "No notifier has begun here, so nobody is told of anything"),
    Progress.NOT_YET: Said(Verdict.UNREAD, "The notifier has not come to it yet"),
    Progress.BEFORE: Said(
        Verdict.BEFORE, "Not told: it stood on the log already when the notifier began, which tells of nothing before that"
    ),
}
_WORDS: Final[Mapping[Reason, str]] = {
    Reason.DELIVERED: "the channel took it",
    Reason.IN_DIGEST: "a digest tells of it",
    Reason.ROUTE_MATCHED: "its route wants it",
    Reason.NEWLY_FIRING: "it was news for its group",
    Reason.NEWLY_RESOLVED: "something of its group was over while the rest fires on",
    Reason.ALL_RESOLVED: "nothing of its group fires any more",
    Reason.REPEATED: "it had fired on, unchanged, for as long as its route waits before it repeats",
    Reason.STORM: "more waited than the channel could take in time",
    Reason.INHIBITED: "something that fires makes it not worth telling",
    Reason.OUT_OF_HOURS: "its route does not speak at that time",
    Reason.SILENCED: "somebody silenced it",
    Reason.ALREADY_TOLD: "what it is about was told, or is told by a later event",
    Reason.RESOLVED_UNTOLD: "it was over before anybody was told that it fires",
    Reason.NOT_FIRING: "it ends what fires for nobody",
    Reason.RESOLVED_UNWANTED: "it is over, and its route tells no ends",
    Reason.ROUTE_REMOVED: "the routing was changed while it waited, and no route wants it any more",
    Reason.NO_CHANNEL: "there is no such channel, or it has no address",
    Reason.RATE_LIMITED: "the channel asked to wait",
    Reason.UNAVAILABLE: "the channel could not be reached, or failed",
    Reason.OUTCOME_UNKNOWN: "whether the last attempt arrived is unknown",
    Reason.REDRIVEN: "somebody sent the dead letter on its way again",
    Reason.REFUSED: "the channel will not take this message",
    Reason.GAVE_UP: "it was tried for as long as the retry policy allows",
    Reason.CHANNEL_REMOVED: "the channel was removed, or lost its address, before it went out",
    Reason.EVENT_MISSING: "the log no longer holds the event",
    Reason.UNRENDERABLE: "no message could be made of it",
}
_TELLING: Final = (State.SENT, State.MERGED, State.SENDING, State.PENDING, State.FAILED, State.SUPPRESSED)
"""Of several notices the first of these says most."""
_RANKS: Final = (Verdict.TOLD, Verdict.SENDING, Verdict.WAITING, Verdict.HELD, Verdict.FAILED)
"""Of two verdicts the first of these says most; all others say less."""
_ROUTES_NAMED: Final = 5
_TOLD: Final = "Told: "
NO_PACES: Final[Mapping[str, Pace]] = {}


def path_of(names: Iterable[str]) -> str:
    """The names of the routes from the root on, as people read them."""
    return " → ".join(names)


def said(known: Known) -> Said:
    """The verdict about an event: by itself, or by way of an alert that it led to, whichever told more."""
    verdict, sentence = _by_itself(known)
    by_way = min((_by_way_of(each, known) for each in known.by_way), key=_rank, default=None)
    if by_way is None or _rank(by_way) >= _rank(Said(verdict, sentence)):
        return Said(verdict, sentence)
    itself = f" By itself: {_lowered(sentence)}" if known.notices else ""
    return Said(by_way.verdict, f"{by_way.sentence}.{itself}")


def _by_itself(known: Known) -> Said:
    if not known.notices:
        verdict, sentence = _without_notice(known)
        return Said(verdict, f"{sentence}.")
    ranked = sorted(known.notices, key=lambda notice: _TELLING.index(notice.state))
    firsts = list({notice.key.route: notice for notice in reversed(ranked)}.values())
    firsts.sort(key=lambda notice: _TELLING.index(notice.state))
    told = [_of_route(notice, known) for notice in firsts[:_ROUTES_NAMED]]
    routes = {notice.key.route for notice in firsts}
    told += [Said(Verdict.WAITING, f"{_waits(group)}.") for group in _waiting(known) if group.key.route not in routes]
    verdict, _ = min(told, key=_rank)
    others = len(known.notices) - len(firsts[:_ROUTES_NAMED])
    more = f" There {'is 1 more notice' if others == 1 else f'are {others} more notices'} of it." if others else ""
    return Said(verdict, f"{' '.join(each.sentence for each in told)}{more}")


def _of_route(notice: Notice, known: Known) -> Said:
    """What a notice says, and what may still become of what it holds."""
    verdict, sentence = of_notice(notice, known.digests, known.paces)
    held = [found for found in known.held if found[0].key.route == notice.key.route]
    return Said(verdict, f"{sentence}{_for_now(held) if verdict is Verdict.HELD else ''}.")


def _rank(told: Said) -> int:
    return _RANKS.index(told.verdict) if told.verdict in _RANKS else len(_RANKS)


def _by_way_of(way: ByWay, known: Known) -> Said:
    alert = f"alert {way.alert.id} ({way.alert.title})"
    if way.notices:
        verdict, sentence = of_notice(
            min(way.notices, key=lambda notice: _TELLING.index(notice.state)), known.digests, known.paces
        )
        sentence += _for_now(way.held) if verdict is Verdict.HELD else ""
    elif waiting := next((found for found in way.held if found[0].key != WATCHED and not found[1].told), None):
        verdict, sentence = Verdict.WAITING, _waits(waiting[0])
    else:
        return Said(Verdict.UNKNOWN, f"Of {alert}, which came of it, no decision is known")
    if sentence.startswith(_TOLD):
        return Said(verdict, f"Told by way of {alert}: {sentence.removeprefix(_TOLD)}")
    return Said(verdict, f"By way of {alert}: {_lowered(sentence)}")


def _lowered(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]


def of_notice(notice: Notice, digests: Mapping[Key, Notice], paces: Mapping[str, Pace] = NO_PACES) -> Said:
    """What a notice says, without the full stop. ``digests`` are known ones, by key; ``paces`` how channels rest, by name."""
    channel = notice.channel
    stands = f"{_WORDS[notice.reason]}{f' ({notice.detail})' if notice.detail else ''}"
    where = f"route {path_of(notice.path) or notice.key.route}"
    match notice.state:
        case State.SENT:
            perhaps = ", perhaps twice, as the outcome of an earlier attempt is unknown" if notice.unsure else ""
            return Said(
                Verdict.TOLD,
                f"{_TOLD}{channel} got it at {moment(notice.changed_us)}{perhaps}, because {_WORDS[notice.why]}; {where}",
            )
        case State.MERGED:
            return _in_digest(notice, digests, paces)
        case State.SENDING:
            return Said(Verdict.SENDING, f"A message to {channel} is on its way, attempt {notice.attempt}; {where}")
        case State.PENDING:
            return Said(Verdict.SENDING, f"{_pending(notice, stands, paces.get(channel, Pace()))}; {where}")
        case State.FAILED:
            return Said(Verdict.FAILED, f"Not told: {stands}; it is a dead letter of {channel}, which can be redriven; {where}")
        case State.SUPPRESSED:
            return Said(Verdict.HELD, f"Not told to {channel or 'anybody'} at {moment(notice.decided_us)}: {stands}; {where}")


def _pending(notice: Notice, stands: str, pace: Pace) -> str:
    channel = notice.channel
    if pace.failures:
        last = f"; its own last attempt: {stands}" if notice.attempt else ""
        return f"Waits for {channel}: {fails(channel, pace)}{last}"
    waits = stands if notice.attempt or notice.reason is Reason.REDRIVEN else "it waits for its turn"
    return f"To be told to {channel} from {moment(notice.due_us)} on: {waits}"


def fails(channel: str, pace: Pace) -> str:
    """That a channel fails, since when, and when it is tried again."""
    often = "once" if pace.failures == 1 else f"{pace.failures:,} times in a row"
    since = f" since {moment(pace.since_us)}" if pace.since_us else ""
    until = moment(pace.not_before_us)
    again = f"asked to be left alone until {until}" if pace.asked else f"is tried again at {until}"
    return f"{channel} failed {often}{since}, and {again}"


def _in_digest(notice: Notice, digests: Mapping[Key, Notice], paces: Mapping[str, Pace]) -> Said:
    last = next(reversed(digests_of(notice, digests)), None)
    if last is None:
        return Said(Verdict.TOLD, f"In a digest of {notice.channel}, of which nothing is known any more")
    verdict, sentence = of_notice(last, digests, paces)
    return Said(verdict, f"In a digest of {notice.channel}: {_lowered(sentence)}")


def digests_of(notice: Notice, digests: Mapping[Key, Notice]) -> list[Notice]:
    """The digest that took a notice over, then the one that took over that one, …, as far as they are known."""
    found: list[Notice] = []
    while (digest := digests.get(notice.merged_into) if notice.merged_into else None) is not None:
        found.append(digest)
        notice = digest
    return found


def _for_now(known: Iterable[tuple[Group, Member]]) -> str:
    """What may still become of something that is held."""
    held = any(not member.told and not member.resolved for group, member in known if group.key != WATCHED)
    return "; it fires on, and is told once nothing holds it any more" if held else ""


def _without_notice(known: Known) -> Said:
    if known.item is None:
        return _never(known.record.event.type)
    if known.progress in _UNDECIDED:
        return _UNDECIDED[known.progress]
    if waiting := _waiting(known):
        return Said(Verdict.WAITING, "; ".join([_waits(waiting[0]), *(_lowered(_waits(group)) for group in waiting[1:])]))
    return _traceless(known.item, walk(known.policies.routing, known.item.fields))


def _waits(group: Group) -> str:
    where = f"group {group.key.values} of route {group.key.route}"
    return f"Waits in {where}, which is looked at next at {moment(group.next_us)}"


def _waiting(known: Known) -> list[Group]:
    """The groups in which the event itself waits to be told."""
    return [
        group
        for group, member in known.held
        if group.key != WATCHED and member.cause.event_id == known.record.event.id and not member.told
    ][:_ROUTES_NAMED]


def _never(kind: str) -> Said:
    if kind == RAISED:
        return Said(Verdict.NEVER, "A run over history raised this alert, and such runs tell nobody")
    return Said(Verdict.NEVER, f"Nobody is told of events of the type {kind}")


def _traceless(item: Item, asked: list[Step]) -> Said:
    if any(each.decides and each.route.channel for each in asked):
        forgotten = "its notice was forgotten with time, or the routing was another when it came"
        return Said(Verdict.UNKNOWN, f"A route wants it now, but no decision about it is known: {forgotten}")
    over = "it ends what fires for nobody, and no route wants it by itself" if item.turn is Turn.RESOLVED else "no route wants it"
    return Said(Verdict.UNWANTED, f"Not told: {over}: {_nearest(asked, item.fields)}")


def _nearest(asked: list[Step], fields: Mapping[str, str]) -> str:
    """What the route that it came nearest to asks for; of those that tell somebody."""
    speaking = [each for each in asked if each.failed and _speaks(each)]
    if not speaking:
        return "where it goes nobody is told of anything"
    nearest = min(speaking, key=lambda each: len(each.failed))
    failed = " and ".join(_failed(matcher, fields) for matcher in nearest.failed)
    others = "; the other routes, too, ask for something else" if len(speaking) > 1 else ""
    return f"the route {path_of(nearest.route.path) or nearest.route.name} asks for {failed}{others}"


def _speaks(each: Step) -> bool:
    """Whether somebody is told by this route, or by one below it."""
    waiting = [each.route]
    while waiting:
        route = waiting.pop()
        if route.channel:
            return True
        waiting += route.children
    return False


def _failed(matcher: Matcher, fields: Mapping[str, str]) -> str:
    found = fields.get(matcher.field, "")
    return f"{matcher.text} (it is {found})" if found else f"{matcher.text} (it has none)"
