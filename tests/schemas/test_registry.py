from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from schemas.agents import AgentBeat, AgentDeployed, AgentUpdated
from schemas.body import Body
from schemas.errors import EventRejected
from schemas.findings import FindingObserved, GenericObserved, GuardDutyFacts, GuardDutyObserved
from schemas.notices import NoticeSent
from schemas.registry import MODELS, REGISTRY, Registry, Unknown, Why
from schemas.reports import ReportIssued
from schemas.tasks import TaskUpdated
from tests.schemas.samples import BODIES, event, finding


class DoorOpened(Body):
    key: str


class DoorOpenedTwo(Body):
    keys: tuple[str, ...]


class DoorOpenedThree(Body):
    keys: tuple[str, ...]
    by: str


def several(body: dict[str, Any]) -> dict[str, Any]:
    return {"keys": (body["key"],)}


def signed(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "by": "nobody"}


DOORS: Mapping[tuple[str, int], Any] = {
    ("door.opened", 1): DoorOpened,
    ("door.opened", 2): DoorOpenedTwo,
    ("door.opened", 3): DoorOpenedThree,
}


def test_every_type_has_a_sample() -> None:
    assert list(REGISTRY) == [(event_type, 1) for event_type in sorted(BODIES)]


@pytest.mark.parametrize("event_type", BODIES)
def test_a_body_that_passes_the_check_is_parsed_to_its_model(event_type: str) -> None:
    given = event(event_type)

    assert REGISTRY.check(given) is given
    parsed = REGISTRY.parse(given)

    assert isinstance(parsed, Body)
    assert orjson.loads(parsed.encoded()) == BODIES[event_type]


def test_a_finding_is_told_apart_by_its_kind() -> None:
    match REGISTRY.parse(event("finding.observed", finding("guardduty", score=8.5))):
        case GuardDutyObserved(facts=GuardDutyFacts(score=score, title=title)):
            assert (score, title) == (8.5, "")
        case other:
            pytest.fail(f"parsed to {other}")
    assert isinstance(REGISTRY.parse(event("finding.observed", finding("generic"))), GenericObserved)


@pytest.mark.parametrize(
    "kind", ["cloudwatch_alarm", "guardduty", "health", "cloudformation", "securityhub", "agent_logs", "cloudtrail", "generic"]
)
def test_every_kind_of_finding_may_come_without_facts(kind: str) -> None:
    parsed = REGISTRY.parse(REGISTRY.check(event("finding.observed", finding(kind))))

    assert isinstance(parsed, FindingObserved)
    assert parsed.kind == kind


def test_lists_become_tuples_and_nested_bodies_models() -> None:
    sent, report = REGISTRY.parse(event("notice.sent")), REGISTRY.parse(event("report.issued"))

    assert isinstance(sent, NoticeSent)
    assert sent.event_ids == tuple(BODIES["notice.sent"]["event_ids"])
    assert isinstance(report, ReportIssued)
    assert report.top_resources[0].count == 2


def test_a_task_update_tells_only_what_changed() -> None:
    updated = REGISTRY.parse(event("task.updated", {"version": 3, "due_us": None, "title": None, "priority": "low"}))

    assert isinstance(updated, TaskUpdated)
    assert updated.changes() == {"due_us": None, "priority": "low"}


def test_reading_ignores_fields_it_does_not_know() -> None:
    parsed = REGISTRY.parse(event("agent.beat", {"version": "2", "mood": "good"}))

    assert parsed == AgentBeat(version="2")


def test_bodies_do_not_change() -> None:
    beat = AgentBeat(version="2")

    with pytest.raises(ValueError, match="frozen"):
        beat.version = "3"  # type: ignore[misc]  # the test is that it fails


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (event("door.opened", {"key": "k"}), Why.TYPE),
        (event("agent.beat", {"pulse": 60}, version=2), Why.VERSION),
        (event("finding.observed", finding("dream", depth=3)), Why.KIND),
    ],
)
def test_what_this_build_does_not_know_is_carried_through_untouched(given: Any, why: Why) -> None:
    assert REGISTRY.parse(given) == Unknown(given, why)


