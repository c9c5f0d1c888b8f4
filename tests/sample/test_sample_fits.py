"""Every made-up finding is understood as what it is meant to be, or is malformed on purpose."""

from collections import Counter, defaultdict
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from consumers.sample import KINDS, Item, Mix, generate
from consumers.sample.story import HISTORY_ITEMS, STORM_ITEMS, history, trickle
from pipeline.ingest import Ingest
from pipeline.log.port import Record
from pipeline.log.sqlite import SqliteLog
from pipeline.quarantine.sqlite import SqliteQuarantine

START_US = 1_780_000_000_000_000

EXPECTED = {
    "agent_logs": {"agent_logs"},
    "cloudwatch_alarm": {"cloudwatch_alarm"},
    "cloudtrail": {"cloudtrail"},
    "securityhub": {"securityhub"},
    "generic": {"generic"},
    "cloudformation": {"cloudformation"},
    "guardduty": {"guardduty"},
    "own": {"generic"},
    "health": {"health"},
    "sign_in": {"cloudtrail"},
}


class Desk:
    """An ingest on parts of its own."""

    def __init__(self, folder: Path) -> None:
        self.log = SqliteLog(folder / "log.db", clock=lambda: START_US)
        self.quarantine = SqliteQuarantine(folder / "quarantine.db", clock=lambda: START_US)
        self.ingest = Ingest(self.log, self.quarantine, clock=lambda: START_US)

    def take(self, items: list[Item]) -> Any:
        return self.ingest.take_lines([item.payload for item in items], origin="sample")

    def records(self) -> list[Record]:
        return [record for shard in self.log.shards() for record in self.log.read(shard.id, None, 100_000).records()]

    def close(self) -> None:
        self.log.close()
        self.quarantine.close()


def test_everything_is_accepted_but_what_is_malformed_on_purpose(tmp_path: Path) -> None:
    items = list(islice(generate(11, START_US, step_us=10_000, mix=Mix(malformed=0.4, duplicates=0.05)), 4000))
    faults = Counter(item.fault for item in items)

    with closing(Desk(tmp_path)) as desk:
        tally = desk.take(items)

    assert tally.read == 4000
    assert tally.quarantined == faults["malformed"]
    assert tally.duplicate == faults["duplicate"]
    assert tally.accepted == faults[""] + faults["late"]


@pytest.mark.parametrize("kind", sorted(EXPECTED))
def test_a_finding_is_recognised_as_its_kind(tmp_path: Path, kind: str) -> None:
    mix = Mix(storms=0, duplicates=0, late=0, malformed=0, weights=dict.fromkeys(KINDS, 0.0) | {kind: 1.0})
    items = list(islice(generate(5, START_US, step_us=1_000_000, mix=mix), 200))

    with closing(Desk(tmp_path)) as desk:
        desk.take(items)
        records = desk.records()

    assert len(records) == 200
    assert {record.event.data["kind"] for record in records} == EXPECTED[kind]
    assert all(record.event.summary for record in records)
    assert {record.event.severity for record in records} <= {0, 1, 2, 3, 4}
    assert max(record.event.severity for record in records) >= 1


def test_all_three_shapes_of_an_alarm_come(tmp_path: Path) -> None:
    mix = Mix(storms=0, duplicates=0, late=0, malformed=0, weights=dict.fromkeys(KINDS, 0.0) | {"cloudwatch_alarm": 1.0})

    with closing(Desk(tmp_path)) as desk:
        desk.take(list(islice(generate(5, START_US, step_us=1_000_000, mix=mix), 300)))
        forms = Counter(record.event.data["form"] for record in desk.records())

    assert len(forms) == 3
    assert min(forms.values()) > 20


def test_an_alarm_goes_off_and_comes_back(tmp_path: Path) -> None:
    mix = Mix(
        storms=0, duplicates=0, late=0, malformed=0, accounts=1, weights=dict.fromkeys(KINDS, 0.0) | {"cloudwatch_alarm": 1.0}
    )
    states = defaultdict(list)

    with closing(Desk(tmp_path)) as desk:
        for item in islice(generate(5, START_US, step_us=1_000_000, mix=mix), 100):
            desk.take([item])
        for record in desk.records():
            states[record.event.subject].append(record.event.data["facts"]["state"])

    assert len(states) == 10
    assert all(told[::2] == ["ALARM"] * len(told[::2]) and told[1::2] == ["OK"] * len(told[1::2]) for told in states.values())


def test_agents_beat_and_are_deployed(tmp_path: Path) -> None:
    mix = Mix(storms=0, duplicates=0, late=0, malformed=0, accounts=5, overture=True)

    with closing(Desk(tmp_path)) as desk:
        desk.take(list(islice(generate(5, START_US, step_us=1_000_000, mix=mix), 600)))
        types = defaultdict(set)
        for record in desk.records():
            types[record.event.type].add(record.event.account)

    assert len(types["agent.deployed"]) == 5
    assert len(types["agent.beat"]) == 5
    assert len(types["finding.observed"]) == 5


def test_two_stories_of_one_world_tell_of_the_same_accounts(tmp_path: Path) -> None:
    accounts = []
    for seed in (1, 2):
        with closing(Desk(tmp_path / str(seed))) as desk:
            desk.take(list(islice(generate(seed, START_US, step_us=1000, mix=Mix(accounts=6, malformed=0)), 500)))
            accounts.append({record.event.account for record in desk.records()})

    assert accounts[0] == accounts[1]
    assert len(accounts[0]) == 6


def test_the_history_of_a_run_begins_with_its_agents_and_ends_now() -> None:
    told = list(history(START_US))

    assert len(told) == HISTORY_ITEMS + STORM_ITEMS
    assert {item.kind for item in told[:90] if not item.fault} == {"deployment"}
    assert told[-1].at_us < START_US
    assert START_US - told[-1].at_us < 86_400_000_000


@pytest.mark.parametrize("rate", [0.2, 1.0, 50.0])
def test_at_any_rate_an_agent_beats_often_enough_to_be_alive(rate: float) -> None:
    items = list(islice(generate(5, START_US, step_us=1_000_000 / rate, mix=trickle(rate)), 4000))

    beats = sum(item.kind == "heartbeat" for item in items)
    minutes = (items[-1].at_us - items[0].at_us) / 60_000_000
    assert 24 * minutes / beats < 10
