"""``run``: everything on this machine, with one command; and ``status``: how it fares."""

import logging
import os
import shutil
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from consumers import logs
from consumers.address import url_at
from consumers.agreement import ask_of_judging, ask_of_ledger, ask_of_projections
from consumers.cli.output import NO_CHANNEL, Json, counted, emit, emit_json, emit_table, moment, plain, remark, size
from consumers.composition import (
    now_us,
    open_catalog,
    open_ingest,
    open_judged,
    open_judging,
    open_ledger,
    open_log,
    open_people,
    open_quarantine,
    open_store,
    settings_of_data,
    writer_token,
)
from consumers.embedded import expect_folder
from consumers.home import Home, RoleState, RunState, alive
from consumers.local import Supervisor, check_port
from consumers.notifier.channels.opening import open_channels
from consumers.notifier.channels.port import Channel
from consumers.notifier.failing import Failing, failing
from consumers.notifier.notifier import begin
from consumers.people.port import People
from consumers.people.reach import expect_sign_in
from consumers.roles import NAMES, SAMPLE
from consumers.rules.engine.engine import begin as begin_judging
from consumers.sample.rules import publish_starter
from consumers.sample.story import HISTORY_DAYS, history, roll_call
from pipeline.settings import Settings
from projections.reading import ProjectionState
from schemas.identity import MICROSECONDS

_DEAF: Final = "kept, not sent: no channel has an address (FINDSTREAM_CHANNELS, FINDSTREAM_SLACK_WEBHOOK)"
_logger = logging.getLogger("findstream")


