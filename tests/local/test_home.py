"""The data folder: one run at a time, and what that run tells of its roles."""

from pathlib import Path

import pytest

from consumers.embedded import open_home
from consumers.errors import AlreadyRunning
from consumers.home import Home, RoleState, RunState
from pipeline.errors import SettingRejected
from pipeline.settings import Settings

STATE = RunState(pid=4711, since_us=5, url="http://127.0.0.1:1", roles={"api": RoleState("running", 4712, 6, 1)})


def test_a_second_run_is_refused_and_names_the_first(tmp_path: Path) -> None:
    with Home(tmp_path).held():
        Home(tmp_path).note(STATE)

        with pytest.raises(AlreadyRunning, match=r"process 4711 already runs on .*FINDSTREAM_HOME"), Home(tmp_path).held():
            pass


def test_a_folder_is_free_again_after_a_run(tmp_path: Path) -> None:
    with Home(tmp_path).held():
        pass

    with Home(tmp_path).held():
        pass


def test_a_run_is_seen_while_it_holds_the_folder(tmp_path: Path) -> None:
    with Home(tmp_path).held():
        Home(tmp_path).note(STATE)

        assert Home(tmp_path).running() == STATE


def test_what_a_dead_run_told_is_not_believed(tmp_path: Path) -> None:
    with Home(tmp_path).held():
        pass
    Home(tmp_path).note(STATE)

    assert Home(tmp_path).running() is None


def test_nobody_runs_on_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert Home(tmp_path / "nothing").running() is None


def test_a_run_that_told_nothing_yet_is_seen_all_the_same(tmp_path: Path) -> None:
    with Home(tmp_path).held():
        assert Home(tmp_path).running() == RunState(pid=0, since_us=0, url="")


def test_a_new_folder_is_for_its_owner_only(tmp_path: Path) -> None:
    Home(tmp_path / "new" / "var").make()

    assert (tmp_path / "new" / "var").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("name", "url"), [("LOG_URL", "kinesis://findings"), ("STORE_URL", "dynamodb://findstream"), ("BODIES_URL", "s3://bucket")]
)
def test_settings_of_parts_on_aws_are_refused_where_data_lies_in_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, url: str
) -> None:
    monkeypatch.setenv("FINDSTREAM_HOME", str(tmp_path / "var"))
    monkeypatch.setenv(f"FINDSTREAM_{name}", url)

    with pytest.raises(SettingRejected, match=f"FINDSTREAM_{name}: names what is on AWS"):
        open_home(Settings.load())

    assert not (tmp_path / "var").exists()
