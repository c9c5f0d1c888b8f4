"""The operator's commands where the log is a stream and the rest stands in a table: the same commands, told so by URLs."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from threading import Event, Thread
from typing import Any

import boto3
import pytest

from consumers import role
from pipeline.log.kinesis.topology import Topology
from projections.projector import ALL, Projector, named
from projections.rebuild import Progress, Rebuilder
from projections.stores.port import Status
from projections.stores.sqlite import SqliteStore
from tests.aws.clients import Server
from tests.aws.doors import Central, central
from tests.aws.kinesis_logs import log_on
from tests.aws.streams import reshard
from tests.cli.shell import Findstream, finding, written
from tests.support.dynamo import dynamo_store
from tests.support.spine import frozen_clock, rows_of

NAMES = [projection.name for projection in ALL]


@pytest.fixture
def stack(kinesis_local: Server, ministack: Server, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Central]:
    assert home
    with central(kinesis_local, ministack, monkeypatch) as stack:
        yield stack


@pytest.fixture
def told(tmp_path: Path, stack: Central, findstream: Findstream) -> Callable[..., None]:
    """Findings put on the stream by the command."""
    assert stack

    def tell(*numbers: int) -> None:
        answer = findstream("ingest", written(tmp_path, "told.ndjson", *map(finding, numbers)), "--json")
        assert (answer.code, answer.json["accepted"]) == (0, len(numbers)), answer

    return tell


def serving(aws: Server, stack: Central) -> dict[str, int]:
    return {name: info.number for name, info in dynamo_store(aws, stack.table).serving().items()}


def test_what_is_ingested_is_seen_by_who_looks(
    stack: Central, told: Callable[..., None], findstream: Findstream, home: Path
) -> None:
    told(*range(5))

    stack.source("projections.handler").drain()

    status = findstream("status", "--json").json
    assert (status["home"], status["run"], status["log"]["events"]) == (None, None, None)
    assert status["log"]["url"] == f"kinesis://{stack.stream}"
    assert len(status["log"]["shards"]) == 2
    assert {p["name"]: (p["lag_events"], p["generation"]) for p in status["projections"]} == {
        **dict.fromkeys(NAMES, (0, 1)),
        "judging": (5, 1),
    }
    in_words = findstream("status").out
    assert f"log        kinesis://{stack.stream}, 2 shards\n" in in_words
    assert "run  " not in in_words
    assert len(findstream("events", "--json").json["events"]) == 5
    assert findstream("report", "--date", "2026-01-01", "--json").json["totals"]["severity"] == {"3": 5}
    assert len(findstream("tail", "--since-start", "--no-follow", "--json").lines) == 5
    assert findstream("tail", "--no-follow", "--json").lines == []
    assert not home.exists()


def test_the_last_events_of_a_stream_are_not_looked_for(stack: Central, findstream: Findstream) -> None:
    assert stack

    answer = findstream("tail", "-n", "3", "--no-follow")

    assert (answer.code, answer.err) == (
        3,
        "findstream: a stream is not read backwards: leave --last out, ask findstream events, or read all with --since-start\n",
    )


def test_who_asks_an_index_that_is_far_behind_is_told_so(
    told: Callable[..., None], findstream: Findstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(1, 2)
    assert "behind" not in findstream("events").err

    monkeypatch.setattr("consumers.cli.freshness._PATIENCE_ON_AWS_US", 0)

    assert "the index is 2 events behind the log at least: see findstream status" in findstream("events").err


def test_what_could_not_be_understood_is_listed_shown_taken_in_again_and_given_up(
    stack: Central, findstream: Findstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strange = written(tmp_path, "strange.ndjson", finding(1, source="ours"), finding(2, source="theirs"))
    assert findstream("ingest", strange, "--json").json["quarantined"] == 2
    items = findstream("quarantine", "list", "--json").json["items"]
    (ours,) = (item["id"] for item in items if item["reason"].startswith("'ours'") or "ours" in item["reason"])
    (theirs,) = {item["id"] for item in items} - {ours}

    monkeypatch.setenv("FINDSTREAM_CUSTOM_SOURCES", "ours")

    assert json.loads(findstream("quarantine", "show", ours, "--raw").out)["source"] == "ours"
    assert findstream("quarantine", "reingest", ours, "--json").json["accepted"] == 1
    assert findstream("quarantine", "discard", theirs).code == 0
    assert findstream("quarantine", "list", "--json").json["counts"] == {"held": 0, "released": 1, "discarded": 1}
    stack.source("projections.handler").drain()
    assert len(findstream("events", "--json").json["events"]) == 1


def test_what_is_parked_is_listed_shown_and_driven_again(
    stack: Central, told: Callable[..., None], findstream: Findstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = type(named("event_index"))
    with monkeypatch.context() as broken:
        broken.setattr(index, "fold", _broken)
        told(1)
        stack.source("projections.handler").drain()
        (parked,) = findstream("parked", "list", "--json").json["parked"]
        again = findstream("parked", "redrive", "--all")
    assert (parked["projection"], parked["why"]) == ("event_index", "ZeroDivisionError: not today")
    assert (again.code, again.out) == (3, "0 folded, 1 still parked\n")
    assert "ZeroDivisionError" in findstream("parked", "show", parked["key"]).out

    assert findstream("parked", "redrive", parked["key"], "-p", "event_index", "--json").json == {"folded": 1, "parked": 0}

    assert len(findstream("events", "--json").json["events"]) == 1
    told(2)
    stack.source("projections.handler").drain()  # who was fenced takes over again
    assert len(findstream("events", "--json").json["events"]) == 2


def _broken(*_: object) -> None:
    message = "not today"
    raise ZeroDivisionError(message)


def test_dead_letters_are_looked_at_and_driven_again(stack: Central, findstream: Findstream) -> None:
    assert stack

    assert findstream("notify", "ledger", "--json").json == {"notices": [], "tallies": []}
    assert findstream("notify", "ledger", "--channel", "oncall", "--json").json == {"notices": [], "tallies": []}
    assert findstream("notify", "redrive", "--all", "--json").json == {"redriven": 0}


def test_who_has_a_channel_tried_wakes_the_notifier(
    stack: Central, findstream: Findstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = stack.wakes()

    assert findstream("notify", "retry", "default", "--json").json == {"channel": "default", "waiting": 0, "until_us": None}
    assert stack.wakes() == before + 1

    monkeypatch.delenv("FINDSTREAM_NOTIFIER_TIMER_URL")
    assert "the notifier was not woken" in findstream("notify", "retry", "default").err


def test_a_replay_finds_the_rows_equal_and_leaves_nothing_behind(
    stack: Central, ministack: Server, told: Callable[..., None], findstream: Findstream
) -> None:
    told(*range(30))
    stack.source("projections.handler").drain()

    answer = findstream("replay", "--json")

    assert (answer.code, answer.json["equal"]) == (0, True)
    assert {each["projection"]: each["compared"] > 0 for each in answer.json["projections"]} == {
        "event_index": True,
        "agent_status": True,
        "task_board": False,
        "daily_aggregates": True,
        "configuration": False,
        "rules": False,
        "alerts": False,
        "policies": False,
    }
    assert serving(ministack, stack) == dict.fromkeys(NAMES, 1)
    assert [len(dynamo_store(ministack, stack.table).generations(name)) for name in NAMES] == [1] * len(NAMES)


@pytest.mark.parametrize("processes", [1, 2])
def test_all_is_rebuilt_while_nothing_comes(
    stack: Central, ministack: Server, told: Callable[..., None], findstream: Findstream, processes: int
) -> None:
    told(*range(30))
    stack.source("projections.handler").drain()

    answer = findstream("rebuild", "--all", "--diff", "--processes", str(processes), "--json")

    assert answer.code == 0, answer.err
    for rebuilt in answer.json["rebuilt"]:
        assert (rebuilt["outcome"], rebuilt["generation"], rebuilt["folded"], rebuilt["parked"]) == ("switched", 2, 30, 0)
        assert rebuilt["difference"]["samples"] == []
    assert serving(ministack, stack) == dict.fromkeys(NAMES, 2)
    assert len(findstream("events", "--json").json["events"]) == 30


class Live:
    """Findings that keep coming, the projector's function that keeps folding them, and a stream that splits meanwhile."""

    def __init__(self, stack: Central, told: Callable[[int], None]) -> None:
        self._stack = stack
        self._told = told
        self._stop = Event()
        self._failed: list[Exception] = []
        self.source = stack.source("projections.handler")
        self.number = 0
        self.thread = Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        kinesis = self._stack.kinesis.client("kinesis")
        try:
            while not self._stop.is_set():
                self._told(self.number)
                self.number += 1
                self.source.poll(flush=True)
                if self.number in {5, 15}:
                    reshard(kinesis, self._stack.stream, self.number)
        except Exception as failure:  # noqa: BLE001  # told by the thread that waits
            self._failed.append(failure)

    def wait_for(self, number: int, seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while self.number < number:
            assert not self._failed, self._failed
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def stop(self) -> None:
        self._stop.set()
        self.thread.join()
        assert not self._failed, self._failed


def test_all_is_rebuilt_while_the_projector_goes_on_and_the_stream_splits(
    stack: Central, ministack: Server, findstream: Findstream, tmp_path: Path
) -> None:
    kinesis = stack.kinesis.client("kinesis")
    log = log_on(kinesis, stack.stream, on_unreadable=lambda _: None)  # strays of the split are appended again

    def tell(number: int) -> None:
        found = [finding(number * 10 + each, account=f"{each:012}") for each in range(10)]
        stack.invoke(
            "pipeline.intake.handler",
            {"Records": [{"messageId": "m", "body": json.dumps(each), "eventSource": "aws:sqs"} for each in found]},
        )

    live = Live(stack, tell)
    live.thread.start()
    live.wait_for(10)

    began = live.number
    answer = findstream("rebuild", "--all")
    ended = live.number
    live.wait_for(ended + 10)
    live.stop()
    live.source.drain()

    assert answer.code == 0, answer.err
    assert serving(ministack, stack) == dict.fromkeys(NAMES, 2)
    assert ended > began, "nothing came meanwhile"
    store = dynamo_store(ministack, stack.table)
    with closing(SqliteStore(tmp_path / "sqlite", clock=frozen_clock)) as sqlite:
        with closing(Projector(log, sqlite, token="calm")) as projector:
            while projector.step():
                pass
        for name in NAMES:
            assert rows_of(store, name) == rows_of(sqlite, name)
    assert len(rows_of(store, "event_index")["entries"]) == live.number * 10


def test_a_rebuild_is_cancelled_from_elsewhere(
    stack: Central, ministack: Server, told: Callable[..., None], findstream: Findstream
) -> None:
    told(*range(30))
    stack.source("projections.handler").drain()
    log, store = log_on(stack.kinesis.client("kinesis"), stack.stream), dynamo_store(ministack, stack.table)
    cancelled: list[Any] = []

    def cancel(_: Progress) -> None:
        cancelled.append(findstream("rebuild", "event_index", "--cancel", "--json").json)

    built = Rebuilder(log, store, "rebuild", on_progress=cancel, batch_events=10).rebuild(named("event_index"))

    assert cancelled == [{"cancelled": ["event_index"]}]
    assert built.outcome == "cancelled"
    assert [info.status for info in store.generations("event_index")] == [Status.SERVING]
    assert findstream("rebuild", "event_index", "--cancel").out == "no rebuild is under way\n"
    assert findstream("rebuild", "event_index").code == 0


def test_a_rebuild_of_what_another_rebuilds_is_refused(
    stack: Central, ministack: Server, told: Callable[..., None], findstream: Findstream
) -> None:
    told(1)
    stack.source("projections.handler").drain()

    with dynamo_store(ministack, stack.table).building("event_index"):
        answer = findstream("rebuild", "event_index")

    assert (answer.code, answer.err) == (3, "findstream: event_index is being rebuilt by another process\n")


def test_a_rebuild_of_a_stream_that_may_have_lost_its_beginning_is_refused(
    stack: Central, ministack: Server, told: Callable[..., None], findstream: Findstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(1)
    stack.source("projections.handler").drain()
    monkeypatch.setattr(Topology, "complete", lambda _: False)

    answer = findstream("rebuild", "--all")

    assert answer.code == 3
    assert "the log no longer holds the first events of" in answer.err
    assert serving(ministack, stack) == dict.fromkeys(NAMES, 1)


def test_a_rebuild_that_would_park_changes_nothing_unless_that_is_accepted(
    stack: Central, ministack: Server, told: Callable[..., None], findstream: Findstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(1)
    stack.source("projections.handler").drain()
    monkeypatch.setattr(type(named("event_index")), "fold", _broken)

    assert findstream("rebuild", "event_index").code == 3
    assert serving(ministack, stack)["event_index"] == 1
    assert findstream("rebuild", "event_index", "--accept-parked").code == 0
    assert serving(ministack, stack)["event_index"] == 2


NOWHERE = {"FINDSTREAM_LOG_URL": "kinesis://findings", "FINDSTREAM_STORE_URL": "dynamodb://findstream"}


@pytest.mark.parametrize(
    "words",
    [
        ["run"],
        ["backup", "there"],
        ["restore", "there"],
        ["restore", "there", "--check"],
        ["doctor"],
        ["sample", "--ingest"],
    ],
    ids=" ".join,
)
def test_what_needs_a_folder_is_refused(
    findstream: Findstream, home: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    for name, value in NOWHERE.items():
        monkeypatch.setenv(name, value)

    answer = findstream(*words)

    assert (answer.code, answer.err) == (
        2,
        "findstream: FINDSTREAM_LOG_URL: names what is on AWS, and this works on data in FINDSTREAM_HOME only: unset it\n",
    )
    assert not home.exists()


def test_a_role_is_refused_too(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name, value in NOWHERE.items():
        monkeypatch.setenv(name, value)

    assert role.main(["projector"]) == 2
    assert capsys.readouterr().err.startswith("findstream: FINDSTREAM_LOG_URL: names what is on AWS")
    assert not home.exists()


@pytest.mark.parametrize("words", [["status"], ["rebuild", "--all"], ["parked", "list"], ["notify", "dead"]], ids=" ".join)
@pytest.mark.parametrize(("given", "missing"), [("LOG_URL", "STORE_URL"), ("STORE_URL", "LOG_URL")])
def test_half_of_the_urls_are_not_enough(
    findstream: Findstream, monkeypatch: pytest.MonkeyPatch, words: list[str], given: str, missing: str
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv(f"FINDSTREAM_{given}", NOWHERE[f"FINDSTREAM_{given}"])

    answer = findstream(*words)

    assert answer.code == 2
    assert answer.err.startswith(f"findstream: FINDSTREAM_{missing}: is not set; write it as ")


def test_a_region_that_is_missing_is_asked_for(findstream: Findstream, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in NOWHERE.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)

    answer = findstream("quarantine", "list")

    assert (answer.code, answer.err) == (2, "findstream: AWS_REGION, AWS_PROFILE: You must specify a region.\n")


def test_what_it_takes_to_speak_to_aws_is_asked_for(findstream: Findstream, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in NOWHERE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("consumers.composition.find_spec", lambda _: None)

    answer = findstream("status")

    assert answer.code == 2
    assert "need boto3 here; pip install 'findstream[aws]'" in answer.err
