"""Who is to be told of an event."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.notifier.decide import Decision, Verdict, decide, floors, kind_of
from consumers.notifier.notice import Key, Reason
from consumers.notifier.routes import DEFAULT, EventType, Route
from schemas.envelope import Envelope
from tests.notifier.examples import ALERT, alert, body, deployed, event, finding, report, switched_off, went_silent

TYPES = get_args(EventType)
CONNECTED = frozenset({"ops", "security", "default"})


def route(name: str = "all", channel: str = "ops", **more: object) -> Route:
    return Route.model_validate({"name": name, "channel": channel, **more})


def told(routes: list[Route], told_of: Envelope) -> list[str]:
    return [decision.key.route for decision in decide(routes, told_of, connected=CONNECTED)]


def test_a_route_that_wants_an_event_gets_it_with_the_reason() -> None:
    decision = Decision(Key("all", event().id, 0), "ops", Verdict.SEND, Reason.ROUTE_MATCHED)

    assert decide([route()], event(), connected=CONNECTED) == [decision]


def test_a_channel_without_a_webhook_suppresses_with_the_reason() -> None:
    decision = Decision(Key("all", event().id, 0), "ops", Verdict.SUPPRESS, Reason.NO_CHANNEL)

    assert decide([route()], event(), connected=frozenset()) == [decision]


def test_an_event_that_no_route_wants_is_no_notice() -> None:
    assert decide([route(min_severity="CRITICAL")], event(), connected=CONNECTED) == []
    assert decide([], event(), connected=CONNECTED) == []


def test_every_route_that_wants_an_event_gets_it_in_their_order() -> None:
    assert told([route("b"), route("a"), route("c", "security")], event()) == ["b", "a", "c"]


def test_routes_below_one_that_is_last_are_not_asked() -> None:
    assert told([route("a"), route("b", last=True), route("c")], event()) == ["a", "b"]


def test_a_last_route_that_does_not_want_an_event_stops_nothing() -> None:
    assert told([route("a", last=True, min_severity="CRITICAL"), route("b")], event()) == ["b"]


@pytest.mark.parametrize(
    ("patterns", "wanted"),
    [
        (["aws.cloudwatch"], True),
        (["aws.*"], True),
        (["monitoring.*", "*watch"], True),
        (["monitoring.*"], False),
        (["aws"], False),
        (["AWS.*"], False),
    ],
)
def test_sources_are_shell_patterns_of_which_one_must_match(patterns: list[str], wanted: bool) -> None:  # noqa: FBT001  # a column of the table
    assert bool(told([route(sources=patterns)], event())) is wanted


@pytest.mark.parametrize("severity", range(5))
def test_a_route_gets_its_least_severity_and_above(severity: int) -> None:
    assert bool(told([route(min_severity="MEDIUM")], event(severity=severity))) is (severity >= 2)


def test_kinds_are_told_by_the_body() -> None:
    security = route(kinds=["guardduty", "securityhub"])

    assert told([security], finding("guardduty")) == ["all"]
    assert told([security], finding("health")) == []


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"kind": 7}', b'{"kind": {}}', b"\xff"])
def test_a_finding_whose_body_does_not_tell_its_kind_is_generic(content: bytes) -> None:
    assert kind_of(event(body=content)) == "generic"
    assert told([route(kinds=["generic"])], event(body=content)) == ["all"]


def test_severity_and_kinds_ask_nothing_about_silent_agents_and_reports() -> None:
    service = route(types=["agent.went_silent", "report.issued"], min_severity="CRITICAL", kinds=["guardduty"])

    assert told([service], report()) == ["all"]
    assert told([service], went_silent()) == ["all"]
    assert told([service], event(severity=4)) == []


@pytest.mark.parametrize("severity", range(5))
def test_a_deployment_of_an_agent_is_told_by_its_severity(severity: int) -> None:
    both = route(types=["finding.observed", "agent.deployed"], kinds=["guardduty"], min_severity="HIGH")

    assert bool(told([both], deployed(severity=severity))) is (severity >= 3)


@pytest.mark.parametrize("severity", range(5))
def test_alerts_and_rules_that_were_switched_off_are_told_by_their_severity(severity: int) -> None:
    both = route(types=["alert.raised", "rule.switched_off"], kinds=["guardduty"], min_severity="HIGH")

    assert bool(told([both], alert(severity=severity))) is (severity >= 3)
    assert bool(told([both], switched_off(severity=severity))) is (severity >= 3)


def test_an_alert_that_a_run_over_history_raised_is_told_only_if_that_was_asked_for() -> None:
    alerts = route(types=["alert.raised"])
    backfilled = ALERT | {"backfilled": True, "run_id": "0199f3a1-0000-7000-8000-000000000001"}

    assert told([alerts], alert(backfilled | {"notify": False})) == []
    assert told([alerts], alert(backfilled | {"notify": True})) == ["all"]
    assert told([alerts], alert({})) == told([alerts], alert(body=b"{")) == ["all"]


@pytest.mark.parametrize(
    "kind", ["notice.sent", "notice.suppressed", "notice.failed", "task.created", "agent.beat", "finding.seen"]
)
def test_nothing_else_is_ever_told(kind: str) -> None:
    everything = route(types=["finding.observed", "agent.went_silent", "report.issued"])

    assert told([everything], event(type=kind, severity=4)) == []


@pytest.mark.parametrize(
    ("happened", "routes"),
    [
        (event(severity=4), ["findings"]),
        (event(severity=3), ["findings"]),
        (event(severity=2), []),
        (went_silent(severity=0), ["service"]),
        (report(), ["service"]),
        (alert(severity=3), ["findings"]),
        (alert(severity=2), []),
        (alert(ALERT | {"notify": False}), []),
        (switched_off(), ["findings"]),
    ],
)
def test_without_a_file_high_and_above_silent_agents_and_reports_are_told(happened: Envelope, routes: list[str]) -> None:
    assert told(list(DEFAULT.routes), happened) == routes


routes = st.builds(
    lambda name, types, severity, kinds, sources, last: route(
        name, types=types, min_severity=severity, kinds=kinds, sources=sources, last=last
    ),
    st.from_regex(r"[a-z]{1,4}", fullmatch=True),
    st.lists(st.sampled_from([*TYPES]), min_size=1, unique=True),
    st.sampled_from(["UNKNOWN", "LOW", "MEDIUM", "HIGH", "CRITICAL"]),
    st.lists(st.sampled_from(["guardduty", "health", "generic"]), unique=True),
    st.lists(st.sampled_from(["*", "aws.*", "aws.guardduty", "monitoring.*"]), min_size=1),
    st.booleans(),
)
events = st.builds(
    lambda kind, told_type, severity, source: event(body=body(kind, {}), type=told_type, severity=severity, source=source),
    st.sampled_from(["guardduty", "health", "generic", "other"]),
    st.sampled_from([*TYPES, "notice.sent", "task.created"]),
    st.integers(0, 4),
    st.sampled_from(["aws.guardduty", "aws.health", "monitoring.agent.logs", "custom"]),
)


@given(routes=st.lists(routes, max_size=4), happened=events)
def test_what_the_floors_leave_out_no_route_wants(routes: list[Route], happened: Envelope) -> None:
    least = floors(routes)

    if happened.type not in least or happened.severity < least[happened.type]:
        assert told(routes, happened) == []