@pytest.mark.parametrize(
    ("event_type", "body", "field", "reason"),
    [
        ("agent.beat", {"version": "1", "vresion": "1"}, "body.vresion", "Extra inputs"),
        ("agent.deployed", {}, "body.status", "required"),
        ("agent.deployed", {"status": "sleeping"}, "body.status", "'pending', 'deploying'"),
        ("finding.observed", finding("guardduty", scores=1), "body.facts.scores", "Extra inputs"),
        ("finding.observed", finding("guardduty", score="8"), "body.facts.score", "valid"),
        ("finding.observed", finding("dream"), "body", "'dream'"),
        ("finding.observed", {"form": "eventbridge"}, "body", "kind"),
        ("task.created", {**BODIES["task.created"], "title": "ab"}, "body.title", "at least 3"),
        ("task.created", {**BODIES["task.created"], "task_id": "7"}, "body.task_id", "pattern"),
        ("notice.sent", {**BODIES["notice.sent"], "event_ids": [1]}, "body.event_ids.0", "string"),
        ("report.issued", {**BODIES["report.issued"], "window": {"since_us": 0}}, "body.window.until_us", "required"),
        ("agent.beat", [], "body", "not a JSON object"),
    ],
)
def test_producing_a_wrong_body_is_refused_naming_the_field(event_type: str, body: Any, field: str, reason: str) -> None:
    with pytest.raises(EventRejected, match=reason) as refused:
        REGISTRY.check(event(event_type, body))

    assert refused.value.field == field


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"severity": 7}, "severity", "less than or equal to 4"),
        ({"severity": "3"}, "severity", "integer"),
        ({"account": "12345"}, "account", "pattern"),
        ({"account": "\u0661" * 12}, "account", "pattern"),
        ({"account": "123456789012\n"}, "account", "pattern"),
        ({"resources": ("ok", 1)}, "resources.1", "string"),
        ({"summary": "\ud800"}, "summary", "unicode"),
        ({"id": "1-cd65ea2c-2ad9-8e94-a85b-1b6df72efef9"}, "id", "does not begin with the seconds of time_us"),
        ({"version": 2}, "version", "agent.beat has versions 1 to 1"),
        ({"type": "agent.slept"}, "type", "is none of agent.beat, agent.deployed"),
        ({"body": b"{"}, "body", "is not JSON"),
        ({"body": b'{"version": NaN}'}, "body", "is not JSON"),
    ],
)
def test_producing_a_wrong_header_is_refused_naming_the_field(changes: dict[str, Any], field: str, reason: str) -> None:
    with pytest.raises(EventRejected, match=reason) as refused:
        REGISTRY.check(event("agent.beat", {}, **changes))

    assert refused.value.field == field


def test_several_faults_are_counted() -> None:
    with pytest.raises(EventRejected, match=r"^body.version: .* \(and 1 more\)$"):
        REGISTRY.check(event("agent.beat", {"version": 1, "mood": "bad"}))


def test_a_body_parsed_already_is_checked_as_it_is() -> None:
    with pytest.raises(EventRejected, match="mood"):
        REGISTRY.check(event("agent.beat", {}), {"mood": "good"})


def test_a_body_that_is_not_of_its_form_is_refused_on_reading_too() -> None:
    with pytest.raises(EventRejected) as refused:
        REGISTRY.parse(event("finding.observed", finding("guardduty", score="high")))

    assert refused.value.field == "body.facts.score"


def test_old_versions_are_upcast_step_by_step_on_reading() -> None:
    registry = Registry(DOORS, {("door.opened", 1): several, ("door.opened", 2): signed})

    newest = DoorOpenedThree(keys=("k",), by="nobody")
    assert registry.parse(event("door.opened", {"key": "k"}, version=1)) == newest
    assert registry.newest("door.opened") == 3
    assert registry.newest("door.closed") == 0


def test_each_version_is_checked_against_its_own_model() -> None:
    registry = Registry(DOORS, {("door.opened", 1): several, ("door.opened", 2): signed})

    registry.check(event("door.opened", {"key": "k"}, version=1))
    with pytest.raises(EventRejected, match="by: Field required"):
        registry.check(event("door.opened", {}, version=3), {"keys": ("k",)})


@pytest.mark.parametrize("steps", [{}, {("door.opened", 1): several}, {("door.opened", n): several for n in (1, 2, 3)}])
def test_a_missing_or_needless_upcaster_is_refused_at_once(steps: Any) -> None:
    with pytest.raises(ValueError, match="upcasters do not match versions"):
        Registry(DOORS, steps)


def test_a_gap_between_versions_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match=r"door.opened has a version 3 but no version 2"):
        Registry({("door.opened", 1): DoorOpened, ("door.opened", 3): DoorOpenedThree}, {})


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        MODELS["agent.beat", 2] = AgentDeployed  # type: ignore[index]  # the test is that it fails


def test_an_agent_s_update_tells_only_what_changed() -> None:
    updated = REGISTRY.parse(event("agent.updated", {"revision": 2, "by": "u1", "enabled": False, "name": None}))

    assert isinstance(updated, AgentUpdated)
    assert updated.changes() == {"enabled": False}
