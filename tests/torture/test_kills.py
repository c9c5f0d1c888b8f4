"""Roles are killed at any moment, again and again; nothing is lost, counted twice, reordered, or sent twice without saying so."""

import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from itertools import islice
from pathlib import Path
from threading import Event
from time import monotonic

import orjson
import pytest

from consumers.composition import open_catalog, open_log, open_store
from consumers.notifier.assembly import open_ledger
from consumers.notifier.groups.state import WATCHED
from consumers.notifier.ledger.port import Wanted
from consumers.notifier.ledger.sqlite import SqliteLedger
from consumers.notifier.notice import DIGEST, Notice, State
from consumers.sample import Mix, generate
from pipeline.log.port import Batch, Log
from pipeline.settings import Settings
from projections.event_index import Sought
from projections.projector import ALL, Projector
from projections.rebuild import Rebuilder
from projections.segments import unpack
from projections.stores.port import Store
from tests.notifier.examples import event
from tests.notifier.fake_slack import FakeSlack

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
START_US = 1_795_000_000_000_000
CHUNK = 50
LONGEST_SECONDS = 900.0
OBSERVED = {"finding.observed", "agent.deployed", "agent.beat"}
ROUTING = """routes:
  routes:
    - {name: all, matchers: [severity>=HIGH], channel: default, group_by: [account], group_wait: 0s, group_interval: 1s}
"""
ROLES = ("projector", "notifier", "maintainer", "producer")


class Roles:
    """The processes of one run, each killed and started again at will."""

    def __init__(self, home: Path, environment: dict[str, str], lines: Path) -> None:
        self._environment = os.environ | environment
        self._commands = {role: [sys.executable, "-m", "consumers.role", role] for role in ROLES}
        self._commands["producer"] = [
            sys.executable, "-m", "tests.torture.producer", str(lines), str(home / "progress"), str(CHUNK),
        ]  # fmt: skip
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._errors = (home / "stderr").open("ab")

    def start(self, role: str) -> None:
        self._running[role] = subprocess.Popen(
            self._commands[role], cwd=ROOT, env=self._environment, stdout=subprocess.DEVNULL, stderr=self._errors
        )

    def kill(self, role: str) -> None:
        self._running[role].kill()
        self._running[role].wait()

    def finished(self, role: str) -> bool:
        return self._running[role].poll() == 0

    def failed(self) -> list[str]:
        return [role for role, process in self._running.items() if process.poll() not in {None, 0}]

    def stop(self) -> dict[str, int]:
        for process in self._running.values():
            process.send_signal(signal.SIGTERM)
        return {role: process.wait(30) for role, process in self._running.items()}

    def close(self) -> None:
        for process in self._running.values():
            process.kill()
            process.wait()
        self._errors.close()


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = monotonic() + LONGEST_SECONDS
    pause = Event()
    while not condition():
        assert monotonic() < deadline, f"never came about: {what}"
        pause.wait(0.005)


def batches(log: Log) -> Iterator[Batch]:
    for shard in log.shards():
        after = None
        while batch := log.read(shard.id, after, 5000):
            yield batch
            after = batch.positions[-1]


def ids_by_subject(log: Log) -> dict[str, list[str]]:
    """What was observed, per subject, in log order."""
    subjects: dict[str, list[str]] = defaultdict(list)
    for batch in batches(log):
        for kind, subject, event_id in zip(batch.columns.type, batch.columns.subject, batch.columns.id, strict=True):
            if kind in OBSERVED:
                subjects[subject].append(event_id)
    return dict(subjects)


def rows(store: Store) -> dict[str, object]:
    """All rows, but for where and when the log recorded an event, which differs from run to run."""
    everything: dict[str, object] = {}
    for name, info in store.serving().items():
        with closing(store.open(info)) as generation, generation.reading() as held:
            entries = [unpack(segment.blob) for segment in held.segments(Sought(), "asc")]
            everything[name] = {
                "entries": sorted(
                    row
                    for e in entries
                    for row in zip(e.time_us, e.id, e.source, e.account, e.severity, e.summary, e.source_id, strict=True)
                ),
                "counts": list(held.counts(0, 1 << 40)),
                "documents": list(held.all_documents()),
                "parked": sorted((parked.key, bool(parked.error)) for parked in held.parked()),
            }
    return everything


def settings_of(home: Path, monkeypatch: pytest.MonkeyPatch, **environment: str) -> Settings:
    for name, value in ({"FINDSTREAM_HOME": str(home)} | environment).items():
        monkeypatch.setenv(name, value)
    return Settings.load()


def kill_at_random(roles: Roles, log: Log, slack: FakeSlack, *, kills: int, events: int, dice: random.Random) -> Counter[str]:
    """Kill one role after the other, each when the log or the channel has come to a random point; returns who was killed."""
    killed: Counter[str] = Counter()
    for number, share in enumerate(sorted(dice.random() for _ in range(kills))):
        if number % 2:
            wait_until(lambda: log.behind({}) >= share * events * 0.9, "events on the log")  # noqa: B023  # asked at once
        else:
            posts = len(slack.posts)
            wait_until(lambda: len(slack.posts) > posts or roles.finished("producer"), "another post")  # noqa: B023
        assert roles.failed() == []
        role = dice.choice(["notifier", "notifier", *ROLES])
        if not roles.finished(role):
            roles.kill(role)
            roles.start(role)
            killed[role] += 1
    return killed


