"""``tail``, ``events`` and ``status``: what is on the log, what the index holds, how all fares."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from consumers.composition import now_us
from consumers.home import Home
from tests.cli.shell import Findstream, finding, written

Fold = Callable[[], None]
COMMAND = (sys.executable, "-m", "consumers.cli")


@pytest.fixture
def filled(findstream: Findstream, fold: Fold, tmp_path: Path) -> Findstream:
    """A log of six findings, folded."""
    mild = [finding(number, detail={"title": f"probe {number} is fine", "severity": "LOW"}) for number in range(4)]
    bad = finding(4, source="monitoring.other", account="444455556666")
    findstream("ingest", written(tmp_path, "a.ndjson", *mild, bad, finding(5)))
    fold()
    return findstream


def test_tail_shows_what_is_on_the_log(filled: Findstream) -> None:
    answer = filled("tail", "--since-start", "--no-follow")

    assert len(answer.out.splitlines()) == 6
    assert "HIGH     444455556666 monitoring.other" in answer.out


@pytest.mark.parametrize(
    ("last", "numbers"), [("0", []), ("1", [5]), ("3", [3, 4, 5]), ("6", list(range(6))), ("99", list(range(6)))]
)
def test_tail_begins_with_the_last_events(findstream: Findstream, tmp_path: Path, last: str, numbers: list[int]) -> None:
    for number in range(6):
        findstream("ingest", written(tmp_path, "a.ndjson", finding(number)))

    told = findstream("tail", "-n", last, "--no-follow", "--json").lines

    assert [int(event["source_id"][-1]) for event in told] == numbers


def test_the_last_events_are_counted_behind_the_filters(
    findstream: Findstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.cli.last.READ_AT_ONCE", 3)
    wanted = [finding(number, source="monitoring.wanted") for number in range(5)]
    findstream("ingest", written(tmp_path, "a.ndjson", *wanted))
    findstream("ingest", written(tmp_path, "b.ndjson", *(finding(number) for number in range(5, 60))))

    told = findstream("tail", "-n", "2", "--source", "monitoring.wanted", "--no-follow", "--json").lines

    assert len(told) == 2
    assert len(findstream("tail", "-n", "9", "--source", "monitoring.wanted", "--no-follow").out.splitlines()) == 5


def test_a_type_that_no_event_can_have_is_told_with_those_there_are(filled: Findstream) -> None:
    unknown = filled("tail", "--type", "nope.nope", "--no-follow")

    assert (unknown.code, unknown.out) == (0, "")
    assert unknown.err.startswith("no event has the type 'nope.nope' so far; there are ")
    assert "finding.observed" in unknown.err
    assert filled("tail", "--type", "task.created", "--no-follow").err == ""


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        (("-s", "HIGH"), 2),
        (("--source", "monitoring.other"), 1),
        (("--account", "111122223333"), 5),
        (("--type", "finding.observed"), 6),
        (("--type", "task.created"), 0),
        (("--resource", "arn:aws:test:eu-west-1:111122223333:thing/3"), 1),
        (("--text", "FINE probe"), 4),
        (("--text", "fin"), 0),
    ],
)
def test_tail_filters(filled: Findstream, filters: tuple[str, ...], count: int) -> None:
    assert len(filled("tail", "--since-start", "--no-follow", "--json", *filters).lines) == count


def test_tail_in_json_has_position_header_and_body(filled: Findstream) -> None:
    told = filled("tail", "--since-start", "--no-follow", "--json", "--source", "monitoring.other").lines[0]

    assert told["position"].startswith("shard-")
    assert told["account"] == "444455556666"
    assert told["body"]["raw"]["id"] == "00000000-0000-4000-8000-000000000004"


def test_text_of_a_finding_cannot_steer_the_terminal(findstream: Findstream, fold: Fold, tmp_path: Path) -> None:
    evil = finding(1, detail={"title": "\x1b[2Jgone \u202etxt\r\n\x07 \x9b31m", "severity": "HIGH"})
    findstream("ingest", written(tmp_path, "a.ndjson", evil))
    fold()

    for command in (("tail", "--since-start", "--no-follow"), ("events",)):
        out = findstream(*command).out
        assert not set(out) & set("\x1b\x07\r\x9b\u202e")


def test_events_come_newest_first(filled: Findstream) -> None:
    told = filled("events", "--json").json

    times = [event["time_us"] for event in told["events"]]
    assert times == sorted(times, reverse=True)
    assert len(times) == 6


def test_events_can_be_asked_for(filled: Findstream) -> None:
    def count(*asked: str) -> int:
        return len(filled("events", "--json", *asked).json["events"])

    assert count("-s", "HIGH") == 2
    assert count("--source", "monitoring.other") == 1
    assert count("--account", "444455556666") == 1
    assert count("--text", "fine") == 4
    assert count("--since", "2026-01-01T00:00:04Z") == 2
    assert count("--until", "2026-01-01T00:00:04Z") == 4
    assert count("--resource", "arn:aws:test:eu-west-1:111122223333:thing/5") == 1
    assert count("--id", "00000000-0000-4000-8000-000000000002") == 1
    assert count("--since", "1d") == 0


def test_pages_of_events_join_without_gap(filled: Findstream) -> None:
    first = filled("events", "-n", "4", "--json").json
    second = filled("events", "-n", "4", "--json", "--cursor", first["next"]).json

    assert [*first["events"], *second["events"]] == filled("events", "--json").json["events"]
    assert second["next"] == ""
    assert first["next"] in filled("events", "-n", "4").err


def test_nobody_is_left_without_a_word_if_nothing_matches(filled: Findstream) -> None:
    assert filled("events", "--account", "999999999999").err == "no event matches\n"


def test_status_tells_of_all_parts(filled: Findstream) -> None:
    told = filled("status", "--json").json

    assert told["run"] is None
    assert told["log"]["events"] == 6
    assert {each["name"]: each["lag_events"] for each in told["projections"]} == {
        **dict.fromkeys(
            ("agent_status", "alerts", "configuration", "daily_aggregates", "event_index", "policies", "rules", "task_board"), 0
        ),
        "judging": 6,
    }
    assert told["quarantine"] == {"held": 0, "released": 0, "discarded": 0}


def test_people_read_of_each_part_under_its_name(filled: Findstream) -> None:
    labels = [line.split()[0] for line in filled("status").out.partition("\n\n")[0].splitlines()]

    assert labels == ["data", "log", "run", "quarantine", "notices"]


def test_a_reader_that_goes_away_ends_the_command_quietly(findstream: Findstream, home: Path) -> None:
    findstream("sample", "--count", "3000", "--ingest")
    with subprocess.Popen(
        [*COMMAND, "tail", "--since-start", "--no-follow", "--json"], stdout=-1, stderr=-1, env=_with(home)
    ) as tail:
        assert tail.stdout is not None
        assert tail.stderr is not None
        tail.stdout.readline()
        tail.stdout.close()

        assert tail.stderr.read() == b""
        assert tail.wait(20) == 141


def test_tail_follows_what_other_processes_append_until_ctrl_c(findstream: Findstream, home: Path, tmp_path: Path) -> None:
    findstream("ingest", written(tmp_path, "a.ndjson", finding(1)))
    with subprocess.Popen([*COMMAND, "tail", "--since-start", "--json"], stdout=-1, stderr=-1, env=_with(home)) as tail:
        assert tail.stdout is not None
        assert tail.stderr is not None
        first = orjson.loads(tail.stdout.readline())
        findstream("ingest", written(tmp_path, "b.ndjson", finding(2)))
        second = orjson.loads(tail.stdout.readline())
        tail.send_signal(signal.SIGINT)

        assert tail.wait(20) == 130
        assert tail.stderr.read() == b""
        assert (first["source_id"][-1], second["source_id"][-1]) == ("1", "2")


def test_a_stopped_command_leaves_no_trace(findstream: Findstream, home: Path, tmp_path: Path) -> None:
    findstream("ingest", written(tmp_path, "a.ndjson", finding(1)))
    with subprocess.Popen([*COMMAND, "tail", "--since-start", "--json"], stdout=-1, stderr=-1, env=_with(home)) as tail:
        assert tail.stdout is not None
        assert tail.stderr is not None
        tail.stdout.readline()
        tail.terminate()

        assert tail.wait(20) == 143
        assert tail.stderr.read() == b""


def _with(home: Path) -> dict[str, str]:
    return os.environ | {"FINDSTREAM_HOME": str(home), "PYTHONPATH": str(Path(__file__).parents[2])}


def test_a_lag_while_findstream_runs_is_told_once_it_lasts(
    findstream: Findstream, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    findstream("ingest", written(tmp_path, "a.ndjson", finding(1)))
    with Home(home).held():
        soon = findstream("events").err
        monkeypatch.setattr("consumers.cli.freshness.now_us", lambda: now_us() + 60_000_000)
        late = findstream("events").err

    assert soon == "no event matches\n"
    assert late == "the index is 1 event behind the log, though findstream runs: see findstream status\nno event matches\n"


def test_who_asks_an_index_that_nobody_folds_hears_so(findstream: Findstream, fold: Fold, tmp_path: Path) -> None:
    findstream("ingest", written(tmp_path, "a.ndjson", finding(1), finding(2)))
    before = findstream("events")
    fold()

    assert before.err == "the index is 2 events behind the log: findstream run folds what is missing\nno event matches\n"
    assert findstream("events").err == ""
