"""Commands about notices: ``notify`` looks at the ledger, tries channels, redrives."""

import os
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import asdict
from typing import Annotated, Any, Final

import typer

from consumers.cli import notify_routing, why
from consumers.cli.exits import FAILED
from consumers.cli.naming import named
from consumers.cli.output import NO_CHANNEL, Json, counted, emit, emit_json, emit_table, moment, remark
from consumers.composition import now_us, open_catalog, open_ledger, open_log, people_named, settings_of_data
from consumers.errors import Refused
from consumers.notifier.channels.opening import channel_names, open_channels
from consumers.notifier.channels.port import Channel, Delivered
from consumers.notifier.channels.slack_blocks import slack_shown
from consumers.notifier.channels.trial import attempt, in_words, message_about
from consumers.notifier.failing import retry
from consumers.notifier.ledger.port import Ledger, Tally, Wanted
from consumers.notifier.notice import Key, Notice, Reason, State
from consumers.notifier.silenced import named as named_people
from pipeline.settings import Settings
from schemas.envelope import Envelope

notify = typer.Typer(help="Who was told of what, who was not, and why.")
notify_routing.register(notify)
why.register(notify)

_NO_ADDRESS: Final = "has no address (FINDSTREAM_SLACK_WEBHOOK, or webhook in the channels file)"
_DELIVERED: Final = in_words(Delivered())


def _key(text: str) -> Key:
    """A notice's key."""
    try:
        return Key.parse(text)
    except ValueError as wrong:
        raise typer.BadParameter(str(wrong)) from None


@notify.command("preview")
def preview(
    event_id: Annotated[
        str, typer.Argument(metavar="EVENT_ID", help="An event's id, ours or the one that its source gave it, or an alert's.")
    ],
    *,
    channel: Annotated[
        str, typer.Option("--channel", help="As this channel would send it; without it as Slack would show it.")
    ] = "",
    _: Json = False,
) -> None:
    """Print the message about an event, without sending it. It is JSON anyway: for Slack's Block Kit Builder, or a mail's parts.

    Examples:
      findstream notify preview 1700000000-0d0c…
      findstream notify preview 1700000000-0d0c… --channel mail
    """
    settings = settings_of_data()
    message = message_about(_event(settings, event_id), settings.links_base, channel=channel)
    opened = _channels(settings, channel)[channel] if channel else None
    emit_json(opened.render(message) if opened else slack_shown(message, settings.links_base))


def _channels(settings: Settings, wanted: str) -> Mapping[str, Channel | None]:
    """All channels. Raises ``BadParameter`` if the one that is wanted is none."""
    channels = open_channels(settings, os.environ, clock=now_us)
    if wanted and wanted not in channels:
        message = f"{wanted!r} is no channel; there are {', '.join(channels)}"
        raise typer.BadParameter(message, param_hint="CHANNEL")
    return channels


def _told_of(settings: Settings, book: Ledger, event_id: str) -> str:
    """Our id of the event that is named, by which notices are found. Raises ``Refused`` if there is no such event."""
    if not event_id or book.notices(Wanted(event_id=event_id, limit=1)):
        return event_id
    return _event(settings, event_id).id


def _expect_channel(settings: Settings, tallies: Iterable[Tally], wanted: str) -> None:
    """Raises ``BadParameter`` if no notice is to a channel of this name, and none is configured."""
    of_notices = {tally.channel for tally in tallies} - {""}
    if wanted in of_notices:
        return
    names = of_notices | channel_names(settings)
    if wanted not in names:
        message = f"{wanted!r} is no channel; there are {', '.join(sorted(names))}"
        raise typer.BadParameter(message, param_hint="CHANNEL")


def _event(settings: Settings, event_id: str) -> Envelope:
    with open_log(settings) as log, open_catalog(settings, log) as catalog:
        return named(log, catalog, event_id).event


@notify.command("test")
def try_channels(
    channel: Annotated[str, typer.Argument(metavar="[CHANNEL]", help="Only this channel.")] = "",
    *,
    as_json: Json = False,
) -> int:
    """Send a test message to every channel that has an address, past the ledger. Exit code 1 if one does not take it.

    Examples:
      findstream notify test
      findstream notify test mail
    """
    settings = Settings.load()
    channels = _channels(settings, channel)
    told: dict[str, str] = {}
    for name in [channel] if channel else channels:
        opened = channels[name]
        told[name] = in_words(attempt(opened, name, settings.links_base, now_us())) if opened else _NO_ADDRESS
    reached = [answer for answer in told.values() if answer != _NO_ADDRESS]
    if as_json:
        emit_json({"channels": told})
    else:
        emit_table(("Channel", "Answer"), told.items())
    return 0 if reached and all(answer == _DELIVERED for answer in reached) else FAILED