def publish(log: Log) -> None:
    """A routing by which what is HIGH is told by account, every second at most."""
    body = orjson.dumps({"version": 1, "text": ROUTING, "comment": "", "by": "ops"})
    log.append([event(type="routing.published", subject="routing", severity=0, body=body)])


def wanted(log: Log) -> set[str]:
    """The events that the routing wants."""
    return {
        event_id
        for batch in batches(log)
        for kind, severity, event_id in zip(batch.columns.type, batch.columns.severity, batch.columns.id, strict=True)
        if kind in OBSERVED and severity >= 3
    }


def is_told(ledger: SqliteLedger) -> bool:
    """Whether nothing waits, neither in a group nor for the channel."""
    waiting = {State.PENDING, State.SENDING}
    groups = (group for group, _ in ledger.groups() if group.key != WATCHED)
    return not any(tally.state in waiting for tally in ledger.tallies()) and not any(group.waiting for group in groups)


@pytest.mark.parametrize(
    ("events", "kills"),
    [(2_000, 8), pytest.param(20_000, 50, marks=[pytest.mark.torture, pytest.mark.timeout(3600)])],
)
def test_whatever_is_killed_rows_equal_an_undisturbed_run_and_notices_go_out_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, events: int, kills: int
) -> None:
    story = generate(7, START_US, step_us=20_000, mix=Mix(storms=0.2, duplicates=0.05, late=0.05, malformed=0.02))
    lines = tmp_path / "story.ndjson"
    lines.write_bytes(b"\n".join(item.payload.replace(b"\n", b" ") for item in islice(story, events)) + b"\n")
    calm = settings_of(tmp_path / "calm", monkeypatch)
    subprocess.run(
        [sys.executable, "-m", "tests.torture.producer", lines, tmp_path / "calm-progress", str(CHUNK)], cwd=ROOT, check=True
    )
    with open_log(calm) as log:
        publish(log)
        undisturbed = ids_by_subject(log)
        store = open_store(calm)
        with closing(Projector(log, store, token="calm")) as projector:
            while projector.step():
                pass
        expected = rows(store)

    with ExitStack() as stack:
        slack = stack.enter_context(FakeSlack())
        channels = tmp_path / "channels.yaml"
        channels.write_text("channels: {default: {kind: slack, pace: {per_second: 100, burst: 100}}}", encoding="utf-8")
        webhook = {"FINDSTREAM_SLACK_WEBHOOK": slack.url("ops"), "FINDSTREAM_CHANNELS": str(channels)}
        wild = settings_of(tmp_path / "wild", monkeypatch, **webhook)
        log = stack.enter_context(open_log(wild))
        publish(log)
        ledger = stack.enter_context(closing(open_ledger(wild.home.absolute())))
        roles = Roles(wild.home, {}, lines)
        stack.callback(roles.close)
        for role in ("projector", "notifier", "maintainer"):
            roles.start(role)
        wait_until(lambda: ledger.marks() is not None, "the notifier's mark")
        roles.start("producer")

        killed = kill_at_random(roles, log, slack, kills=kills, events=events, dice=random.Random(11))

        wait_until(lambda: roles.finished("producer"), "all lines taken in")
        catalog = stack.enter_context(open_catalog(wild, log))
        wait_until(lambda: all(state.lag_events == 0 for state in catalog.states()), "all projections at the log's end")
        wait_until(lambda: log.behind(ledger.marks() or {}) == 0, "the notifier at the log's end")
        wait_until(lambda: is_told(ledger), "all sent")
        assert set(roles.stop().values()) == {0}

        assert undisturbed == ids_by_subject(log)
        store = open_store(wild)
        assert expected == rows(store)
        rebuilder = Rebuilder(log, store, "replay")
        assert [p.name for p in ALL if not rebuilder.verify(p).equal] == []

        notices = ledger.notices(Wanted(limit=events))
        sent = [notice for notice in notices if notice.state is State.SENT]
        arrived = slack.arrived("ops")
        marked = [message for message in arrived if "may be a repeat" in json.dumps(message)]
        told = Counter(cause.event_id for notice in notices for cause in notice.causes if notice.state is not State.SUPPRESSED)
        assert wanted(log) <= {cause.event_id for notice in notices for cause in notice.causes}
        assert {notice.state for notice in notices} <= {State.SENT, State.MERGED, State.SUPPRESSED}
        assert [event_id for event_id, times in told.items() if times > 1 and event_id not in in_digests(notices)] == []
        assert len(sent) <= len(arrived) <= len(sent) + len(marked)
        assert sum(notice.unsure for notice in notices) <= killed["notifier"]
        assert [post.problems for post in slack.posts if post.problems] == []


def in_digests(notices: Sequence[Notice]) -> set[str]:
    """Events that stand in a notice and in the digest that tells of it."""
    return {cause.event_id for notice in notices if notice.key.route == DIGEST for cause in notice.causes}
