"""``findstream run`` as people use it: one command, real processes, real signals."""

import os
import signal
import socket
import subprocess
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from consumers.home import alive
from consumers.notifier.ledger.sqlite import SqliteLedger
from consumers.roles import NAMES, SAMPLE
from projections.stores.sqlite import SqliteStore
from tests.local.running import COMMAND, Run, environment, free_port, running, wait_until


def finding(number: int) -> bytes:
    return orjson.dumps(
        {
            "version": "0",
            "id": f"00000000-0000-4000-8000-{number:012}",
            "detail-type": "Probe Result",
            "source": "monitoring.probes",
            "account": "111122223333",
            "time": "2026-01-01T00:00:00Z",
            "region": "eu-west-1",
            "resources": [],
            "detail": {"title": f"probe {number} failed", "severity": "CRITICAL"},
        }
    )


def notices_of_findings(run: Run) -> int:
    """How many there are; from 09:00 UTC on the daily report makes one of its own."""
    return sum(notice["key"].startswith("findings/") for notice in run.told("notify", "ledger")["notices"])


def test_what_goes_in_is_folded_served_and_told_of_and_a_stop_leaves_nothing_running(tmp_path: Path) -> None:
    with running(tmp_path / "var") as run:
        roles = run.until_running()
        run.until_serving()

        told = run.ingest(finding(1))
        wait_until(lambda: len(run.told("events")["events"]) == 1)
        wait_until(lambda: notices_of_findings(run) == 1)
        status = run.told("status")
        shown = run.call("status").stdout.decode()
        page = run.answers("/sign-in")
        code = run.stop()

    assert told == {"read": 1, "accepted": 1, "duplicate": 0, "quarantined": 0}
    assert set(roles) == set(NAMES) - {SAMPLE}
    assert len({role["pid"] for role in roles.values()}) == len(roles)
    assert all(role["alive"] for role in status["run"]["roles"].values())
    assert [name for name in roles if f"{name} " in shown] == list(roles)
    assert page
    assert code == 0
    assert not [role for role in roles.values() if alive(role["pid"])]
    assert f"http://127.0.0.1:{run.port}/".encode() in run.err
    assert run.err.endswith(b"findstream stopped\n")
    assert not [line for line in run.err.splitlines() if b'"level":"ERROR"' in line or b"Traceback" in line]


def test_a_command_is_on_the_board_in_a_moment(tmp_path: Path) -> None:
    with running(tmp_path / "var") as run:
        run.until_running()
        run.until_serving()
        run.log_in()
        made = run.told("tasks", "create", "--title", "Look at it", "--description", "Somebody ought to look.")
        wait_until(lambda: run.told("tasks", "list")["total"] == 1)
        history = run.told("tasks", "history", made["id"])
        assert run.stop() == 0

    assert [told["type"] for told in history["items"]] == ["task.created"]


def test_a_second_run_goes_on_where_the_first_was(tmp_path: Path) -> None:
    with running(tmp_path / "var") as run:
        run.until_running()
        run.ingest(finding(1))
        wait_until(lambda: len(run.told("events")["events"]) == 1)
        assert run.stop(signal.SIGINT) == 0

    with running(tmp_path / "var") as run:
        run.until_running()
        run.ingest(finding(2))
        wait_until(lambda: len(run.told("events")["events"]) == 2)
        generations = {each["generation"] for each in run.told("status")["projections"]}
        assert run.stop() == 0

    assert generations == {1}


def test_a_killed_role_is_started_again_and_nothing_is_lost(tmp_path: Path) -> None:
    with running(tmp_path / "var") as run:
        first = run.until_running()["projector"]["pid"]
        os.kill(first, signal.SIGKILL)
        run.ingest(finding(1))

        again = run.until(lambda roles: roles["projector"]["pid"] not in {None, first})["projector"]
        wait_until(lambda: len(run.told("events")["events"]) == 1)
        run.stop()

    assert again["restarts"] == 1
    assert b"projector was killed by SIGKILL" in run.err


def test_a_writer_that_takes_over_for_a_moment_is_let_through(tmp_path: Path) -> None:
    with running(tmp_path / "var") as run:
        run.until_running()
        run.ingest(finding(1))
        wait_until(lambda: len(run.told("events")["events"]) == 1)
        wait_until(lambda: notices_of_findings(run) == 1)
        with (
            closing(SqliteStore(tmp_path / "var" / "projections", clock=lambda: 1)) as store,
            closing(store.open(store.serving()["event_index"])) as generation,
        ):
            generation.claim("somebody else", generation.checkpoints())
        with closing(SqliteLedger(tmp_path / "var" / "notices.db")) as ledger:
            ledger.claim()

        run.ingest(finding(2))

        wait_until(lambda: len(run.told("events")["events"]) == 2)
        again = run.until(lambda roles: roles["notifier"]["restarts"] == 1 and roles["notifier"]["state"] == "running")
        wait_until(lambda: notices_of_findings(run) == 2)
        run.stop()

    assert again["projector"]["restarts"] == 0
    assert b"another writer took over" in run.err


def test_no_role_outlives_a_killed_supervisor(tmp_path: Path) -> None:
    with running(tmp_path / "var") as run:
        pids = [role["pid"] for role in run.until_running().values()]
        run.until_serving()

        run.process.kill()

        wait_until(lambda: not any(map(alive, pids)))


