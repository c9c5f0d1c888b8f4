from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections import agent_status
from projections.agent_status import SILENT_AFTER_US, AgentStatuses, _fold_agent
from projections.reading import AgentStatus
from schemas.envelope import Envelope
from tests.support.answers import expected
from tests.support.effort import share
from tests.support.facts import ACCOUNT, DAY_US, HOUR_US, MORNING_US, beat, deployed, fact, finding
from tests.support.memory_log import MemoryLog
from tests.support.scratch import scratch
from tests.support.spine import Spine

NO_FINDINGS = dict.fromkeys(range(5), 0)


def agents(folder: Path, events: Sequence[Envelope], *, now_us: int = MORNING_US) -> list[AgentStatus]:
    log = MemoryLog(shards=3)
    log.append(events)
    with Spine(folder, log, projections=[AgentStatuses()], batch_events=3) as spine:
        spine.fold()
        assert [len(parked) for parked in [spine.catalog.parked("agent_status")]] == [0]
        return list(spine.catalog.agents(now_us=now_us))


def only(folder: Path, *events: Envelope, now_us: int = MORNING_US) -> AgentStatus:
    (agent,) = agents(folder, events, now_us=now_us)
    return agent


def test_without_events_there_are_no_agents(tmp_path: Path) -> None:
    assert agents(tmp_path, []) == []


def test_an_account_with_findings_but_no_agent_is_unregistered(tmp_path: Path) -> None:
    found = [finding(number, MORNING_US + number, severity=severity) for number, severity in enumerate((4, 4, 1))]

    assert only(tmp_path, *found, now_us=MORNING_US + DAY_US) == AgentStatus(
        account=ACCOUNT,
        region="",
        status="unregistered",
        version="",
        deployed_at_us=None,
        last_heartbeat_us=None,
        last_finding_us=MORNING_US + 2,
        counts=NO_FINDINGS | {4: 2, 1: 1},
    )


def test_an_event_without_a_version_leaves_the_version_that_is_known(tmp_path: Path) -> None:
    told = only(tmp_path, beat(MORNING_US, version="1.1"), deployed(MORNING_US + 10, "active", version="", region="us-east-1"))

    assert (told.version, told.region, told.deployed_at_us) == ("1.1", "us-east-1", MORNING_US + 10)


def test_an_agent_is_told_with_its_deployment_heartbeat_and_findings(tmp_path: Path) -> None:
    events = [
        deployed(MORNING_US, "deploying", version="1.0", region="us-east-1"),
        deployed(MORNING_US + 10, "active", version="1.0", region="us-east-1"),
        beat(MORNING_US + 20, version="1.1", region="eu-west-1"),
        finding(1, MORNING_US + 30, severity=3),
    ]

    assert only(tmp_path, *events) == AgentStatus(
        account=ACCOUNT,
        region="eu-west-1",
        status="active",
        version="1.1",
        deployed_at_us=MORNING_US + 10,
        last_heartbeat_us=MORNING_US + 20,
        last_finding_us=MORNING_US + 30,
        counts=NO_FINDINGS | {3: 1},
    )


@pytest.mark.parametrize("status", ["pending", "deploying", "active", "failed", "disabled"])
def test_the_status_is_that_of_the_latest_deployment(tmp_path: Path, status: str) -> None:
    events = [deployed(MORNING_US - 1, "active"), deployed(MORNING_US, status, version="2.0")]

    assert only(tmp_path, *reversed(events)).status == status


@pytest.mark.parametrize(
    ("sign", "silence_us", "status"),
    [
        (beat(MORNING_US), SILENT_AFTER_US, "active"),
        (beat(MORNING_US), SILENT_AFTER_US + 1, "offline"),
        (deployed(MORNING_US, "active"), SILENT_AFTER_US, "active"),
        (deployed(MORNING_US, "active"), SILENT_AFTER_US + 1, "offline"),
        (deployed(MORNING_US, "failed"), DAY_US, "failed"),
        (deployed(MORNING_US, "disabled"), DAY_US, "disabled"),
        (deployed(MORNING_US, "pending"), DAY_US, "pending"),
    ],
)
def test_an_active_agent_that_is_silent_for_more_than_ten_minutes_is_offline(
    tmp_path: Path, sign: Envelope, silence_us: int, status: str
) -> None:
    assert only(tmp_path, sign, now_us=MORNING_US + silence_us).status == status


