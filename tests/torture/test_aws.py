"""Laws 1 to 5 and 7 on Kinesis and DynamoDB, where everything fails as on AWS and the projector is killed amid its commits."""

import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from random import Random
from threading import Event, Thread
from time import monotonic
from typing import Any

import pytest

from pipeline.log.kinesis import KinesisLog
from projections.projector import ALL, Projector
from projections.stores.port import Store
from projections.stores.sqlite import SqliteStore
from schemas.envelope import Envelope
from tests.aws.clients import Server
from tests.aws.doors import central
from tests.aws.faults import dynamodb, kinesis
from tests.aws.faults.connection import dropped_after, dropped_before, failed_after, internal_failure, silent_after
from tests.aws.faults.exchange import Answer, Call, Fault, Unanswered
from tests.aws.faults.proxy import faulty
from tests.aws.faults.script import ANY, Rule, Script
from tests.aws.kinesis_logs import append, log_on
from tests.aws.streams import reshard
from tests.support.dynamo import dynamo_store
from tests.support.facts import task_id
from tests.support.spine import frozen_clock, rows_of
from tests.torture import mapping
from tests.torture.story import POISONED_TASK, SPOILT_ACCOUNT, TASKS, history, rounds, story

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
KILLED = "killed"
LONGEST_SECONDS = 1_500.0


class Victim:
    """The projector's process, started again whenever it was killed."""

    def __init__(self, stream: str, home: Path) -> None:
        home.mkdir()
        self.diary = home / "diary"
        self.kills = 0
        self._home = home
        self._stream = stream
        self._errors = (home / "stderr").open("ab")
        self._process = self._started()

    def kill(self) -> None:
        """From now on it does nothing more."""
        self._process.kill()

    def revive(self) -> None:
        """Start it again if it was killed; it must not have ended by itself."""
        status = self._process.poll()
        if status is not None:
            assert status < 0, (self._home / "stderr").read_text()[-4000:]
            self.kills += 1
            self._process = self._started()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._errors.close()

    def _started(self) -> subprocess.Popen[bytes]:
        files = [str(self._home / "checkpoints"), str(self.diary), str(self.kills)]
        command = [sys.executable, "-m", "tests.torture.mapping", self._stream, *files]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=self._errors)


def killed(kill: Callable[[], None]) -> Fault:
    """Whoever asks dies: before the server hears of the request, or after it did as asked."""

    def play(call: Call) -> Answer:
        if call.dice.random() < 0.5:
            call.passed_on()
        kill()
        raise Unanswered

    return Fault(KILLED, play)


def weather_of_the_stream() -> Script:
    return Script(
        Rule("PutRecords", silent_after(), times=1, skip=2),
        Rule("PutRecords", kinesis.partial_failure(), times=1, skip=3),
        Rule("PutRecords", kinesis.throttled(), times=1, skip=4),
        Rule("PutRecords", dropped_after(), times=1, skip=5),
        Rule("PutRecords", kinesis.partial_failure(), rate=0.15),
        Rule("PutRecords", kinesis.throttled(), rate=0.1),
        Rule("PutRecords", dropped_after(), rate=0.1),
        Rule("PutRecords", failed_after(), rate=0.05),
        Rule("PutRecords", kinesis.stored_twice(), rate=0.05),
        Rule("GetRecords", kinesis.throttled(), rate=0.05),
        Rule("GetRecords", kinesis.expired_iterator(), rate=0.05),
        Rule("GetRecords", kinesis.empty(), rate=0.1),
        Rule("GetRecords", dropped_after(), rate=0.05),
        Rule("ListShards", internal_failure(), rate=0.05),
        Rule("GetShardIterator", kinesis.throttled(), rate=0.05),
        seed=5,
    )


