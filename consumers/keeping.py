"""Backup and restore of a data folder: what is copied, in which order, and what a restored notifier may still believe.

Copied:    log, quarantine, ledger, desks and people. Projections are not: they are folded anew from the log. The keys that sign
           tokens are not: who finds a copy could be anybody. A restored folder makes new ones, and everybody signs in again.
Order:     ledger and desks held still, then quarantine, desks, log, ledger pinned, then all copied
           (``pipeline.backup.snapshots``). So, in the copy, the ledger's marks never lie beyond the log's heads (nothing appended
           later is skipped), each fact that left its outbox is on the log, and each item released from quarantine is on the log.
           What the desks' relay has marked is on the log, and the log tells nothing that the desks do not know.
Repeats:   what was sent after the copy was taken, the copy cannot know. So ``restore`` has the ledger doubt all that happened
           before the restore: such notices still go out, marked as possible repeats. None is lost, none silently sent twice.
Replacing: a restore is assembled beside the folder and renamed into place; a folder that holds data is moved aside.
"""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from consumers.agreement import beyond
from consumers.errors import Refused
from consumers.home import Home
from consumers.notifier.ledger.sqlite import SqliteLedger
from consumers.people.port import Wanted
from consumers.people.sqlite import SqlitePeople
from pipeline.backup.bundle import Entry, Manifest, digest, pack, synced, unpack
from pipeline.backup.snapshots import pinned
from pipeline.desks.recorder.sqlite import open_sqlite
from pipeline.desks.relay import MARK
from pipeline.errors import BackupFailed, BackupRejected
from pipeline.log.sqlite import SqliteLog
from pipeline.quarantine.sqlite import SqliteQuarantine
from schemas.identity import MICROSECONDS

Clock = Callable[[], int]
Progress = Callable[[str, int, int], None]
"""Told the name of the part, its bytes done, and its bytes in all."""

LOG: Final = "log"
QUARANTINE: Final = "quarantine"
LEDGER: Final = "ledger"
PEOPLE: Final = "people"
DESKS: Final = "desks"


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did. ``aside`` is where the former folder now lies."""

    manifest: Manifest
    home: Path
    aside: Path | None


def parts(home: Home) -> dict[str, Path]:
    """What a backup holds, in the order in which it is pinned."""
    return {QUARANTINE: home.quarantine, DESKS: home.desks, LOG: home.log, LEDGER: home.ledger, PEOPLE: home.people}


def back_up(home: Home, target: Path, *, clock: Clock, progress: Progress = lambda *_: None) -> Manifest:
    """Copy the data of ``home`` to ``target``, a folder or (``.tar``, ``.tar.gz``, ``.tgz``) a file that must not exist yet.

    Everything may run meanwhile. Raises ``Refused``, ``BackupFailed``; then nothing is left behind.
    """
    if target.exists():
        message = f"{target} exists already; name a new folder or .tar file"
        raise Refused(message)
    if not home.log.exists():
        message = f"{home.path} holds no log, so there is nothing to back up; is FINDSTREAM_HOME right?"
        raise Refused(message)
    if not target.absolute().parent.is_dir():
        message = f"{target.absolute().parent} is no folder; make it first, or name another place"
        raise Refused(message)
    with _beside(target) as folder:
        with pinned(parts(home), frozen=frozenset({LEDGER, DESKS})) as state:
            created_us = clock()
            for name in state.names:
                state.copy(name, folder / parts(home)[name].name, progress)
        entries = tuple(_entry(name, folder / parts(home)[name].name, clock) for name in state.names)
        manifest = Manifest(created_us=created_us, parts=entries)
        pack(folder, manifest, target)
    return manifest


def restore(
    source: Path, home: Home, *, clock: Clock, force: bool = False, check: bool = False, progress: Progress = lambda *_: None
) -> Restored:
    """Put the backup ``source`` in the place of ``home``; with ``check``, only prove that it could be done.

    A folder that findstream runs on is refused. One that holds anything is refused, or with ``force`` moved aside. ``check``
    refuses neither, for it touches neither. Raises ``Refused``, ``BackupRejected``, ``BackupFailed``; then ``home`` is as it was.
    """
    if not check and home.running() is not None:
        message = f"findstream runs on {home.path}; stop it first"
        raise Refused(message)
    occupied = home.path.exists() and any(home.path.iterdir())
    if occupied and not force and not check:
        message = f"{home.path} is not empty; --force moves it aside, or set FINDSTREAM_HOME to another folder"
        raise Refused(message)
    known = {name: path.name for name, path in parts(home).items()}
    with _beside(home.path) as folder:
        manifest = unpack(source, folder, known, progress)
        _prove(source, Home(folder), clock)
        if check:
            return Restored(manifest, home.path, None)
        if Home(folder).ledger.exists():
            with closing(SqliteLedger(Home(folder).ledger)) as ledger:
                ledger.doubt(clock())
        _tidy(folder)
        aside = _put(folder, home.path, clock)
    return Restored(manifest, home.path, aside if occupied else None)


def _entry(name: str, path: Path, clock: Clock) -> Entry:
    """The manifest's entry of a copy; its figures are taken from the copy itself, which proves that it can be read."""
    holds = _figures(name, path, clock)
    for side in path.parent.glob(f"{path.name}-*"):
        side.unlink()
    size, sha256 = digest(path)
    return Entry(name=name, file=path.name, bytes=size, sha256=sha256, holds=holds)


