"""``backup``, ``restore`` and ``doctor`` at the command line."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.shell import Findstream, finding, written

Fold = Callable[[], None]


@pytest.fixture
def filled(findstream: Findstream, tmp_path: Path) -> Findstream:
    """A log of five findings."""
    findstream("ingest", written(tmp_path, "a.ndjson", *(finding(number) for number in range(5))))
    return findstream


def test_a_backup_tells_what_it_holds(filled: Findstream, tmp_path: Path) -> None:
    told = filled("backup", str(tmp_path / "copy"), "--json").json

    assert told["backup"] == str(tmp_path / "copy")
    assert told["parts"][1]["holds"]["events"] == 5
    assert "log.db" in filled("backup", str(tmp_path / "copy.tar.gz")).out


@pytest.mark.parametrize("name", ["x.zip", "x.tar.bz2", "x.7z", "x.TAR"])
def test_a_suffix_that_is_not_written_is_refused_with_those_that_are(filled: Findstream, tmp_path: Path, name: str) -> None:
    answer = filled("backup", str(tmp_path / name))

    assert (answer.code, answer.out) == (2, "")
    assert f"TARGET: '{name}' is no name of a backup; write a folder, or a file that ends in .tar, .tar.gz, .tgz" in answer.err
    assert not (tmp_path / name).exists()


def test_a_number_behind_a_dot_is_part_of_a_folders_name(filled: Findstream, tmp_path: Path) -> None:
    assert filled("backup", str(tmp_path / "release-1.2")).code == 0
    assert (tmp_path / "release-1.2").is_dir()


def test_no_folder_is_made_above_a_backup(filled: Findstream, tmp_path: Path) -> None:
    answer = filled("backup", str(tmp_path / "nodir/x"))

    assert (answer.code, answer.out) == (3, "")
    assert f"{tmp_path}/nodir is no folder" in answer.err
    assert not (tmp_path / "nodir").exists()


def test_what_was_lost_comes_back(filled: Findstream, home: Path, tmp_path: Path) -> None:
    filled("backup", str(tmp_path / "copy"))
    home.rename(tmp_path / "lost")

    answer = filled("restore", str(tmp_path / "copy"))

    assert answer.code == 0
    assert f"restored to {home}" in answer.out
    assert filled("status", "--json").json["log"]["events"] == 5


def test_projections_are_folded_anew_after_a_restore(filled: Findstream, fold: Fold, tmp_path: Path) -> None:
    fold()
    before = filled("events", "--json").json
    filled("backup", str(tmp_path / "copy"))
    filled("restore", str(tmp_path / "copy"), "--force")

    fold()

    assert filled("events", "--json").json == before


def test_a_folder_with_data_is_refused_then_moved_aside(filled: Findstream, home: Path, tmp_path: Path) -> None:
    filled("backup", str(tmp_path / "copy"))

    refused = filled("restore", str(tmp_path / "copy"))
    forced = filled("restore", str(tmp_path / "copy"), "--force", "--json")

    assert (refused.code, refused.err) == (
        3, f"findstream: {home} is not empty; --force moves it aside, or set FINDSTREAM_HOME to another folder\n"
    )  # fmt: skip
    assert forced.code == 0
    assert (Path(forced.json["aside"]) / "log.db").exists()


def test_people_are_told_where_the_former_folder_lies(filled: Findstream, tmp_path: Path) -> None:
    filled("backup", str(tmp_path / "copy"))

    assert "what was there before is in " in filled("restore", str(tmp_path / "copy"), "--force").err


def test_a_backup_can_be_checked(filled: Findstream, tmp_path: Path) -> None:
    filled("backup", str(tmp_path / "copy"))

    answer = filled("restore", str(tmp_path / "copy"), "--check")

    assert (answer.code, "can be restored; nothing was changed" in answer.out) == (0, True)


def test_a_damaged_backup_is_refused(filled: Findstream, tmp_path: Path) -> None:
    filled("backup", str(tmp_path / "copy"))
    (tmp_path / "copy" / "log.db").write_bytes(b"nonsense")

    answer = filled("restore", str(tmp_path / "copy"), "--check")

    assert answer.code == 3
    assert "is damaged: log.db" in answer.err


def test_a_target_that_exists_is_refused(filled: Findstream, tmp_path: Path) -> None:
    assert filled("backup", str(tmp_path)).code == 3


def test_a_target_that_cannot_be_written_fails(filled: Findstream) -> None:
    answer = filled("backup", "/proc/copy")

    assert answer.code == 1
    assert "/proc cannot be written" in answer.err


def test_a_healthy_folder_is_told_so(filled: Findstream) -> None:
    told = filled("doctor", "--json").json

    assert told["healthy"] is True
    assert {"settings", "channels", "disk", "clock", "log", "log.db"} <= {each["check"] for each in told["checks"]}
    assert filled("doctor").out.splitlines()[0].split() == ["Verdict", "Check", "Found", "To", "do"]


def test_a_broken_folder_is_a_failure(filled: Findstream, home: Path) -> None:
    with closing(sqlite3.connect(home / "log.db")) as tampered, tampered:
        tampered.execute("UPDATE block SET bodies = zeroblob(length(bodies))")

    answer = filled("doctor")

    assert answer.code == 1
    assert "FAIL" in answer.out
    assert "findstream restore" in answer.out