def weather_of_the_table(kill: Callable[[], None], at: Sequence[int]) -> Script:
    """Half of the kills strike a commit, the others any request. ``at`` are the numbers of the commits, ascending."""
    deaths = [
        Rule("TransactWriteItems", killed(kill), times=1, skip=number)
        if index % 2
        else Rule(ANY, killed(kill), times=1, skip=number * 6)
        for index, number in enumerate(at)
    ]
    return Script(
        *deaths,
        Rule("TransactWriteItems", dynamodb.conflicted(), times=1, skip=5),
        Rule("TransactWriteItems", dropped_after(), times=1, skip=9),
        Rule("BatchGetItem", dynamodb.unprocessed(), times=1, skip=12),
        Rule("TransactWriteItems", dynamodb.conflicted(), rate=0.04),
        Rule("TransactWriteItems", dropped_after(), rate=0.03),
        Rule("TransactWriteItems", failed_after("InternalServerError"), rate=0.02),
        Rule("BatchGetItem", dynamodb.unprocessed(), rate=0.04),
        Rule(ANY, dynamodb.throttled(), rate=0.01),
        Rule(ANY, dropped_before(), rate=0.005),
        seed=6,
    )


class Producing:
    """A thread that tells the story, a round at a time, and reshards the stream between rounds."""

    def __init__(self, log: KinesisLog, turns: Iterator[Callable[[], None]], told: Iterator[list[Envelope]], every: int) -> None:
        self._log = log
        self._turns = turns
        self._told = told
        self._every = every
        self._failure: list[Exception] = []
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            for number, events in enumerate(self._told, 1):
                append(self._log, events)
                if number % self._every == 0:
                    next(self._turns, lambda: None)()
            for turn in self._turns:
                turn()
        except Exception as failure:  # noqa: BLE001  # told by the thread that waits
            self._failure.append(failure)

    def finished(self) -> bool:
        if self._failure:
            raise self._failure[0]
        return not self._thread.is_alive()


def behind(log: KinesisLog, store: Store) -> dict[str, int]:
    """How much each projection still has to fold."""
    left = {}
    for projection in ALL:
        checkpoints = {}
        if info := store.serving().get(projection.name):
            with closing(store.open(info)) as generation:
                checkpoints = generation.checkpoints()
        left[projection.name] = log.behind(checkpoints)
    return left


def wait_for(victim: Victim, producing: Producing, folded: Callable[[], bool]) -> None:
    """Keep the projector alive until all was told and all was folded."""
    deadline, pause = monotonic() + LONGEST_SECONDS, Event()
    while not (producing.finished() and folded()):
        assert monotonic() < deadline, "the projector did not come to the end of the stream"
        victim.revive()
        pause.wait(0.2)
    victim.revive()


def fed(folder: Path, log: KinesisLog) -> SqliteStore:
    """A store that was fed by reading the stream, undisturbed."""
    store = SqliteStore(folder, clock=frozen_clock)
    with closing(Projector(log, store, token="calm")) as projector:
        while projector.step():
            pass
    return store


def rows(store: Store, projection: str) -> dict[str, Any]:
    """All rows; what is parked by position, since shards that are folded side by side park in no order of theirs."""
    found = rows_of(store, projection)
    return found | {"parked": sorted(found["parked"], key=lambda parked: parked[1])}


def ids_by_subject(log: KinesisLog, entries: list[dict[str, Any]]) -> dict[str, list[str]]:
    """The findings of each subject in the order of the log: a subject's shards come one of the other, parents first."""
    places = {shard.id: place for place, shard in enumerate(log.shards())}
    subjects: dict[str, list[str]] = defaultdict(list)
    for entry in sorted(entries, key=lambda e: (places[e["shard"]], e["sequence"], e["sub"])):
        subjects[entry["subject"]].append(entry["id"])
    return dict(subjects)


def told_by_subject(told: list[Envelope]) -> dict[str, list[str]]:
    subjects: dict[str, list[str]] = defaultdict(list)
    for event in told:
        if event.type == "finding.observed":
            subjects[event.subject].append(event.id)
    return dict(subjects)


