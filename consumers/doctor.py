"""An examination of a data folder: whether everything is whole and agrees, whether there is room, whether the clock is right.

Nothing is changed: what does not exist yet is not made. Each finding says what to do.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from eventsourcing.persistence import PersistenceError

from consumers.agreement import beyond
from consumers.composition import open_catalog, open_judged
from consumers.embedded import expect_folder, open_log
from consumers.errors import PortTaken
from consumers.home import Home, alive
from consumers.keeping import quick_check
from consumers.local import check_port
from consumers.notifier.channels.opening import open_channels
from consumers.notifier.errors import NotifierError
from consumers.notifier.failing import failing
from consumers.notifier.ledger.sqlite import SqliteLedger
from consumers.notifier.notice import State
from consumers.people.errors import SigningKeysUnusable
from consumers.people.keyring import parsed
from pipeline.desks.recorder.sqlite import open_sqlite
from pipeline.desks.relay import MARK
from pipeline.errors import PipelineError, SettingRejected
from pipeline.log.sqlite import SqliteLog
from pipeline.settings import Settings
from projections.errors import ProjectionError, StoreUnavailable
from projections.projector import ALL, named
from projections.stores.port import Status
from projections.stores.sqlite import SqliteStore
from schemas.identity import MICROSECONDS

_MIB: Final = 1 << 20
_LITTLE_SPACE: Final = 1024 * _MIB
_NO_SPACE: Final = 100 * _MIB
_CLOCK_TOLERANCE_US: Final = 5 * MICROSECONDS
_EARLIEST_US: Final = 1_700_000_000 * MICROSECONDS
_LAGS: Final = 1000
_RESTARTS: Final = 3
_SHOWN: Final = 10
_FOLD_ANEW: Final = "stop, and move the folder projections away: the next run folds it anew from the log"
_JUDGE_ANEW: Final = "stop, and move the folder rules away: the next run counts anew from the log what rules in force judge"


class Verdict(StrEnum):
    """How a check came out."""

    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was found, and what to do about it ("": nothing)."""

    check: str
    verdict: Verdict
    told: str
    do: str = ""


