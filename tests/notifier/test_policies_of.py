"""What people decided, as the notifier acts on it; and the path of an item through the routes."""

import logging
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.notifier.routing import matchers, text
from consumers.notifier.routing.policies import policies_of, silence_of
from consumers.notifier.routing.tree import Route, Routing
from consumers.notifier.routing.walk import group_of, walk
from tests.api.decided import TEXT, MemoryDecided, known_silence, routing_version
from tests.support.facts import HOUR_US, MORNING_US

GRAVE = {"source": "aws.guardduty", "severity": "CRITICAL", "account": "111122223333"}


@pytest.fixture
def decided() -> MemoryDecided:
    return MemoryDecided()


def test_the_default_holds_before_anybody_decided_anything(decided: MemoryDecided) -> None:
    policies = policies_of(decided)

    assert policies.routing == text.default()
    assert (policies.routing.number, policies.silences) == (0, ())


def test_the_newest_routing_holds(decided: MemoryDecided) -> None:
    decided.versions = [routing_version(1, text.default_text()), routing_version(2, TEXT)]

    routing = policies_of(decided).routing

    assert routing.number == 2
    assert [route.channel for route in routing.deciding(GRAVE)] == ["oncall"]


def test_the_newest_routing_that_can_be_read_holds_and_that_is_said(
    decided: MemoryDecided, caplog: pytest.LogCaptureFixture
) -> None:
    decided.versions = [routing_version(1, TEXT), routing_version(2, "x: 1"), routing_version(3, "y: 1")]

    with caplog.at_level(logging.ERROR):
        assert policies_of(decided).routing.number == 1
    assert [message.split(" cannot", maxsplit=1)[0] for message in caplog.messages] == [
        "version 3 of the routing",
        "version 2 of the routing",
    ]


def test_the_default_holds_if_no_routing_can_be_read(decided: MemoryDecided) -> None:
    decided.versions = [routing_version(1, "x: 1")]

    assert policies_of(decided).routing == text.default()


def test_a_version_that_cannot_be_found_is_passed_by(decided: MemoryDecided, monkeypatch: pytest.MonkeyPatch) -> None:
    decided.versions = [routing_version(1, TEXT), routing_version(2, "x: 1")]
    monkeypatch.setattr(decided, "routing_version", lambda _: None)

    assert policies_of(decided).routing.number == 0


def test_a_silence_mutes_what_all_its_matchers_match_while_it_is_active(decided: MemoryDecided) -> None:
    decided.silence_list = [known_silence(matchers=("source=aws.*", "severity>=HIGH"))]

    (silence,) = policies_of(decided).silences

    assert [silence.mutes(GRAVE, MORNING_US + at) for at in (-1, 0, HOUR_US - 1, HOUR_US)] == [False, True, True, False]
    assert not silence.mutes({**GRAVE, "severity": "LOW"}, MORNING_US)
    assert (silence.id, silence.comment, silence.by) == (decided.silence_list[0].id, "Silence 0", "u1")


def test_silences_that_have_ended_are_left_out_if_that_is_asked(decided: MemoryDecided) -> None:
    decided.silence_list = [known_silence(0), known_silence(1, ends_us=MORNING_US + 2 * HOUR_US)]

    assert [one.comment for one in policies_of(decided, ending_after_us=MORNING_US + HOUR_US).silences] == ["Silence 1"]


def test_a_silence_that_cannot_be_read_silences_nothing_and_that_is_said(
    decided: MemoryDecided, caplog: pytest.LogCaptureFixture
) -> None:
    decided.silence_list = [known_silence(0, matchers=("hue~red",)), known_silence(1)]

    assert policies_of(decided).silences == (silence_of(decided.silence_list[1]),)
    assert f"silence {decided.silence_list[0].id} cannot be read here" in caplog.text


def test_a_path_names_each_route_that_was_asked_and_what_of_it_did_not_hold() -> None:
    steps = walk(text.read(TEXT), {**GRAVE, "severity": "LOW", "source": "other"})

    assert [(step.route.name, step.matched, step.decides) for step in steps] == [
        ("root", True, False),
        ("grave", False, False),
        ("nobody", True, True),
    ]
    assert [matcher.text for matcher in steps[1].failed] == ["severity>=HIGH", "source=aws.*"]


def test_a_path_ends_at_the_root_if_nothing_below_matches() -> None:
    steps = walk(text.read(TEXT), {"source": "other"})

    assert [(step.route.name, step.decides) for step in steps] == [("root", True), ("grave", False), ("nobody", False)]


def test_a_group_has_the_values_of_its_fields() -> None:
    route = Route("x", "default", ("root", "x"), group_by=("account", "rule"))

    assert group_of(route, GRAVE) == {"account": "111122223333", "rule": ""}
    assert group_of(replace(route, group_by=("...",)), GRAVE) == {}


MATCHERS = [matchers.read(f"source={source}") for source in "abc"]


@st.composite
def trees(draw: st.DrawFn, depth: int = 3) -> Route:
    """Any tree: names do not matter here."""
    children = draw(st.lists(trees(depth - 1), max_size=3)) if depth else []
    return Route(
        name=str(draw(st.integers(0, 999))),
        channel="x",
        path=(),
        matchers=tuple(draw(st.lists(st.sampled_from(MATCHERS), max_size=1))),
        children=tuple(children),
        go_on=draw(st.booleans()),
    )


@given(trees(), st.sampled_from("abcd"))
def test_a_path_leads_to_the_routes_that_decide(root: Route, source: str) -> None:
    routing = Routing(root)
    fields = {"source": source}

    assert [step.route for step in walk(routing, fields) if step.decides] == routing.deciding(fields)