def entries_of(documents: dict[str, Any], task: str) -> list[dict[str, Any]]:
    """What the board remembers of a task, in order."""
    pages = sorted((key for key in documents if key.startswith(f"history/{task}/")), key=lambda key: int(key.rpartition("/")[2]))
    return [entry for page in pages for entry in documents[page]["entries"]]


def assert_rows_are_those_of_the_story(log: KinesisLog, store: Store, told: list[Envelope]) -> None:
    """Each event counts once, in the order in which it was told; what cannot be folded waits, and all behind it."""
    index = rows(store, "event_index")["entries"]
    assert ids_by_subject(log, index) == told_by_subject(told)
    findings = sum(event.type == "finding.observed" for event in told)
    assert sum(rows(store, "daily_aggregates")["counts"].values()) == len(index) == findings
    board = rows(store, "task_board")
    for number in range(TASKS):
        assert [entry["id"] for entry in entries_of(board["documents"], task_id(number))] == history(told, number)
    assert {key for key, *_ in board["parked"]} == {f"task/{task_id(POISONED_TASK)}"}
    assert len(board["parked"]) == len(history(told, POISONED_TASK)) - 1
    assert {key for key, *_ in rows(store, "agent_status")["parked"]} == {SPOILT_ACCOUNT}


@pytest.mark.parametrize(
    ("events", "a_round", "reshardings", "kills"),
    [
        pytest.param(300, 50, 3, 3, id="300 events"),
        pytest.param(20_000, 200, 15, 20, id="20,000 events", marks=[pytest.mark.torture, pytest.mark.timeout(1800)]),
    ],
)
def test_rows_on_aws_equal_those_of_sqlite_whatever_fails_splits_merges_or_is_killed(
    *,
    kinesis_local: Server,
    ministack: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    events: int,
    a_round: int,
    reshardings: int,
    kills: int,
) -> None:
    dice, told = Random(3), story(events)
    honest = kinesis_local.client("kinesis")
    victims: list[Victim] = []
    deaths = sorted(dice.sample(range(2, max(12, events // 60)), kills))
    on_stream, on_table = weather_of_the_stream(), weather_of_the_table(lambda: victims[0].kill(), deaths)  # noqa: PLW0108  # later
    with ExitStack() as stack:
        stream_proxy = stack.enter_context(faulty(kinesis_local, on_stream))
        table_proxy = stack.enter_context(faulty(ministack, on_table))
        aws = stack.enter_context(central(kinesis_local, ministack, monkeypatch))
        monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", stream_proxy.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", table_proxy.url)
        victims.append(Victim(aws.stream, tmp_path / "victim"))
        stack.callback(victims[0].close)
        log = log_on(honest, aws.stream, on_unreadable=lambda _: None)
        store = dynamo_store(ministack, aws.table)
        turns = iter([partial(reshard, honest, aws.stream, turn) for turn in range(reshardings)])
        shaky = log_on(stream_proxy.client("kinesis", read_timeout_seconds=1.0), aws.stream, aggregate_bytes=20_000)
        every = max(1, events // a_round // (reshardings + 1))
        producing = Producing(shaky, turns, rounds(told, a_round, dice), every)

        wait_for(victims[0], producing, lambda: not any(behind(log, store).values()))
        victims[0].close()

        assert set(behind(log, store).values()) == {0}
        sqlite = stack.enter_context(closing(fed(tmp_path / "sqlite", log)))
        for projection in ALL:
            assert rows(sqlite, projection.name) == rows(store, projection.name)
        assert_rows_are_those_of_the_story(log, store, told)
        assert sum(shard.closed for shard in log.shards()) >= reshardings

    assert victims[0].kills == kills == on_table.injected[KILLED]
    assert {"silent after", "partial failure", "dropped after", kinesis.THROTTLED} <= set(on_stream.injected)
    assert {"TransactionConflict", "dropped after", "unprocessed"} <= set(on_table.injected)
    assert {mapping.AGAIN, mapping.DEAD} <= set(victims[0].diary.read_text().splitlines())