def run(
    *,
    sample: Annotated[
        bool, typer.Option("--sample", help="Make findings up: 14 days of history if the log is empty, then more.")
    ] = False,
    rate: Annotated[
        float | None, typer.Option("--rate", min=0.01, max=10_000, help="Findings a second that --sample makes up.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Run everything on this machine: API and page, projector, rules, notifier, reports, chores. Ctrl-C stops it.

    Each role is a process; one that ends is started again.
    Data lies in FINDSTREAM_HOME (./var); the page is on FINDSTREAM_PORT (8321), for this machine
    only unless FINDSTREAM_BIND says otherwise.
    With --json each change of state is a line on stdout.

    Examples:
      findstream run
      findstream run --sample --rate 5
      FINDSTREAM_PORT=9000 findstream run
    """
    settings = Settings.load()
    expect_folder(settings)
    for name, meant in Settings.unknown(os.environ).items():
        remark(f"{name} is no setting and does nothing; {f'did you mean {meant}?' if meant else 'see docs/settings.md'}")
    logs.configure("run", settings.log_level)
    channels = open_channels(settings, os.environ, clock=now_us)
    home = Home(settings.home.absolute())
    url = url_at(settings.bind, settings.port)
    with home.held():
        check_port(settings.port, settings.bind)
        with open_people(settings) as people:
            expect_sign_in(settings, people)
            signing = _signing(people)
        _prepare(settings, sample=sample)
        state = RunState(pid=os.getpid(), since_us=now_us(), url=url)
        reach = "from this machine only" if settings.bound_to_loopback else f"from other machines, on {settings.bind}"
        _greet(home, url, channels, reach=reach, signing=signing)
        if rate is not None:
            os.environ["FINDSTREAM_SAMPLE_RATE"] = str(rate)

        def note(roles: Mapping[str, RoleState]) -> None:
            told = RunState(state.pid, state.since_us, url, roles)
            home.note(told)
            if as_json:
                emit_json(asdict(told) | {"home": str(home.path)})

        Supervisor(
            roles=[role for role in NAMES if sample or role != SAMPLE],
            say=_say,
            note=note,
            clock=time.monotonic,
            now_us=now_us,
        ).run()
    remark("findstream stopped")
    return 0


def _prepare(settings: Settings, *, sample: bool) -> None:
    """With ``sample`` give a new log its history, and any log signs of life; then let notifier and rules begin behind a new one.

    Raises ``LogCutShort``.
    """
    with (
        open_log(settings) as log,
        closing(open_store(settings)) as store,
        closing(open_judging(settings)) as judging,
        closing(open_ledger(settings)) as ledger,
    ):
        ask_of_projections(log, store)
        ask_of_judging(log, judging)
        ask_of_ledger(log, ledger)
        if sample:
            with open_ingest(settings) as desk:
                if not log.heads():
                    told = desk.take_lines((item.payload for item in history(now_us())), origin="sample")
                    remark(f"made up {told.accepted:,} findings of the last {HISTORY_DAYS} days")
                desk.take_lines((item.payload for item in roll_call(now_us())), origin="sample")
            with open_catalog(settings, log) as catalog:
                publish_starter(settings, catalog)
        begin(log, ledger)
        begin_judging(log, judging, token=writer_token("run"))


def _say(role: str, text: str, level: str) -> None:
    _logger.log(logging.getLevelNamesMapping()[level.upper()], "%s", f"{role} {text}".strip())


def _signing(people: People) -> str:
    """How to sign in, or how the first admin comes to be."""
    if people.users.admins():
        return f"on the page, or {_command()} login EMAIL"
    return f"nobody can yet; make the first admin: {_command()} users bootstrap EMAIL"


def _command() -> str:
    """This program as it can be typed here: by its name if the PATH leads to it, else as it was called."""
    called = Path(sys.argv[0])
    return str(called) if called.name == "findstream" and shutil.which(called.name) is None else "findstream"


def _greet(home: Home, url: str, channels: Mapping[str, Channel | None], *, reach: str, signing: str) -> None:
    deaf = all(channel is None for channel in channels.values())
    told = _DEAF if deaf else f"go to {', '.join(channels)}"
    for name, value in (
        ("page", f"{url}/"),
        ("API", f"{url}/docs"),
        ("data", str(home.path)),
        ("notices", told),
        ("reachable", reach),
        ("sign in", signing),
        ("look", "findstream status, findstream tail"),
        ("stop", f"Ctrl-C, or kill {os.getpid()}"),
    ):
        remark(f"  {name:<10} {value}")


def status(*, as_json: Json = False) -> None:
    """Show how everything fares: roles, log, projections with their lag, quarantine, notices, channels that fail.

    On AWS, where a stream does not count its events, a lag is that of at least so many.

    Examples:
      findstream status
      findstream status --json | jq '.projections[].lag_events'
    """
    settings = settings_of_data()
    home = None if settings.on_aws else Home(settings.home.absolute())
    with (
        open_log(settings) as log,
        open_catalog(settings, log) as catalog,
        open_judged(settings, log) as judged,
        closing(open_ledger(settings)) as ledger,
    ):
        heads, tallies = log.heads(), ledger.tallies()
        down = failing(ledger, tallies)
        document: dict[str, Any] = {
            "home": str(home.path) if home else None,
            "run": _run(home.running()) if home else None,
            "log": {
                "url": settings.log_url,
                "events": log.behind({}) if home else None,
                "bytes": _bytes(home) if home else None,
                "shards": {shard.id: str(heads.get(shard.id, "")) for shard in log.shards()},
            },
            "projections": [_projection(state) for state in (*catalog.states(), *judged.states())],
            "quarantine": _quarantined(settings),
            "notices": [asdict(tally) for tally in tallies],
            "failing": [_failing(each) for each in down],
        }
    if as_json:
        emit_json(document)
        return
    _show_status(document, down)


def _bytes(home: Home) -> int:
    """What the log takes on disk, its write-ahead log included."""
    return sum(path.stat().st_size for path in home.path.glob(f"{home.log.name}*"))


def _quarantined(settings: Settings) -> dict[str, int]:
    with open_quarantine(settings) as quarantine:
        return {str(status): count for status, count in quarantine.count().items()}


def _run(running: RunState | None) -> dict[str, Any] | None:
    if running is None:
        return None
    roles = {name: asdict(role) | {"alive": alive(role.pid)} for name, role in running.roles.items()}
    return asdict(running) | {"roles": roles}


def _projection(state: ProjectionState) -> dict[str, Any]:
    lag_us = None if state.waiting_since_us is None else max(0, now_us() - state.waiting_since_us)
    checkpoints = {shard: str(position) for shard, position in state.checkpoints.items()}
    return asdict(state) | {"checkpoints": checkpoints, "lag_us": lag_us}


def _failing(each: Failing) -> Mapping[str, Any]:
    pace = each.pace
    times = {"since_us": pace.since_us or None, "again_us": pace.not_before_us, "asked": pace.asked}
    return {"channel": each.channel, "failures": pace.failures, "waiting": each.waiting, **times}


def _show_status(document: Mapping[str, Any], down: Iterable[Failing]) -> None:
    log, running = document["log"], document["run"]
    held = (f"{count:,} {state}" for state, count in document["quarantine"].items())
    notices = (f"{tally['count']:,} {tally['state']} to {tally['channel'] or NO_CHANNEL}" for tally in document["notices"])
    shards = counted(len(log["shards"]), "shard")
    if document["home"]:
        parts = [
            ("data", document["home"]),
            ("log", f"{counted(log['events'], 'event')}, {size(log['bytes'])}, {shards}"),
            ("run", f"{running['url']} since {moment(running['since_us'])}" if running else "not running"),
        ]
    else:
        parts = [("log", f"{log['url']}, {shards}")]
    for name, value in (
        *parts,
        ("quarantine", ", ".join(held)),
        ("notices", ", ".join(notices) or "none"),
        *(("failing", f"{each.told}; {counted(each.waiting, 'notice')} pending") for each in down),
    ):
        emit(plain(f"{name:<10} {value}"))
    if running:
        emit("")
        emit_table(
            ("Role", "State", "Process", "Since (UTC)", "Restarts"),
            (
                (
                    name,
                    role["state"] if role["alive"] else "NOT ALIVE",
                    role["pid"] or "-",
                    moment(role["since_us"]),
                    role["restarts"],
                )
                for name, role in running["roles"].items()
            ),
        )
    emit("")
    emit_table(
        ("Projection", "Generation", "Lag", "Behind for", "Parked", "Rebuilding"),
        (
            (p["name"], p["generation"], f"{p['lag_events']:,}", _seconds(p["lag_us"]), p["parked"], p["building"] or "-")
            for p in document["projections"]
        ),
    )


def _seconds(lag_us: int | None) -> str:
    return "-" if lag_us is None else f"{lag_us / MICROSECONDS:,.1f} s"