def examine(now_us: int, environ: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """All checks, cheap ones first. Settings come from the environment: they are among what is examined.

    Raises ``SettingRejected`` if they name parts on AWS, whose alarms tell how they fare.
    """
    yield from _spelling(environ)
    try:
        settings = Settings.load()
    except SettingRejected as rejected:
        yield Finding("settings", Verdict.FAIL, str(rejected), "correct the variable")
        return
    expect_folder(settings)
    yield Finding("settings", Verdict.OK, "every variable has an accepted value")
    yield _channels(settings, environ)
    home = Home(settings.home.absolute())
    yield _folder(home.path)
    yield _space(home.path)
    yield from _roles(home, settings)
    yield from _files(home)
    yield from _secret_files(home)
    if home.desks.exists():
        yield from _guarded("desks", lambda: _desks(home))
    if home.log.exists():
        yield from _guarded("log", lambda: _log(settings, home, now_us))


def _spelling(environ: Mapping[str, str]) -> Iterator[Finding]:
    for name, meant in Settings.unknown(environ).items():
        told = f"{name} is no setting"
        yield Finding("settings", Verdict.WARN, told, f"name it {meant}" if meant else "see docs/settings.md for its name")


def _channels(settings: Settings, environ: Mapping[str, str]) -> Finding:
    try:
        channels = open_channels(settings, environ, clock=lambda: 0)
    except NotifierError as rejected:
        return Finding("channels", Verdict.FAIL, str(rejected), "correct the channels file or the variable")
    deaf = [name for name, channel in channels.items() if channel is None]
    if deaf:
        told = f"channels without an address: {', '.join(deaf)}; notices to them are kept, not sent"
        return Finding("channels", Verdict.WARN, told, "set FINDSTREAM_SLACK_WEBHOOK, or name a webhook in the channels file")
    return Finding("channels", Verdict.OK, f"{len(channels)} channels")


def _folder(path: Path) -> Finding:
    if not path.exists():
        return Finding("data folder", Verdict.OK, f"{path} does not exist yet; the first run makes it")
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        return Finding("data folder", Verdict.FAIL, f"{path} cannot be read and written by this user", "give it to this user")
    if path.stat().st_mode & 0o077:
        return Finding("data folder", Verdict.WARN, f"{path} is open to other users", f"chmod 700 {path}")
    return Finding("data folder", Verdict.OK, str(path))


def _space(path: Path) -> Finding:
    there = next(parent for parent in (path, *path.parents) if parent.exists())
    free = shutil.disk_usage(there).free
    told = f"{free // _MIB:,} MiB are free"
    if free < _NO_SPACE:
        return Finding("disk", Verdict.FAIL, told, "free or add space: appends stop when it is used up")
    if free < _LITTLE_SPACE:
        return Finding("disk", Verdict.WARN, told, "free or add space soon")
    return Finding("disk", Verdict.OK, told)


def _roles(home: Home, settings: Settings) -> Iterator[Finding]:
    run = home.running()
    if run is None:
        try:
            check_port(settings.port, settings.bind)
        except PortTaken as taken:
            yield Finding("port", Verdict.WARN, str(taken), "stop what listens there, or choose another port")
        yield Finding("roles", Verdict.OK, "findstream does not run on this folder")
        return
    for name, role in run.roles.items():
        if not alive(role.pid):
            yield Finding(f"role {name}", Verdict.FAIL, f"{role.state}, restarted {role.restarts} times", "see what it logs")
        elif role.restarts > _RESTARTS:
            yield Finding(f"role {name}", Verdict.WARN, f"restarted {role.restarts} times", "see what it logs")
        else:
            yield Finding(f"role {name}", Verdict.OK, f"process {role.pid}")


def _files(home: Home) -> Iterator[Finding]:
    """SQLite's own check of every file, the generations of projections included."""
    generations = _generations(home)
    judged = sorted(home.rules.glob("*.db"))
    for path in (home.log, home.quarantine, home.ledger, home.desks, home.people, *generations, *judged):
        if not path.exists():
            continue
        name = str(path.relative_to(home.path))
        fault = quick_check(path)
        if not fault:
            yield Finding(name, Verdict.OK, "the file is whole")
        elif path in judged:
            yield Finding(name, Verdict.FAIL, fault, _JUDGE_ANEW)
        elif path.name == "catalog.db":
            yield Finding(name, Verdict.FAIL, fault, _FOLD_ANEW)
        elif path in generations:
            yield Finding(name, Verdict.FAIL, fault, f"findstream rebuild {path.stem.rpartition('-')[0]}")
        else:
            yield Finding(name, Verdict.FAIL, fault, "findstream restore, from the newest good backup")


def _secret_files(home: Home) -> Iterator[Finding]:
    """Whether nobody else can read who may sign in, and with what tokens are signed."""
    for path in (home.people, home.keys):
        if not path.exists():
            continue
        if path.stat().st_mode & 0o077:
            do = f"chmod 600 {path}; if others may have read it: findstream keys rotate-signing --sign-everybody-out"
            yield Finding(path.name, Verdict.FAIL, f"{path} is open to other users", do)
        else:
            yield Finding(path.name, Verdict.OK, "is for its owner only")
    if home.keys.exists():
        yield _signing_keys(home)


def _signing_keys(home: Home) -> Finding:
    try:
        held = parsed(home.keys.read_bytes(), str(home.keys))
    except (SigningKeysUnusable, OSError) as broken:
        return Finding(home.keys.name, Verdict.FAIL, str(broken), "delete it for new keys: everybody signs in again")
    return Finding(home.keys.name, Verdict.OK, f"{len(held.keys)} signing keys")


def _generations(home: Home) -> list[Path]:
    """The files of projections, but for those being built: they may be torn until they serve, and reading one stops its build."""
    files = sorted(home.projections.glob("*.db")) if home.projections.exists() else []
    if not files:
        return []
    try:
        with closing(SqliteStore(home.projections, clock=lambda: 0)) as store:
            built = [info for each in ALL for info in store.generations(each.name) if info.status is Status.BUILDING]
    except StoreUnavailable:
        return files  # the catalogue is among them, and will be named
    building = {f"{info.projection}-{info.number}" for info in built}
    return [path for path in files if path.stem not in building]


def _guarded(check: str, findings: Callable[[], Iterator[Finding]], anew: str = _FOLD_ANEW) -> Iterator[Finding]:
    """What a check finds; what it raises is a finding too."""
    try:
        yield from findings()
    except ProjectionError as broken:
        yield Finding(check, Verdict.FAIL, str(broken), anew)
    except (PipelineError, NotifierError, PersistenceError, OSError) as broken:
        yield Finding(check, Verdict.FAIL, str(broken), "findstream restore, from the newest good backup")


def _desks(home: Home) -> Iterator[Finding]:
    """What people commanded, and how much of it the log was not told yet."""
    with closing(open_sqlite(home.desks)) as recorders:
        stored = recorders.events.max_notification_id() or 0
        waiting = stored - (recorders.events.max_tracking_id(MARK) or 0)
    if waiting > (_LAGS if home.running() else 0):
        told = f"{waiting:,} of {stored:,} facts wait to come onto the log"
        yield Finding("desks", Verdict.WARN, told, "is the relay running? findstream run brings them there")
    else:
        yield Finding("desks", Verdict.OK, f"{stored:,} facts, all on the log" if not waiting else f"{stored:,} facts")


def _log(settings: Settings, home: Home, now_us: int) -> Iterator[Finding]:
    with open_log(settings) as log:
        problems = log.check()
        for problem in problems[:_SHOWN]:
            told = f"{problem.flaw} {problem.where} {problem.detail}"
            yield Finding("log", Verdict.FAIL, told, "findstream restore, from the newest good backup")
        if not problems:
            yield Finding("log", Verdict.OK, f"all {log.behind({}):,} events in {len(log.shards())} shards can be read back")
        yield _clock(log, now_us)
        if home.ledger.exists():
            yield from _guarded("ledger", lambda: _ledger(home, log))
        if home.projections.exists():
            yield from _guarded("projections", lambda: _projections(settings, log))
        if home.rules.exists():
            yield from _guarded("rules", lambda: _judging(settings, log), _JUDGE_ANEW)


def _clock(log: SqliteLog, now_us: int) -> Finding:
    last_us = 0
    for head in log.heads().values():
        record = log.fetch([head])[0]
        last_us = max(last_us, record.recorded_us if record else 0)
    if now_us < _EARLIEST_US:
        return Finding("clock", Verdict.FAIL, "the clock stands before 2023-11-14", "set it; run a time service")
    if last_us > now_us + _CLOCK_TOLERANCE_US:
        behind = (last_us - now_us) // MICROSECONDS
        told = f"the log's last event was recorded {behind:,} s in the future"
        return Finding(
            "clock", Verdict.WARN, told, "run a time service; recorded times stand still until the clock has caught up"
        )
    return Finding("clock", Verdict.OK, "not before the log's last event")


def _ledger(home: Home, log: SqliteLog) -> Iterator[Finding]:
    with closing(SqliteLedger(home.ledger)) as ledger:
        marks, tallies = ledger.marks() or {}, ledger.tallies()
        down = failing(ledger, tallies)
    ahead = beyond(marks, log.heads())
    if ahead:
        told = f"the notifier's marks are ahead of the log: {', '.join(ahead)}"
        yield Finding("ledger", Verdict.FAIL, told, "restore log and ledger from one backup; these files do not belong together")
    dead = sum(tally.count for tally in tallies if tally.state is State.FAILED)
    if dead:
        yield Finding("ledger", Verdict.WARN, f"{dead} dead letters", "findstream notify dead, then findstream notify redrive")
    for each in down:
        told = f"channel {each.told}; {each.waiting:,} {'notice waits' if each.waiting == 1 else 'notices wait'} for it"
        do = f"findstream notify test {each.channel} tells why; once that is mended: findstream notify retry {each.channel}"
        yield Finding("ledger", Verdict.WARN, told, do)
    if not ahead and not dead and not down:
        yield Finding("ledger", Verdict.OK, f"{sum(tally.count for tally in tallies):,} notices, no dead letters")


def _projections(settings: Settings, log: SqliteLog) -> Iterator[Finding]:
    with open_catalog(settings, log) as catalog:
        states = catalog.states()
    heads = log.heads()
    for state in states:
        if ahead := beyond(state.checkpoints, heads):
            told = f"it is ahead of the log: {', '.join(ahead)}"
            yield Finding(state.name, Verdict.FAIL, told, f"findstream rebuild {state.name}")
        elif state.version != named(state.name).version:
            yield Finding(state.name, Verdict.WARN, "it was built by another version", f"findstream rebuild {state.name}")
        elif state.parked:
            yield Finding(state.name, Verdict.WARN, f"{state.parked} events are parked", "findstream parked list")
        elif state.lag_events > _LAGS:
            yield Finding(state.name, Verdict.WARN, f"{state.lag_events:,} events behind", "is the projector running?")
        else:
            yield Finding(state.name, Verdict.OK, f"generation {state.generation}, {state.lag_events:,} events behind")


def _judging(settings: Settings, log: SqliteLog) -> Iterator[Finding]:
    """How far the rules have judged."""
    with open_judged(settings, log) as judged:
        [state] = judged.states()
    if ahead := beyond(state.checkpoints, log.heads()):
        yield Finding("rules", Verdict.FAIL, f"what they judged is ahead of the log: {', '.join(ahead)}", _JUDGE_ANEW)
    elif state.parked:
        told = f"{state.parked} events could not be judged and are parked"
        yield Finding("rules", Verdict.WARN, told, "findstream parked list, then findstream parked redrive")
    elif state.lag_events > _LAGS:
        yield Finding("rules", Verdict.WARN, f"{state.lag_events:,} events are not judged yet", "is the role rules running?")
    else:
        yield Finding("rules", Verdict.OK, f"all but {state.lag_events:,} events are judged")
