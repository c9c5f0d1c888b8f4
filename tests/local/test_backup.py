"""Backup and restore of a data folder: whole, checked, in agreement with itself, and honest about what may be told twice."""

import errno
import hashlib
import io
import os
import random
import sqlite3
import tarfile
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from threading import Event, Thread
from typing import Any

import orjson
import pytest

from consumers.errors import Refused
from consumers.home import Home
from consumers.keeping import back_up, parts, restore
from consumers.notifier.channels.port import Answer, Delivered, Payload
from consumers.notifier.ledger.port import Wanted
from consumers.notifier.ledger.sqlite import SqliteLedger
from consumers.notifier.notice import Notice, State
from consumers.notifier.notifier import Notifier
from consumers.notifier.routing.matchers import read_all
from consumers.notifier.routing.tree import Policies
from consumers.people.sqlite import SqlitePeople
from consumers.sample import CALM, generate
from pipeline.errors import BackupFailed, BackupRejected
from pipeline.ingest import Ingest
from pipeline.log.sqlite import SqliteLog
from pipeline.quarantine.sqlite import SqliteQuarantine
from tests.notifier.world import ScriptedChannel, at_once, routing
from tests.people.stores import PASSWORD, QUICK, admin

NOW_US = 1_790_000_000_000_000
Ledgered = Callable[[SqliteLog, SqliteLedger], None]


def clock() -> int:
    return NOW_US


