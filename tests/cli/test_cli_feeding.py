"""``ingest`` and ``sample``: everything that goes in is told, in exactly four numbers."""

import gzip
import io
import os
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from consumers.composition import open_log
from consumers.notifier.ledger.sqlite import SqliteLedger
from consumers.notifier.notifier import begin
from pipeline.settings import Settings
from tests.cli.shell import Findstream, finding, written

BROKEN = finding(9, time="the day before yesterday")


def test_a_file_of_findings_goes_in(findstream: Findstream, tmp_path: Path) -> None:
    answer = findstream("ingest", written(tmp_path, "a.ndjson", finding(1), finding(2)), "--json")

    assert answer.code == 0
    assert answer.json == {"read": 2, "accepted": 2, "duplicate": 0, "quarantined": 0}


def test_who_feeds_a_folder_that_never_ran_hears_that_nobody_is_told(findstream: Findstream, home: Path, tmp_path: Path) -> None:
    before = findstream("ingest", written(tmp_path, "a.ndjson", finding(1)))
    again = findstream("ingest", written(tmp_path, "a.ndjson", finding(1)))
    with open_log(Settings.load()) as log, closing(SqliteLedger(home / "notices.db")) as ledger:
        begin(log, ledger)
    after = findstream("ingest", written(tmp_path, "b.ndjson", finding(2)))

    assert "nobody is notified of these" in before.err
    assert (again.err, after.err) == ("", "")


def test_the_same_again_is_all_duplicates(findstream: Findstream, tmp_path: Path) -> None:
    path = written(tmp_path, "a.ndjson", finding(1), finding(2))
    findstream("ingest", path)

    assert findstream("ingest", path, path, "--json").json == {"read": 4, "accepted": 0, "duplicate": 4, "quarantined": 0}


def test_quarantine_is_no_failure_but_is_said(findstream: Findstream, tmp_path: Path) -> None:
    answer = findstream("ingest", written(tmp_path, "a.ndjson", finding(1), BROKEN), "--json")

    assert answer.code == 0
    assert answer.json == {"read": 2, "accepted": 1, "duplicate": 0, "quarantined": 1}
    assert "1 item could not be understood; kept: findstream quarantine list\n" in answer.err


def test_people_read_the_same_numbers(findstream: Findstream, tmp_path: Path) -> None:
    answer = findstream("ingest", written(tmp_path, "a.ndjson", finding(1)))

    assert answer.out == "1 read, 1 accepted, 0 duplicate, 0 quarantined\n"


def test_a_folder_is_opened_up_and_gzip_too(findstream: Findstream, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "deeper").mkdir(parents=True)
    written(folder, "a.ndjson", finding(1))
    (folder / "deeper" / "b.json.gz").write_bytes(gzip.compress(orjson.dumps([finding(2), finding(3)])))
    (folder / ".hidden").write_bytes(b"rubbish")

    assert findstream("ingest", str(folder), "--json").json == {"read": 3, "accepted": 3, "duplicate": 0, "quarantined": 0}


def test_stdin_is_read_to_its_end(findstream: Findstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, "a.ndjson", finding(1), finding(2))
    with Path(path).open("rb") as file, io.TextIOWrapper(io.BufferedReader(io.FileIO(file.fileno(), closefd=False))) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)

        assert findstream("ingest", "-", "--json").json["accepted"] == 2


def test_nothing_is_read_if_one_file_is_missing(findstream: Findstream, tmp_path: Path) -> None:
    answer = findstream("ingest", written(tmp_path, "a.ndjson", finding(1)), str(tmp_path / "b.ndjson"))

    assert answer.code == 2
    assert "holds no data" in findstream("status").err


def test_a_damaged_file_is_named_and_the_rest_is_taken(findstream: Findstream, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.gz"
    damaged.write_bytes(gzip.compress(os.urandom(5000))[:2000])

    answer = findstream("ingest", str(damaged), written(tmp_path, "a.ndjson", finding(1)), "--json")

    assert answer.code == 3
    assert answer.json["accepted"] == 1
    assert f"{damaged}: " in answer.err


def test_what_came_before_the_damage_is_counted(findstream: Findstream, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.gz"
    damaged.write_bytes(gzip.compress(orjson.dumps(finding(1)) + b"\n" + os.urandom(3_000_000))[:2_000_000])

    answer = findstream("ingest", str(damaged), "--json")

    assert (answer.code, answer.json["accepted"]) == (3, 1)
    assert answer.json["read"] == sum(answer.json[part] for part in ("accepted", "duplicate", "quarantined"))
    assert answer.err.count("what came before was taken") == 1


def test_a_file_that_may_not_be_read_fails_with_its_name(findstream: Findstream, tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)

    answer = findstream("ingest", str(loop))

    assert answer.code == 2
    assert str(loop) in answer.err


def test_a_sample_is_the_same_for_the_same_seed(findstream: Findstream) -> None:
    asked = ("sample", "--count", "50", "--seed", "4", "--until", "2026-01-31")

    first, second = findstream(*asked), findstream(*asked)

    assert first.out == second.out
    assert len(first.out.splitlines()) == 50


def test_samples_differ_without_a_seed(findstream: Findstream) -> None:
    asked = ("sample", "--count", "20", "--until", "2026-01-31")

    assert findstream(*asked).out != findstream(*asked).out


def test_a_sample_in_json_holds_nothing_broken(findstream: Findstream) -> None:
    asked = ("sample", "--count", "2000", "--seed", "7", "--until", "2026-01-31")
    plain, as_json = findstream(*asked).out, findstream(*asked, "--json").out

    assert any(not line.startswith("{") for line in plain.split("\n") if line)
    assert len([orjson.loads(line) for line in as_json.split("\n") if line]) == 2000


def test_json_and_what_is_broken_are_not_printed_together(findstream: Findstream) -> None:
    answer = findstream("sample", "--count", "3", "--malformed", "0.1", "--json")

    assert (answer.code, answer.out) == (2, "")
    assert "leave one of them out, or write --ingest" in answer.err


def test_a_sample_can_be_taken_in_at_once(findstream: Findstream) -> None:
    told = findstream(
        "sample", "--count", "300", "--seed", "1", "--malformed", "0.2", "--duplicates", "0.2", "--ingest", "--json"
    ).json

    assert told["read"] == 300
    assert told["accepted"] + told["duplicate"] + told["quarantined"] == 300
    assert min(told.values()) > 20


def test_a_live_sample_keeps_to_its_rate_and_count(findstream: Findstream) -> None:
    answer = findstream("sample", "--rate", "500", "--count", "40", "--ingest", "--json")

    assert answer.code == 0
    assert answer.json["read"] == 40