def test_findings_are_no_sign_of_life(tmp_path: Path) -> None:
    events = [beat(MORNING_US), finding(1, MORNING_US + HOUR_US)]

    assert only(tmp_path, *events, now_us=MORNING_US + HOUR_US).status == "offline"


def test_a_beat_revives_an_offline_agent_but_not_a_disabled_one(tmp_path: Path) -> None:
    active = [deployed(MORNING_US, "active"), beat(MORNING_US + HOUR_US)]
    disabled = [deployed(MORNING_US, "disabled", account="444455556666"), beat(MORNING_US + HOUR_US, account="444455556666")]

    told = agents(tmp_path, active + disabled, now_us=MORNING_US + HOUR_US)

    assert [agent.status for agent in told] == ["active", "disabled"]


def test_heartbeats_that_come_out_of_order_leave_the_latest(tmp_path: Path) -> None:
    beats = [beat(MORNING_US + 60_000_000 * minute, version=f"1.{minute}") for minute in (5, 30, 0, 15)]

    told = only(tmp_path, *beats, now_us=MORNING_US + HOUR_US // 2)

    assert (told.last_heartbeat_us, told.version, told.status) == (MORNING_US + HOUR_US // 2, "1.30", "active")


def test_signs_of_one_moment_are_decided_by_their_ids(tmp_path: Path) -> None:
    beats = sorted((beat(MORNING_US, version=str(number)) for number in range(6)), key=lambda event: event.id)
    version = str(beats[-1].data["version"])

    assert only(tmp_path / "up", *beats).version == version
    assert only(tmp_path / "down", *reversed(beats)).version == version


def test_accounts_are_told_in_order_and_events_without_one_by_no_agent(tmp_path: Path) -> None:
    accounts = ("999900000000", "000011112222", "")
    events = [finding(number, MORNING_US, account=account) for number, account in enumerate(accounts)]

    assert [agent.account for agent in agents(tmp_path, events)] == ["000011112222", "999900000000"]


def test_an_account_s_events_are_merged_over_shards(tmp_path: Path) -> None:
    """Findings have subjects of their own, so an account's stand on many shards."""
    found = [finding(number, MORNING_US + number % 7, severity=number % 5, subject=f"alarm/{number}") for number in range(50)]
    signs = [beat(MORNING_US + 3), deployed(MORNING_US + 2, "active", version="0.9")]

    told = only(tmp_path, *found, *signs)

    assert dict(told.counts) == dict.fromkeys(range(5), 10)
    assert (told.last_finding_us, told.last_heartbeat_us, told.deployed_at_us) == (MORNING_US + 6, MORNING_US + 3, MORNING_US + 2)


def test_what_has_no_body_to_read_parks_its_account(tmp_path: Path) -> None:
    log = MemoryLog(shards=1)
    broken = fact("agent.beat", MORNING_US, 1, body=b"[]", account=ACCOUNT)
    log.append([broken, beat(MORNING_US + 1), finding(1, account="444455556666")])
    with Spine(tmp_path, log, projections=[AgentStatuses()]) as spine:
        spine.fold()

        assert [parked.key for parked in spine.catalog.parked("agent_status")] == [ACCOUNT, ACCOUNT]
        assert [agent.account for agent in spine.catalog.agents(now_us=MORNING_US)] == ["444455556666"]


def test_what_this_build_does_not_know_of_an_agent_changes_nothing() -> None:
    document: dict[str, object] = {"account": ACCOUNT}

    _fold_agent(document, fact("agent.unheard_of", MORNING_US, 1))

    assert document == {"account": ACCOUNT}


EVENTS = st.one_of(
    st.builds(
        lambda number, minute, account, severity: finding(
            number, MORNING_US + minute * 60_000_000, account=account, severity=severity
        ),
        st.integers(0, 20),
        st.integers(0, 20),
        st.sampled_from(["1" * 12, "2" * 12, ""]),
        st.integers(0, 4),
    ),
    st.builds(
        lambda minute, account, version: beat(MORNING_US + minute * 60_000_000, account=account, version=version),
        st.integers(0, 20),
        st.sampled_from(["1" * 12, "2" * 12]),
        st.sampled_from(["", "1", "2"]),
    ),
    st.builds(
        lambda minute, account, status: deployed(MORNING_US + minute * 60_000_000, status, account=account),
        st.integers(0, 20),
        st.sampled_from(["1" * 12, "2" * 12]),
        st.sampled_from(["active", "failed", "disabled"]),
    ),
)


@share(3)
@given(events=st.lists(EVENTS, max_size=30), later_us=st.integers(0, HOUR_US))
def test_the_fold_tells_what_plain_words_say(events: list[Envelope], later_us: int) -> None:
    log = MemoryLog(shards=3)
    log.append(events)
    now_us = MORNING_US + later_us
    with scratch() as folder, Spine(folder, log, projections=[AgentStatuses()], batch_events=4) as spine:
        spine.fold()

        assert list(spine.catalog.agents(now_us=now_us)) == expected(log.records(), now_us=now_us).agents


def entry(kind: str, time_us: int, revision: int, *, account: str = ACCOUNT, **fields: Any) -> Envelope:
    body = orjson.dumps({"revision": revision, "by": "u1", **fields})
    return fact(f"agent.{kind}", time_us, [account, revision], account=account, subject=f"agent/{account}", body=body)


def test_an_agent_that_was_registered_and_never_heard_of_is_pending(tmp_path: Path) -> None:
    (told,) = agents(tmp_path, [entry("registered", MORNING_US, 1, name="Payments", contact="ops@example.com")])

    assert (told.status, told.registered, told.name, told.contact, told.enabled, told.revision) == (
        "pending",
        True,
        "Payments",
        "ops@example.com",
        True,
        1,
    )


def test_what_people_say_of_an_agent_stands_beside_what_it_tells(tmp_path: Path) -> None:
    events = [
        beat(MORNING_US, version="1.2"),
        entry("registered", MORNING_US, 1, name="Payments"),
        entry("updated", MORNING_US + 1, 2, description="Since May"),
    ]

    (told,) = agents(tmp_path, events)

    assert (told.status, told.version, told.name, told.description, told.revision) == (
        "active",
        "1.2",
        "Payments",
        "Since May",
        2,
    )


def test_an_agent_that_is_not_enabled_is_disabled_and_not_missed(tmp_path: Path) -> None:
    events = [beat(MORNING_US), entry("registered", MORNING_US, 1, name="Payments", enabled=False)]

    (told,) = agents(tmp_path, events, now_us=MORNING_US + DAY_US)

    assert told.status == "disabled"


def test_a_removed_agent_is_shown_again_when_it_is_heard_of(tmp_path: Path) -> None:
    events = [
        beat(MORNING_US),
        entry("registered", MORNING_US, 1, name="Payments"),
        entry("removed", MORNING_US + 5, 2),
    ]

    assert agents(tmp_path / "gone", events) == []
    (told,) = agents(tmp_path / "heard", [*events, beat(MORNING_US + 6, version="1.1")])
    assert (told.status, told.registered, told.name) == ("active", False, "")
    (again,) = agents(tmp_path / "again", [*events, entry("registered", MORNING_US + 7, 3, name="Payments")])
    assert (again.registered, again.revision) == (True, 3)


def test_an_entry_is_merged_by_revision_wherever_its_facts_stand() -> None:
    first, second = agent_status.merged(
        [
            {"account": ACCOUNT, "counts": [0] * 5, "entry": {"name": [2, "New"], "removed": [4, 9]}},
            {"account": ACCOUNT, "counts": [0] * 5, "entry": {"name": [1, "Old"], "registered": [5, 9], "contact": [1, "x"]}},
            {"account": "2" * 12, "counts": [0] * 5},
        ]
    )

    assert first["entry"] == {"name": [2, "New"], "removed": [4, 9], "registered": [5, 9], "contact": [1, "x"]}
    assert "entry" not in second