def test_a_second_run_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    with running(tmp_path / "var") as run:
        run.until_running()

        second = subprocess.run(
            [*COMMAND, "run"], capture_output=True, check=False, env=environment(tmp_path / "var", free_port())
        )

    assert second.returncode == 3
    assert f"process {run.process.pid} already runs on {tmp_path / 'var'}".encode() in second.stderr
    assert len(second.stderr.splitlines()) == 1


def test_a_port_in_use_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]

        answer = subprocess.run([*COMMAND, "run"], capture_output=True, check=False, env=environment(tmp_path / "var", port))

    assert answer.returncode == 1
    assert f"port {port} on 127.0.0.1 is taken".encode() in answer.stderr
    assert len(answer.stderr.splitlines()) == 1


def test_settings_that_are_none_are_told_at_the_start(tmp_path: Path) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        strange = {"FINDSTREAM_SLACK_WEBHOK": "https://hooks.example/x", "FINDSTREAM_WEATHER": "fair"}
        env = environment(tmp_path / "var", busy.getsockname()[1]) | strange

        answer = subprocess.run([*COMMAND, "run"], capture_output=True, check=False, env=env, text=True)

    assert answer.stderr.splitlines()[:2] == [
        "FINDSTREAM_SLACK_WEBHOK is no setting and does nothing; did you mean FINDSTREAM_SLACK_WEBHOOK?",
        "FINDSTREAM_WEATHER is no setting and does nothing; see docs/settings.md",
    ]


def test_a_wrong_channels_file_is_refused_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "channels.yaml").write_text("nonsense: 1")
    wrong = environment(tmp_path / "var", free_port()) | {"FINDSTREAM_CHANNELS": str(tmp_path / "channels.yaml")}

    answer = subprocess.run([*COMMAND, "run"], capture_output=True, check=False, env=wrong)

    assert answer.returncode == 2
    assert b"channels.yaml: nonsense: there is no such key" in answer.stderr
    assert not (tmp_path / "var").exists()


def test_a_sample_run_has_a_past_and_goes_on(tmp_path: Path) -> None:
    with running(tmp_path / "var", "--sample", "--rate", "20") as run:
        assert SAMPLE in run.until_running()
        past = run.told("status")["log"]["events"]
        wait_until(lambda: run.told("status")["log"]["events"] > past)
        wait_until(lambda: bool(run.told("events", "--since", "1m")["events"]))
        old = run.told("events", "--until", "7d", "-n", "5")["events"]
        notices = run.told("notify", "ledger", "-n", "1000")["notices"]
        run.until_serving()
        wait_until(lambda: len(run.asked("/agents")["items"]) == 24)
        agents = run.asked("/agents")["items"]
        assert run.stop() == 0

    assert past > 5000
    assert len(old) == 5
    assert len(notices) < 500
    assert "offline" not in {agent["status"] for agent in agents}


def test_a_backup_is_taken_and_a_replay_is_equal_under_way(tmp_path: Path) -> None:
    with running(tmp_path / "var", "--sample", "--rate", "100") as run:
        run.until_running()
        backup = run.told("backup", str(tmp_path / "copy.tar"))
        meanwhile = run.told("restore", str(tmp_path / "copy.tar"), "--check")
        replay = run.told("replay")
        rebuilt = run.told("rebuild", "event_index")
        refused = run.call("restore", str(tmp_path / "copy.tar"), "--force")
        assert run.stop() == 0
        checked = run.told("restore", str(tmp_path / "copy.tar"), "--check")

    assert {part["name"]: part["holds"] for part in backup["parts"]}["log"]["events"] > 5000
    assert replay["equal"] is True
    assert rebuilt["rebuilt"][0]["outcome"] == "switched"
    assert (refused.returncode, b"stop it first" in refused.stderr) == (3, True)
    assert meanwhile["checked"] is True
    assert checked["checked"] is True


@pytest.mark.parametrize("role", sorted(set(NAMES) - {SAMPLE}))
def test_each_role_can_be_run_by_itself_and_stops_cleanly(tmp_path: Path, role: str) -> None:
    with subprocess.Popen(
        [COMMAND[0], "-m", "consumers.role", role], stderr=subprocess.PIPE, env=environment(tmp_path / "var", free_port())
    ) as process:
        wait_until(lambda: _catches_sigterm(process.pid) and (tmp_path / "var" / "log.db").exists())
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        err = process.stderr.read()

        assert process.wait(60) == 0
    assert orjson.loads(err.splitlines()[-1])["message"] == f"{role} stopped"


def _catches_sigterm(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


def test_a_role_with_a_wrong_setting_says_which(tmp_path: Path) -> None:
    wrong = environment(tmp_path / "var", 1) | {"FINDSTREAM_SHARDS": "many"}

    answer = subprocess.run([COMMAND[0], "-m", "consumers.role", "projector"], capture_output=True, check=False, env=wrong)

    assert answer.returncode == 2
    assert b"FINDSTREAM_SHARDS" in answer.stderr


def test_a_role_that_cannot_go_on_logs_why_and_fails(tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "log.db").write_bytes(b"this is no log at all, just some text" * 200)

    answer = subprocess.run(
        [COMMAND[0], "-m", "consumers.role", "projector"], capture_output=True, check=False, env=environment(tmp_path / "var", 1)
    )

    assert answer.returncode == 1
    assert orjson.loads(answer.stderr.splitlines()[-1])["message"] == "projector ended by an error"