@notify.command("ledger")
def ledger(
    *,
    state: Annotated[State | None, typer.Option("--state", help="Only notices in this state.")] = None,
    reason: Annotated[Reason | None, typer.Option("--reason", help="Only notices with this reason.")] = None,
    channel: Annotated[str, typer.Option("--channel", help="Only notices to this channel.")] = "",
    event_id: Annotated[str, typer.Option("--event", help="Only notices of this event, or alert.")] = "",
    after: Annotated[Key | None, typer.Option("--after", parser=_key, metavar="KEY", help="Behind this notice.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="At most so many.")] = 50,
    as_json: Json = False,
) -> None:
    """List notices, the last decided first, with what became of each.

    Examples:
      findstream notify ledger --state suppressed
      findstream notify ledger --event 1700000000-0d0c…
    """
    settings = settings_of_data()
    with closing(open_ledger(settings)) as book:
        tallies = book.tallies()
        if channel and not settings.on_aws:  # there only the notifier's function is told which channels there are
            _expect_channel(settings, tallies, channel)
        event_id = _told_of(settings, book, event_id)
        found = named_people(book.notices(Wanted(state, reason, channel, event_id, after, limit)), people_named(settings))
    if as_json:
        emit_json({"notices": [_notice(notice) for notice in found], "tallies": [asdict(tally) for tally in tallies]})
        return
    _show(found)
    counts = "; ".join(f"{tally.channel or NO_CHANNEL}: {tally.count} {tally.state}" for tally in tallies)
    if not tallies:
        remark("no notice was ever decided")
    elif not found:
        remark(f"none of all notices matches ({counts})")
    else:
        is_part = any((state, reason, channel, event_id, after))
        remark(f"{counted(len(found), 'notice')} listed; in the whole ledger {counts}" if is_part else counts)


@notify.command("dead")
def dead(
    *,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="At most so many.")] = 50,
    as_json: Json = False,
) -> None:
    """List dead letters: notices that were given up, with the reason. ``notify redrive`` sends them on their way again.

    Examples:
      findstream notify dead
    """
    ledger(state=State.FAILED, limit=limit, as_json=as_json)


@notify.command("redrive")
def redrive(
    keys: Annotated[
        list[Key] | None,
        typer.Argument(parser=_key, metavar="KEY", help="Keys as `notify dead` shows them, each between single quotes."),
    ] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Every dead letter.")] = False,
    as_json: Json = False,
) -> None:
    """Make dead letters pending again; the notifier sends them.

    Examples:
      findstream notify redrive --all
      findstream notify redrive 'threats/account="111122223333"/1700000000123'
    """
    if bool(keys) == everything:
        message = "name keys, or say --all"
        raise typer.BadParameter(message, param_hint="KEY")
    settings = settings_of_data()
    with closing(open_ledger(settings)) as book:
        now = now_us()
        redriven = book.redrive(None, now) if everything else sum(book.redrive(key, now) for key in keys or ())
    if redriven:
        _wake(settings)
    if keys and redriven < len(keys):
        message = f"{redriven} of {len(keys)} were dead letters and are pending again; see findstream notify ledger"
        raise Refused(message)
    if as_json:
        emit_json({"redriven": redriven})
    else:
        emit(f"{counted(redriven, 'dead letter')}: pending again")


@notify.command("retry")
def try_again(
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="The channel that failed, and works again.")],
    *,
    as_json: Json = False,
) -> None:
    """Have a channel that failed tried now: its rest ends, for all that waits for it.

    How long a channel asked to be left alone itself (Retry-After) holds: then it ends with 3, and says until when.

    Examples:
      findstream notify retry oncall
    """
    settings = settings_of_data()
    with closing(open_ledger(settings)) as book:
        _expect_channel(settings, book.tallies(), channel)
        done = retry(book, channel, now_us())
    _wake(settings)
    if done.until_us is not None:
        message = f"{channel} asked to be left alone until {moment(done.until_us)}, and is tried then"
        raise Refused(message)
    if as_json:
        emit_json(asdict(done))
    else:
        emit(f"{channel} is tried now; {counted(done.waiting, 'notice')} {'waits' if done.waiting == 1 else 'wait'} for it")


def _wake(settings: Settings) -> None:
    """See that the notifier looks; on one machine it does so twice a second anyway."""
    if settings.notifier_timer_url:
        from consumers import aws  # noqa: PLC0415 -- only on AWS, where boto3 is

        aws.timer_of(settings).wake()
    elif settings.on_aws:
        remark("the notifier was not woken: set FINDSTREAM_NOTIFIER_TIMER_URL; it looks when something else wakes it")


def _show(found: list[Notice]) -> None:
    emit_table(
        ("Decided (UTC)", "State", "Why", "Outcome", "Channel", "Attempts", "Detail", "Key"),
        (
            (moment(n.decided_us), n.state, n.why, _outcome(n), n.channel, n.attempt, n.detail, n.key)
            for n in found
        ),
    )  # fmt: skip


def _outcome(notice: Notice) -> str:
    return f"{notice.reason}, may be a repeat" if notice.unsure and notice.reason is not Reason.OUTCOME_UNKNOWN else notice.reason


def _notice(notice: Notice) -> Mapping[str, Any]:
    causes = [{"event_id": cause.event_id, "position": str(cause.position)} for cause in notice.causes]
    return asdict(notice) | {"key": str(notice.key), "causes": causes}