def _figures(name: str, path: Path, clock: Clock) -> Mapping[str, Any]:
    match name:
        case "log":
            with closing(SqliteLog(path, clock=clock)) as log:
                return {"events": log.behind({}), "heads": {shard: str(head) for shard, head in log.heads().items()}}
        case "ledger":
            with closing(SqliteLedger(path)) as ledger:
                counts: dict[str, int] = {}
                for tally in ledger.tallies():
                    counts[tally.state.value] = counts.get(tally.state.value, 0) + tally.count
                return {"notices": counts, "marks": {shard: str(mark) for shard, mark in (ledger.marks() or {}).items()}}
        case "people":
            with closing(SqlitePeople(path)) as people:
                return {"users": people.users.list(Wanted()).total, "keys": len(people.keys.list())}
        case "desks":
            recorders = open_sqlite(path)
            try:
                facts = recorders.events.max_notification_id() or 0
                return {"stored": facts, "relayed": recorders.events.max_tracking_id(MARK) or 0}
            finally:
                recorders.close()
        case _:
            with closing(SqliteQuarantine(path, clock=clock)) as quarantine:
                return {status.value: count for status, count in quarantine.count().items()}


def _prove(source: Path, copy: Home, clock: Clock) -> None:
    """Raise ``BackupRejected`` unless the copies can be opened and agree with each other."""
    for path in parts(copy).values():
        if path.exists() and (fault := quick_check(path)):
            message = f"{source} is damaged: {path.name}: {fault}"
            raise BackupRejected(message)
    if not copy.log.exists():
        message = f"{source} holds no log"
        raise BackupRejected(message)
    if copy.ledger.exists():
        with closing(SqliteLog(copy.log, clock=clock)) as log, closing(SqliteLedger(copy.ledger)) as ledger:
            ahead = beyond(ledger.marks() or {}, log.heads())
        if ahead:
            message = f"{source}: the ledger is ahead of the log ({', '.join(ahead)}): what comes there would never be told of"
            raise BackupRejected(message)


def quick_check(path: Path) -> str:
    """What SQLite finds wrong with a file, "" if nothing. Source: SQLite's page "PRAGMA quick_check"."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            found = [row[0] for row in connection.execute("PRAGMA quick_check(3)")]
    except sqlite3.Error as broken:
        return str(broken)
    return "" if found == ["ok"] else "; ".join(found)


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A new folder on the file system of ``target``, gone at the end unless it was renamed. For its owner only."""
    parent = target.absolute().parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=parent))
    except OSError as broken:
        message = f"{parent} cannot be written: {broken.strerror}"
        raise BackupFailed(message) from broken
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _tidy(folder: Path) -> None:
    """Leave nothing but whole files, all on disk."""
    whole = {path.name for path in parts(Home(folder)).values()}
    for path in list(folder.iterdir()):
        if path.name in whole:
            synced(path)
        else:
            path.unlink()
    synced(folder)


def _put(folder: Path, home: Path, clock: Clock) -> Path | None:
    """Move ``home`` aside, if it is there, and ``folder`` into its place; if the second fails, the first is undone."""
    aside = None
    if home.exists():
        stamp = datetime.fromtimestamp(clock() // MICROSECONDS, UTC).strftime("%Y%m%dT%H%M%SZ")
        aside = home.with_name(f"{home.name}.before-restore-{stamp}-{os.getpid()}")
        _rename(home, aside)
    try:
        _rename(folder, home)
    except BackupFailed:
        if aside:
            _rename(aside, home)
        raise
    synced(home.parent)
    if aside and not any(aside.iterdir()):
        aside.rmdir()
    return aside


def _rename(source: Path, target: Path) -> None:
    try:
        source.rename(target)
    except OSError as broken:
        message = f"{source} cannot become {target}: {broken.strerror}; if it is a mount point, use a folder within it"
        raise BackupFailed(message) from broken
