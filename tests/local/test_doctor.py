"""The examination: what is well is told so, what is broken is named with what to do, and nothing is changed by looking."""

import os
import shutil
import socket
import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import orjson
import pytest

from consumers import doctor
from consumers.composition import now_us, open_catalog, open_ingest, open_keys, open_log, open_people, open_store
from consumers.doctor import Finding, Verdict, examine
from consumers.embedded import open_desk, open_recorders
from consumers.home import Home, RoleState, RunState
from consumers.notifier.assembly import open_ledger
from consumers.notifier.groups.state import Change
from consumers.notifier.ledger.port import Draft
from consumers.notifier.notice import Cause, Key, Notice, Reason, State
from consumers.notifier.retry import Outcome, Pace
from consumers.sample import CALM, generate
from pipeline.desks.desk import Asked
from pipeline.desks.relay import Relay
from pipeline.desks.task import Task
from pipeline.log.port import Position
from pipeline.settings import Settings
from projections.projector import Projector
from tests.desks.world import create
from tests.local.running import free_port

HOUR_US = 3_600_000_000


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A data folder with thirty findings, folded, and settings without a mistake."""
    for name in [name for name in os.environ if name.startswith("FINDSTREAM_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("FINDSTREAM_HOME", str(tmp_path / "var"))
    monkeypatch.setenv("FINDSTREAM_PORT", str(free_port()))
    monkeypatch.setenv("FINDSTREAM_SLACK_WEBHOOK", "http://127.0.0.1:9/hook")
    settings = Settings.load()
    story = generate(1, now_us() - HOUR_US, step_us=1000, mix=CALM)
    with (
        open_ingest(settings) as desk,
        open_log(settings) as log,
        closing(open_store(settings)) as store,
        closing(open_ledger(settings.home)) as ledger,
    ):
        desk.take_lines([next(story).payload for _ in range(30)], origin="test")
        ledger.begin(log.heads())
        projector = Projector(log, store, token="test")
        projector.step()
        projector.close()
    return Home(settings.home)


def found(check: str, *, now: int | None = None) -> Finding:
    """What one check found; of several the worst."""
    ranks = [Verdict.OK, Verdict.WARN, Verdict.FAIL]
    return max((each for each in examine(now or now_us()) if each.check == check), key=lambda each: ranks.index(each.verdict))


def test_a_healthy_folder_passes_every_check(home: Home) -> None:
    assert home
    assert [each for each in examine(now_us()) if each.verdict is not Verdict.OK] == []


def test_looking_changes_nothing(home: Home) -> None:
    before = {path.name: path.read_bytes() for path in home.path.rglob("*.db")}

    list(examine(now_us()))

    assert {path.name: path.read_bytes() for path in home.path.rglob("*.db")} == before


def test_a_folder_that_is_not_there_yet_is_no_fault_and_is_not_made(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert home
    monkeypatch.setenv("FINDSTREAM_HOME", str(tmp_path / "new"))

    assert {each.verdict for each in examine(now_us())} == {Verdict.OK}
    assert not (tmp_path / "new").exists()


def test_a_wrong_setting_ends_the_examination(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    assert home
    monkeypatch.setenv("FINDSTREAM_PORT", "0")

    assert [each.verdict for each in examine(now_us())] == [Verdict.FAIL]
    assert "FINDSTREAM_PORT" in found("settings").told


def test_a_misspelt_setting_is_noticed(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    assert home
    monkeypatch.setenv("FINDSTREAM_PROT", "8000")

    assert found("settings") == Finding("settings", Verdict.WARN, "FINDSTREAM_PROT is no setting", "name it FINDSTREAM_PORT")


def test_a_channel_without_a_webhook_is_a_warning(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    assert home
    monkeypatch.delenv("FINDSTREAM_SLACK_WEBHOOK")

    assert (found("channels").verdict, "default" in found("channels").told) == (Verdict.WARN, True)


def test_a_wrong_webhook_is_a_failure_that_keeps_the_secret(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    assert home
    monkeypatch.setenv("FINDSTREAM_SLACK_WEBHOOK", "secret")

    assert found("channels").verdict is Verdict.FAIL
    assert "secret" not in found("channels").told


def test_a_folder_open_to_others_is_a_warning(home: Home) -> None:
    home.path.chmod(0o755)

    assert found("data folder").verdict is Verdict.WARN
    assert found("data folder").do == f"chmod 700 {home.path}"


@pytest.mark.parametrize(("free_mib", "verdict"), [(10, Verdict.FAIL), (500, Verdict.WARN), (5000, Verdict.OK)])
def test_the_disk_should_have_room(home: Home, monkeypatch: pytest.MonkeyPatch, free_mib: int, verdict: Verdict) -> None:
    assert home
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free_mib << 20))

    assert (found("disk").verdict, found("disk").told) == (verdict, f"{free_mib:,} MiB are free")


def test_a_clock_behind_the_log_is_a_warning(home: Home) -> None:
    assert home
    assert found("clock", now=now_us() - HOUR_US).verdict is Verdict.WARN
    assert "s in the future" in found("clock", now=now_us() - HOUR_US).told


def test_a_clock_that_was_never_set_is_a_failure(home: Home) -> None:
    assert home
    assert found("clock", now=5).verdict is Verdict.FAIL


@pytest.mark.parametrize("name", ["log.db", "quarantine.db", "notices.db", "projections/event_index-1.db"])
def test_a_damaged_file_is_named(home: Home, name: str) -> None:
    path = home.path / name
    for side in ("-wal", "-shm"):
        Path(f"{path}{side}").unlink(missing_ok=True)
    content = bytearray(path.read_bytes())
    content[4096:8192] = b"\xa5" * 4096
    path.write_bytes(bytes(content))

    assert found(name).verdict is Verdict.FAIL
    assert ("findstream rebuild event_index" if "event_index" in name else "findstream restore") in found(name).do


def test_a_generation_being_built_is_left_alone(home: Home) -> None:
    with closing(open_store(Settings.load())) as store:
        store.create("event_index", 1, serving=False)
    (home.projections / "event_index-2.db").write_bytes(b"torn by a kill" * 1_000)

    assert [each for each in examine(now_us()) if each.verdict is not Verdict.OK] == []


def test_a_damaged_catalogue_is_named(home: Home) -> None:
    for side in ("-wal", "-shm"):
        (home.projections / f"catalog.db{side}").unlink(missing_ok=True)
    (home.projections / "catalog.db").write_bytes(b"no catalogue at all" * 1_000)

    assert found("projections/catalog.db").verdict is Verdict.FAIL
    assert "move the folder projections away" in found("projections/catalog.db").do
    assert found("projections").verdict is Verdict.FAIL


def test_a_damaged_block_of_the_log_is_found_by_reading_it_back(home: Home) -> None:
    with closing(sqlite3.connect(home.log)) as tampered, tampered:
        tampered.execute("UPDATE block SET bodies = zeroblob(length(bodies)) WHERE address = (SELECT min(address) FROM block)")

    assert found("log.db").verdict is Verdict.OK
    assert found("log").verdict is Verdict.FAIL


def test_a_file_that_is_something_else_is_a_failure_not_a_crash(home: Home) -> None:
    home.log.unlink()
    with closing(sqlite3.connect(home.log)) as other, other:
        other.execute("CREATE TABLE something (else_ TEXT)")

    assert found("log").verdict is Verdict.FAIL


def test_a_ledger_ahead_of_its_log_is_a_failure(home: Home) -> None:
    with closing(sqlite3.connect(home.ledger)) as tampered, tampered:
        tampered.execute("UPDATE marks SET position = ?", (str(Position("shard-0", 999)),))
        tampered.execute("UPDATE marks SET shard = 'shard-0' WHERE shard = (SELECT min(shard) FROM marks)")

    assert found("ledger").verdict is Verdict.FAIL


def test_a_channel_that_fails_is_a_warning_while_notices_wait_for_it(home: Home) -> None:
    position = Position("shard-0", 1)
    waits = Notice(Key("r", "all", 1), "ops", (Cause("1-a", position),), State.PENDING, Reason.NEWLY_FIRING, 1, 1, 1)
    down = Outcome(State.PENDING, Reason.UNAVAILABLE, 9, False, "500", Pace(9, 3, since_us=1))  # noqa: FBT003 -- unsure
    with closing(open_ledger(home.path)) as ledger:
        token = ledger.claim()
        ledger.commit(token, {}, [Draft(waits)], Change())
        ledger.settle(token, waits, down, 1)

    assert found("ledger").verdict is Verdict.WARN
    failed = "channel ops failed 3 times in a row since 1970-01-01 00:00:00Z, and is tried again at 1970-01-01 00:00:00Z"
    assert found("ledger").told == f"{failed}; 1 notice waits for it"
    assert "findstream notify retry ops" in found("ledger").do


def test_a_projection_that_lags_is_a_warning(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    assert home
    monkeypatch.setattr(doctor, "_LAGS", 0)
    with open_ingest(Settings.load()) as desk:
        desk.take_lines([next(generate(2, now_us() - HOUR_US, step_us=1, mix=CALM)).payload], origin="test")

    assert found("event_index") == Finding("event_index", Verdict.WARN, "1 events behind", "is the projector running?")


def test_a_projection_of_another_version_is_a_warning(home: Home) -> None:
    with closing(sqlite3.connect(home.projections / "catalog.db")) as tampered, tampered:
        tampered.execute("UPDATE generation SET version = 0 WHERE projection = 'event_index'")

    assert found("event_index").do == "findstream rebuild event_index"


def test_a_projection_ahead_of_the_log_is_a_failure(home: Home) -> None:
    with closing(sqlite3.connect(home.projections / "event_index-1.db")) as tampered, tampered:
        tampered.execute("UPDATE checkpoint SET sequence = '999999'")

    assert found("event_index").verdict is Verdict.FAIL
    with open_log(Settings.load()) as log, open_catalog(Settings.load(), log) as catalog:
        assert catalog.states()


def test_a_port_that_is_taken_is_a_warning(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    assert home
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        monkeypatch.setenv("FINDSTREAM_PORT", str(busy.getsockname()[1]))

        assert found("port").verdict is Verdict.WARN


def test_roles_that_died_or_restart_often_are_told(home: Home) -> None:
    roles = {
        "api": RoleState("running", os.getpid(), 1, 0),
        "projector": RoleState("running", os.getpid(), 1, 9),
        "notifier": RoleState("waiting", None, 1, 2),
    }
    with home.held():
        home.note(RunState(os.getpid(), 1, "http://127.0.0.1:1", roles))

        verdicts = {name: found(f"role {name}").verdict for name in roles}

    assert verdicts == {"api": Verdict.OK, "projector": Verdict.WARN, "notifier": Verdict.FAIL}


def test_every_failure_and_warning_says_what_to_do(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.path.chmod(0o755)
    home.quarantine.write_bytes(b"no database at all, just a text of some length" * 100)
    monkeypatch.setenv("FINDSTREAM_SLACK_WEBHOOK", "secret")
    monkeypatch.setenv("FINDSTREAM_PROT", "1")

    told = [each for each in examine(now_us()) if each.verdict is not Verdict.OK]

    assert len(told) >= 4
    assert all(each.do for each in told)
    assert orjson.dumps([each.told for each in told])


def test_who_may_sign_in_is_for_the_owner_to_read_only(home: Home) -> None:
    with open_people(Settings.load()) as people:
        assert people.users.admins() == 0
    open_keys(Settings.load()).read()
    assert {found(name).verdict for name in ("people.db", "keys.json")} == {Verdict.OK}

    for path in (home.people, home.keys):
        path.chmod(0o644)
    told = [each for each in examine(now_us()) if each.verdict is Verdict.FAIL]

    assert [each.check for each in told] == ["people.db", "keys.json"]
    assert all("is open to other users" in each.told and "--sign-everybody-out" in each.do for each in told)


def test_signing_keys_that_cannot_be_read_are_told(home: Home) -> None:
    home.keys.write_text("{}")
    home.keys.chmod(0o600)

    told = [each for each in examine(now_us()) if each.verdict is Verdict.FAIL]

    assert [(each.check, each.do) for each in told] == [("keys.json", "delete it for new keys: everybody signs in again")]


def test_commands_that_wait_for_the_relay_are_told(home: Home) -> None:
    settings = Settings.load()
    with open_desk(settings) as desk:
        desk.make(Task, create(), Asked("ada"))
    waiting = found("desks")
    with open_log(settings) as log, open_recorders(settings) as recorders:
        Relay(recorders, log).step()

    assert (waiting.verdict, waiting.told) == (Verdict.WARN, "1 of 1 facts wait to come onto the log")
    assert found("desks") == Finding("desks", Verdict.OK, "1 facts, all on the log")
    assert found("desks.db").verdict is Verdict.OK
    home.desks.unlink()  # a file that is open must not be written to beside SQLite
    home.desks.write_bytes(b"no database at all" * 100)
    assert found("desks").verdict is Verdict.FAIL
