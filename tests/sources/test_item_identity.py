"""Ids of items: frozen by golden examples, the same however an item is written or delivered, different if anything differs."""

from random import Random

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources import forms
from tests.sources import items
from tests.sources.items import read

GOLDEN = {
    "eventbridge": (items.alarm(), "1772600767-c97877c2-f7db-8cff-bdc2-020c83a45315"),
    "alarm_lambda": (items.alarm_for_lambda(), "1772600767-1365a126-6a21-8a3d-a9b5-61870a9170a2"),
    "alarm_sns": (items.alarm_by_sns(), "1772600767-48006e84-825c-8368-86a3-fe4748f8d517"),
    "guardduty": (items.guardduty(), "1772600767-ae49c5c2-296e-8329-a208-74f359ea2b9d"),
    "guardduty of the SDK": (items.from_sdk(items.guardduty()), "1772600767-8f5defd1-13bd-89de-82bf-339236b456f0"),
    "asff": (items.asff(), "1772600767-dd55adf7-4248-8c5b-8360-afc5dedc6f43"),
    "health": (items.health(), "1772600767-9a5a7430-a71a-8155-8243-c7fc178ede2e"),
    "cloudformation": (items.stack(), "1772600767-35f91caf-3647-86fd-8b9e-2f4a83365d8c"),
    "cwlogs": (items.logs(), "1772600767-b2be6513-6c3b-8824-8c69-51639015a469"),
    "cloudtrail": (items.trail(), "1772600767-6f477854-c475-8686-9d2e-02dab5bd64f6"),
    "cloudevent": (items.cloudevent(), "1772600767-e06a4530-272c-8506-ac2a-87f5e68da410"),
    "agent.beat": (
        items.envelope("monitoring.agent", "Agent Heartbeat", {"version": "1.4.0"}),
        "1772600767-1a457dd8-4e2a-8955-a73b-a7b3749d9d6b",
    ),
    "agent.deployed": (
        items.envelope("monitoring.agent", "Agent Deployed", {"version": "1.4.0"}),
        "1772600767-09af4f95-c786-8056-845d-3cee16cc1b4d",
    ),
}

json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_ids_of_all_forms(name: str) -> None:
    item, golden = GOLDEN[name]

    assert read(item).id == golden


@given(st.dictionaries(st.text(max_size=8), json, max_size=5), st.randoms())
def test_neither_the_order_of_keys_nor_white_space_changes_an_id(detail: dict[str, object], random: Random) -> None:
    item = items.envelope("aws.x", detail=detail)
    spread = orjson.dumps(_shuffled(item, random), option=orjson.OPT_INDENT_2)

    assert forms.event(orjson.loads(spread), None).id == forms.event(item, orjson.dumps(item)).id


@pytest.mark.parametrize(
    "change",
    [
        {"id": "another"},
        {"time": "2026-03-04T05:06:07.000001Z"},
        {"account": "000000000001"},
        {"region": "eu-west-1"},
        {"source": "aws.s3"},
        {"detail": {"a": 1}},
        {"detail-type": "Something Else"},
        {"resources": ["arn:x"]},
    ],
)
def test_whatever_differs_makes_another_id(change: dict[str, object]) -> None:
    assert read(items.envelope() | change).id != read(items.envelope()).id


def test_what_a_delivery_or_a_replay_adds_to_an_envelope_changes_no_id() -> None:
    assert read(items.envelope(version="1", **{"replay-name": "again"})).id == read(items.envelope()).id


def test_one_log_event_through_two_subscriptions_is_one_finding() -> None:
    once = read(items.logs(subscriptionFilters=["errors"]))
    twice = read(items.logs(subscriptionFilters=["all"], policyLevel="ACCOUNT_LEVEL_POLICY"))

    assert once.id == twice.id


def _shuffled(value: object, random: Random) -> object:
    if isinstance(value, dict):
        keys = list(value)
        random.shuffle(keys)
        return {key: _shuffled(value[key], random) for key in keys}
    if isinstance(value, list):
        return [_shuffled(inner, random) for inner in value]
    return value