class Slack(ScriptedChannel):
    """Takes every message and remembers it."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived: list[str] = []

    def send(self, payload: Payload) -> Answer:
        self.arrived.append(orjson.dumps(payload).decode())
        return Delivered()


class World:
    """A data folder with its parts, fed and notified of as in life."""

    def __init__(self, path: Path) -> None:
        self.home = Home(path)
        self.home.make()
        self.slack = Slack()
        self._story = generate(3, NOW_US - 3600_000_000, step_us=1000, mix=CALM)

    def ingest(self, count: int) -> None:
        """Take so many findings in."""
        with (
            closing(SqliteLog(self.home.log, clock=clock)) as log,
            closing(SqliteQuarantine(self.home.quarantine, clock=clock)) as quarantine,
        ):
            desk = Ingest(log, quarantine, clock=clock)
            desk.take_lines([next(self._story).payload for _ in range(count)], origin="test")

    def notify(self) -> list[str]:
        """Tell of everything that was not told of; returns the messages."""
        before = len(self.slack.arrived)
        with closing(SqliteLog(self.home.log, clock=clock)) as log, closing(SqliteLedger(self.home.ledger)) as ledger:
            ledger.begin({})
            notifier = Notifier(
                log,
                ledger,
                {"default": self.slack},
                lambda: Policies(routing(at_once("all", "default", matchers=read_all(["severity>=HIGH"])))),
                console_url="http://x",
                clock=clock,
                random=random.random,
            )
            while notifier.step():
                pass
            while notifier.deliver("default").notice:
                pass
            while notifier.relay():
                pass
        return self.slack.arrived[before:]

    def notices(self) -> list[Notice]:
        with closing(SqliteLedger(self.home.ledger)) as ledger:
            return ledger.notices(Wanted(limit=100_000))

    def events(self) -> int:
        with closing(SqliteLog(self.home.log, clock=clock)) as log:
            return log.behind({})


@pytest.fixture
def world(tmp_path: Path) -> World:
    found = World(tmp_path / "var")
    found.ingest(60)
    found.notify()
    return found


@pytest.mark.parametrize("name", ["copy", "copy.tar", "copy.tar.gz", "copy.tgz"])
def test_what_was_backed_up_comes_back(world: World, tmp_path: Path, name: str) -> None:
    events, notices = world.events(), world.notices()
    back_up(world.home, tmp_path / name, clock=clock)

    restored = World(tmp_path / "again")
    (tmp_path / "again").rmdir()
    restore(tmp_path / name, restored.home, clock=clock)

    assert restored.events() == events
    assert restored.notices() == notices


@pytest.mark.parametrize(("name", "mode"), [("copy", 0o700), ("copy.tar", 0o600), ("copy.tgz", 0o600)])
def test_a_backup_is_for_its_owner_only(world: World, tmp_path: Path, name: str, mode: int) -> None:
    back_up(world.home, tmp_path / name, clock=clock)

    assert (tmp_path / name).stat().st_mode & 0o777 == mode


def test_the_manifest_tells_what_is_in_it(world: World, tmp_path: Path) -> None:
    manifest = back_up(world.home, tmp_path / "copy", clock=clock)

    assert orjson.loads((tmp_path / "copy" / "manifest.json").read_bytes()) == manifest.model_dump(mode="json")
    assert manifest.created_us == NOW_US
    assert [entry.name for entry in manifest.parts] == ["quarantine", "log", "ledger"]
    for entry in manifest.parts:
        content = (tmp_path / "copy" / entry.file).read_bytes()
        assert (entry.bytes, entry.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert manifest.parts[0].holds == {"held": 0, "released": 0, "discarded": 0}
    assert manifest.parts[1].holds["events"] == world.events()
    assert manifest.parts[2].holds["notices"]["sent"] > 0


def test_a_backup_holds_nothing_else(world: World, tmp_path: Path) -> None:
    back_up(world.home, tmp_path / "copy", clock=clock)

    assert sorted(path.name for path in (tmp_path / "copy").iterdir()) == [
        "log.db",
        "manifest.json",
        "notices.db",
        "quarantine.db",
    ]
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o700


def test_backups_taken_while_everything_runs_agree_with_themselves(tmp_path: Path) -> None:
    world = World(tmp_path / "var")
    world.ingest(50)
    world.notify()
    stop = Event()

    def live() -> None:
        while not stop.is_set():
            world.ingest(20)
            world.notify()

    life = Thread(target=live)
    life.start()
    try:
        manifests = [back_up(world.home, tmp_path / f"copy{number}", clock=clock) for number in range(8)]
    finally:
        stop.set()
        life.join()

    for number in range(8):
        restore(tmp_path / f"copy{number}", Home(tmp_path / "again"), clock=clock, check=True)
    counts = [manifest.parts[1].holds["events"] for manifest in manifests]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]


def test_after_a_restore_nothing_is_told_twice_without_saying_so_and_nothing_is_lost(world: World, tmp_path: Path) -> None:
    world.ingest(60)
    back_up(world.home, tmp_path / "copy", clock=clock)
    told_since = world.notify()

    restored = World(tmp_path / "again")
    (tmp_path / "again").rmdir()
    restore(tmp_path / "copy", restored.home, clock=clock)
    told_again = restored.notify()

    assert len(told_since) > 3
    assert len(told_again) == len(told_since)
    assert all("may have been sent" in message.lower() or "repeat" in message.lower() for message in told_again)
    assert not [message for message in told_since if message in told_again]
    assert {notice.state for notice in restored.notices()} == {State.SENT, State.SUPPRESSED}  # what fires on is told once


def test_what_happens_after_a_restore_is_told_as_usual(world: World, tmp_path: Path) -> None:
    back_up(world.home, tmp_path / "copy", clock=clock)
    restored = World(tmp_path / "again")
    (tmp_path / "again").rmdir()
    restore(tmp_path / "copy", restored.home, clock=lambda: NOW_US - 3600_000_000)

    restored.ingest(100)
    restored.notify()

    fresh = [notice for notice in restored.notices() if notice not in world.notices()]
    assert fresh
    assert not [notice for notice in fresh if notice.unsure]


def test_a_folder_with_data_is_not_overwritten(world: World, tmp_path: Path) -> None:
    back_up(world.home, tmp_path / "copy", clock=clock)
    world.ingest(10)
    events = world.events()

    with pytest.raises(Refused, match=r"is not empty; --force moves it aside"):
        restore(tmp_path / "copy", world.home, clock=clock)

    assert world.events() == events


def test_force_moves_it_aside_and_keeps_it(world: World, tmp_path: Path) -> None:
    back_up(world.home, tmp_path / "copy", clock=clock)
    before = world.events()
    world.ingest(10)
    later = world.events()

    done = restore(tmp_path / "copy", world.home, clock=clock, force=True)

    assert world.events() == before
    assert done.aside is not None
    assert World(done.aside).events() == later


def test_an_empty_folder_is_used_as_it_is(world: World, tmp_path: Path) -> None:
    back_up(world.home, tmp_path / "copy", clock=clock)
    empty = Home(tmp_path / "empty")
    empty.make()

    done = restore(tmp_path / "copy", empty, clock=clock)

    assert done.aside is None
    assert not list(tmp_path.glob("empty.*"))


def test_nothing_is_restored_under_a_running_findstream(world: World, tmp_path: Path) -> None:
    back_up(world.home, tmp_path / "copy", clock=clock)

    with world.home.held(), pytest.raises(Refused, match="stop it first"):
        restore(tmp_path / "copy", world.home, clock=clock, force=True)


def test_a_backup_never_overwrites(world: World, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()

    with pytest.raises(Refused, match="exists already"):
        back_up(world.home, tmp_path / "copy", clock=clock)


def test_there_must_be_something_to_back_up(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="holds no log"):
        back_up(Home(tmp_path / "var"), tmp_path / "copy", clock=clock)


def test_a_failed_backup_leaves_nothing_behind(world: World, tmp_path: Path) -> None:
    world.home.quarantine.write_bytes(b"this is no database, nor was it ever one" * 200)

    with pytest.raises(BackupFailed):
        back_up(world.home, tmp_path / "copy", clock=clock)

    assert [path.name for path in tmp_path.iterdir()] == ["var"]


def _leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def damaged(copy: Path, name: str) -> None:
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(bytes(content))


@pytest.mark.parametrize("name", ["log.db", "notices.db", "quarantine.db"])
def test_one_changed_bit_is_noticed_and_changes_nothing(world: World, tmp_path: Path, name: str) -> None:
    back_up(world.home, tmp_path / "copy", clock=clock)
    damaged(tmp_path / "copy", name)

    with pytest.raises(BackupRejected, match=f"damaged: {name} is not what the manifest says"):
        restore(tmp_path / "copy", Home(tmp_path / "again"), clock=clock)

    assert not (tmp_path / "again").exists()
    assert _leftovers(tmp_path) == []


def test_a_missing_file_is_named(world: World, tmp_path: Path) -> None:
    back_up(world.home, tmp_path / "copy", clock=clock)
    (tmp_path / "copy" / "log.db").unlink()

    with pytest.raises(BackupRejected, match=r"incomplete: log\.db is missing"):
        restore(tmp_path / "copy", Home(tmp_path / "again"), clock=clock)


def test_what_is_no_backup_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.tar").write_bytes(b"no tar at all")
    for name, says in (("folder", "has no manifest.json"), ("text.tar", "cannot be read"), ("nothing", "cannot be read")):
        with pytest.raises(BackupRejected, match=says):
            restore(tmp_path / name, Home(tmp_path / "again"), clock=clock)


@pytest.mark.parametrize("cut", [0.3, 0.7, 0.99])
def test_a_cut_off_archive_is_refused(world: World, tmp_path: Path, cut: float) -> None:
    back_up(world.home, tmp_path / "copy.tar.gz", clock=clock)
    whole = (tmp_path / "copy.tar.gz").read_bytes()
    (tmp_path / "copy.tar.gz").write_bytes(whole[: int(len(whole) * cut)])

    with pytest.raises(BackupRejected):
        restore(tmp_path / "copy.tar.gz", Home(tmp_path / "again"), clock=clock)

    assert _leftovers(tmp_path) == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"format": 2}, "format"),
        ({"product": "other"}, "product"),
        ({"parts": [{"name": "log", "file": "../log.db", "bytes": 1, "sha256": "0" * 64, "holds": {}}]}, "parts.0.file"),
        ({"parts": [{"name": "users", "file": "users.db", "bytes": 1, "sha256": "0" * 64, "holds": {}}]}, "does not know: users"),
        ({"parts": []}, "holds no log"),
    ],
)
def test_a_manifest_that_is_not_ours_is_refused_by_field(
    world: World, tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    back_up(world.home, tmp_path / "copy", clock=clock)
    path = tmp_path / "copy" / "manifest.json"
    path.write_bytes(orjson.dumps(orjson.loads(path.read_bytes()) | changes))

    with pytest.raises(BackupRejected, match=says):
        restore(tmp_path / "copy", Home(tmp_path / "again"), clock=clock)


def test_an_archive_writes_nowhere_else(world: World, tmp_path: Path) -> None:
    back_up(world.home, tmp_path / "copy.tar", clock=clock)
    with tarfile.open(tmp_path / "copy.tar", "a") as tar:
        evil = tarfile.TarInfo("../evil")
        evil.size = 4
        tar.addfile(evil, io.BytesIO(b"evil"))

    restore(tmp_path / "copy.tar", Home(tmp_path / "deep" / "again"), clock=clock)

    assert not list(tmp_path.rglob("*evil*"))


def test_a_ledger_ahead_of_its_log_is_refused(world: World, tmp_path: Path) -> None:
    world.ingest(50)
    back_up(world.home, tmp_path / "old", clock=clock)
    world.ingest(50)
    world.notify()
    back_up(world.home, tmp_path / "new", clock=clock)
    old, new = tmp_path / "old", tmp_path / "new"
    (old / "notices.db").write_bytes((new / "notices.db").read_bytes())
    manifest, other = (orjson.loads((folder / "manifest.json").read_bytes()) for folder in (old, new))
    manifest["parts"][2] = other["parts"][2]
    (old / "manifest.json").write_bytes(orjson.dumps(manifest))

    with pytest.raises(BackupRejected, match="the ledger is ahead of the log"):
        restore(old, Home(tmp_path / "again"), clock=clock)


def test_a_copy_that_its_manifest_vouches_for_is_looked_into_all_the_same(world: World, tmp_path: Path) -> None:
    back_up(world.home, tmp_path / "copy", clock=clock)
    content = bytearray((tmp_path / "copy" / "log.db").read_bytes())
    content[4096:8192] = b"\xa5" * 4096
    (tmp_path / "copy" / "log.db").write_bytes(bytes(content))
    path = tmp_path / "copy" / "manifest.json"
    manifest = orjson.loads(path.read_bytes())
    manifest["parts"][1]["sha256"] = hashlib.sha256(content).hexdigest()
    path.write_bytes(orjson.dumps(manifest))

    with pytest.raises(BackupRejected, match=r"is damaged: log\.db: "):
        restore(tmp_path / "copy", Home(tmp_path / "again"), clock=clock)


def test_if_the_last_rename_fails_the_former_folder_is_back(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    back_up(world.home, tmp_path / "copy", clock=clock)
    world.ingest(10)
    events = world.events()
    real = Path.rename

    def rename(source: Path, target: Path) -> Path:
        if source.name.endswith(".partial"):
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        return real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", rename)
        with pytest.raises(BackupFailed, match="Device or resource busy; if it is a mount point"):
            restore(tmp_path / "copy", world.home, clock=clock, force=True)

    assert world.events() == events
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "var"]


def test_a_check_changes_nothing(world: World, tmp_path: Path) -> None:
    back_up(world.home, tmp_path / "copy", clock=clock)
    before = _contents(world.home.path.iterdir())

    restore(tmp_path / "copy", world.home, clock=clock, check=True)

    assert _contents(world.home.path.iterdir()) == before
    assert _leftovers(tmp_path) == []


def _contents(paths: Iterable[Path]) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in paths if path.is_file()}


def test_parts_that_are_missing_are_no_obstacle(tmp_path: Path) -> None:
    home = Home(tmp_path / "var")
    home.make()
    with closing(SqliteLog(home.log, clock=clock)):
        pass

    manifest = back_up(home, tmp_path / "copy", clock=clock)
    restore(tmp_path / "copy", Home(tmp_path / "again"), clock=clock)

    assert [entry.name for entry in manifest.parts] == ["log"]
    assert not Home(tmp_path / "again").ledger.exists()


def test_a_backup_waits_for_whoever_writes_the_ledger(world: World, tmp_path: Path) -> None:
    with closing(sqlite3.connect(world.home.ledger, isolation_level=None, check_same_thread=False)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        done = Event()

        def take() -> None:
            back_up(world.home, tmp_path / "copy", clock=clock)
            done.set()

        backup = Thread(target=take)
        backup.start()

        assert not done.wait(0.3)

        writer.execute("ROLLBACK")
        backup.join(20)
    assert done.is_set()


def test_every_part_lies_in_the_folder_under_its_own_name(tmp_path: Path) -> None:
    assert len({path.name for path in parts(Home(tmp_path)).values()}) == 5


def test_people_come_back_with_their_passwords_and_signing_keys_do_not(world: World, tmp_path: Path) -> None:
    with closing(SqlitePeople(world.home.people, passwords=QUICK)) as people:
        people.users.add(admin(), PASSWORD)
    world.home.keys.write_text('{"first": "' + "k" * 64 + '"}')

    manifest = back_up(world.home, tmp_path / "copy", clock=clock)
    restore(tmp_path / "copy", Home(tmp_path / "back"), clock=clock)

    assert next(entry.holds for entry in manifest.parts if entry.name == "people") == {"users": 1, "keys": 0}
    with closing(SqlitePeople(Home(tmp_path / "back").people, passwords=QUICK)) as people:
        assert people.users.verify(admin().email, PASSWORD) is not None
    assert Home(tmp_path / "back").people.stat().st_mode & 0o077 == 0
    assert not Home(tmp_path / "back").keys.exists()
