"""The rules of agents' entries and of the configuration."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.desks.agent import Agent, AgentState, EditAgent, RegisterAgent, RemoveAgent, agent_uuid
from pipeline.desks.configuration import (
    MONITORING,
    AwsConfig,
    CreateAwsConfig,
    MonitoringConfig,
    ReplaceAwsConfig,
    ReplaceMonitoring,
)
from pipeline.desks.errors import AlreadyThere, CommandRefused, NothingThere
from schemas.registry import REGISTRY
from tests.desks.world import ADA, Desks

ACCOUNT = "111122223333"
UUID_OF_ACCOUNT = agent_uuid(ACCOUNT)
ROLE = {"name": "Payments", "account": ACCOUNT, "role_arn": f"arn:aws:iam::{ACCOUNT}:role/reader", "regions": ["eu-central-1"]}


@pytest.fixture
def desks(tmp_path: Path) -> Iterator[Desks]:
    with Desks(tmp_path) as desks:
        yield desks


def of_agent(desks: Desks, command: Any) -> Agent:
    return desks.desk.do(Agent, UUID_OF_ACCOUNT, command, ADA)


def test_an_agent_is_registered_changed_removed_and_registered_again(desks: Desks) -> None:
    of_agent(desks, RegisterAgent(ACCOUNT, " Payments "))
    changed = of_agent(desks, EditAgent({"contact": "ops@example.com", "enabled": False}))
    of_agent(desks, RemoveAgent())
    again = of_agent(desks, RegisterAgent(ACCOUNT, "Payments"))

    told = [REGISTRY.check(event) for event in desks.told()]

    assert changed.state == AgentState(ACCOUNT, "Payments", contact="ops@example.com", enabled=False)
    assert again.state == AgentState(ACCOUNT, "Payments")
    assert [(event.type, event.data["revision"]) for event in told] == [
        ("agent.registered", 1),
        ("agent.updated", 2),
        ("agent.removed", 3),
        ("agent.registered", 4),
    ]
    assert {(event.subject, event.account) for event in told} == {(f"agent/{ACCOUNT}", ACCOUNT)}


def test_an_account_has_one_agent(desks: Desks) -> None:
    of_agent(desks, RegisterAgent(ACCOUNT, "Payments"))

    with pytest.raises(AlreadyThere) as caught:
        of_agent(desks, RegisterAgent(ACCOUNT, "Other"))
    assert caught.value.version == 1


def test_an_agent_that_nobody_registered_cannot_be_changed(desks: Desks) -> None:
    for command in (EditAgent({"name": "Payments"}), RemoveAgent()):
        with pytest.raises(NothingThere):
            of_agent(desks, command)


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [({"name": "x"}, "name"), ({"name": None}, "name"), ({"account": "1"}, "account"), ({"enabled": 3}, "enabled")],
)
def test_an_agent_s_edit_that_breaks_a_rule_is_refused(desks: Desks, changes: dict[str, Any], wrong: str) -> None:
    of_agent(desks, RegisterAgent(ACCOUNT, "Payments"))

    with pytest.raises(CommandRefused) as caught:
        of_agent(desks, EditAgent(changes))
    assert [fault.field for fault in caught.value.faults] == [wrong]
    assert of_agent(desks, EditAgent({"name": "Payments"})).version == 1


def test_an_external_id_stays_in_the_recorder(desks: Desks) -> None:
    made = desks.desk.make(AwsConfig, CreateAwsConfig(ROLE, "hush-hush"), ADA)
    kept = desks.desk.do(AwsConfig, made.id, ReplaceAwsConfig({**ROLE, "enabled": False}), ADA)
    gone = desks.desk.do(AwsConfig, made.id, ReplaceAwsConfig({**ROLE, "enabled": False}, ""), ADA)

    assert [one.state.external_id for one in (made, kept, gone) if one.state] == ["hush-hush", "hush-hush", ""]
    assert [event.data["document"]["has_external_id"] for event in map(REGISTRY.check, desks.told())] == [True, True, False]
    assert b"hush-hush" not in b"".join(event.body for event in desks.told())
    assert desks.desk.load(AwsConfig, made.id).state == gone.state


@pytest.mark.parametrize(
    ("changes", "external_id", "wrong"),
    [
        ({"account": "12"}, "", "account"),
        ({"role_arn": "arn:aws:iam::999922223333:role/reader"}, "", "role_arn"),
        ({"role_arn": "reader"}, "", "role_arn"),
        ({"regions": ["Frankfurt"]}, "", "regions.0"),
        ({"nmae": "x"}, "", "nmae"),
        ({}, "?", "external_id"),
    ],
)
def test_an_account_s_configuration_that_breaks_a_rule_is_refused(
    desks: Desks, changes: dict[str, Any], external_id: str, wrong: str
) -> None:
    with pytest.raises(CommandRefused) as caught:
        desks.desk.make(AwsConfig, CreateAwsConfig({**ROLE, **changes}, external_id), ADA)
    assert [fault.field for fault in caught.value.faults] == [wrong]


def test_a_configuration_is_made_once_and_replaced_where_it_is(desks: Desks) -> None:
    made = desks.desk.make(AwsConfig, CreateAwsConfig(ROLE), ADA)

    assert desks.desk.do(AwsConfig, made.id, ReplaceAwsConfig(ROLE), ADA).version == 1
    with pytest.raises(AlreadyThere):
        desks.desk.do(AwsConfig, made.id, CreateAwsConfig(ROLE), ADA)
    with pytest.raises(NothingThere):
        desks.desk.do(AwsConfig, UUID_OF_ACCOUNT, ReplaceAwsConfig(ROLE), ADA)


def test_monitoring_is_replaced_whole(desks: Desks) -> None:
    document = {"services": {"lambda": {"polling_seconds": 30, "severity_rules": [{"pattern": "*root*", "severity": "HIGH"}]}}}

    first = desks.desk.do(MonitoringConfig, MONITORING, ReplaceMonitoring(document), ADA)
    same = desks.desk.do(MonitoringConfig, MONITORING, ReplaceMonitoring(document), ADA)
    second = desks.desk.do(MonitoringConfig, MONITORING, ReplaceMonitoring({}), ADA)

    assert (first.version, same.version, second.version) == (1, 1, 2)
    assert second.state is not None
    assert second.state.document["services"] == {}
    assert second.state.updated_by == "ada"
    assert [REGISTRY.check(event).subject for event in desks.told()] == ["config/monitoring"] * 2


@pytest.mark.parametrize(
    ("service", "wrong"),
    [
        ({"polling_seconds": 29}, "services.s3.polling_seconds"),
        ({"polling_seconds": 3601}, "services.s3.polling_seconds"),
        ({"severity_rules": [{"pattern": "*", "severity": "AWFUL"}]}, "services.s3.severity_rules.0.severity"),
        ({"resource_filters": {"only": []}}, "services.s3.resource_filters.only"),
    ],
)
def test_monitoring_that_breaks_a_rule_is_refused(desks: Desks, service: dict[str, Any], wrong: str) -> None:
    with pytest.raises(CommandRefused) as caught:
        desks.desk.do(MonitoringConfig, MONITORING, ReplaceMonitoring({"services": {"s3": service}}), ADA)
    assert [fault.field for fault in caught.value.faults] == [wrong]
