"""Envelopes of EventBridge and CloudEvents, and what their senders hear."""

from typing import Any

import orjson
import pytest

from pipeline.errors import ItemRejected
from pipeline.sources import forms
from schemas import cloudevents
from tests.sources import items
from tests.sources.items import ACCOUNT, TIME_US, body, read


def faults(item: items.Item) -> list[tuple[str, str]]:
    with pytest.raises(ItemRejected) as rejected:
        read(item)
    return [(fault.field, fault.reason) for fault in rejected.value.faults]


def test_all_that_is_wrong_with_a_header_is_said_at_once() -> None:
    told = faults({"detail-type": "x", "source": "shop", "region": "moon", "time": "soon", "resources": [1]})

    assert [field for field, _ in told] == ["source", "account", "region", "time", "resources", "detail"]
    assert ("account", "account is missing") in told
    assert ("detail", "detail is missing") in told


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"time": ...}, "time is missing: an event needs a time of its own"),
        ({"time": "soon"}, "time 'soon' is no time (expected for example 2024-02-17T11:53:08Z)"),
        ({"account": 12345}, "account is the number '12345': numbers lose leading zeros; send 12 digits as text"),
        ({"account": {"id": 1}}, "account \"{'id': 1}\" is not 12 digits"),
        ({"detail-type": " "}, "detail-type is missing"),
        ({"detail": []}, "detail is not a JSON object"),
        ({"id": []}, "id is not text of at most 1024 characters"),
    ],
)
def test_one_wrong_field_is_named(wrong: dict[str, Any], reason: str) -> None:
    assert [told for _, told in faults(items.envelope(**wrong))] == [reason]


def test_an_envelope_needs_no_id_resources_or_region() -> None:
    event = read(items.envelope(id=..., resources=..., region=..., version=...))

    assert (event.source_id, event.resources, event.region) == ("", (), "")


def test_a_custom_source_must_be_registered() -> None:
    assert faults(items.envelope("Shop"))[0][0] == "source"
    assert read(items.envelope("Shop", detail={"severity": 5}), frozenset({"Shop"})).severity == 4


def test_a_severity_of_ours_that_nobody_knows_is_refused() -> None:
    assert faults(items.envelope("monitoring.probes", detail={"severity": "urgent"}))[0][0] == "detail.severity"


def test_a_foreign_cloudevent_is_a_finding() -> None:
    event = read(items.cloudevent(region="us-east-1"))

    assert body(event)["form"] == "cloudevent"
    assert body(event)["detail_type"] == "Certificate Ends"
    assert (event.source, event.account, event.region, event.time_us) == ("monitoring.probes", ACCOUNT, "us-east-1", TIME_US)
    assert (event.source_id, event.severity, event.subject) == ("ce-1", 3, "resource/www.example.com")
    assert event.summary == "Certificate Ends: A certificate ends in 3 days: www.example.com"


def test_a_foreign_cloudevent_of_a_known_source_is_read_by_its_kind() -> None:
    item = items.cloudevent(source="aws.guardduty", type="GuardDuty Finding", data=items.guardduty())

    assert body(read(item))["kind"] == "guardduty"


def test_the_data_of_a_cloudevent_may_be_base64() -> None:
    item = items.cloudevent(data=None, data_base64="eyJzZXZlcml0eSI6ICJMT1cifQ==")

    assert read(item).severity == 1
    assert faults(items.cloudevent(data=None, data_base64="%"))[0] == ("data_base64", "data_base64 is not JSON in base64")


def test_a_cloudevent_is_held_to_its_version_and_data() -> None:
    assert faults(items.cloudevent(specversion="0.3")) == [("specversion", "specversion is not 1.0")]
    assert faults(items.cloudevent(data=None)) == [("data", "data is missing")]
    assert faults(items.cloudevent(account=None)) == [("account", "account is missing")]


def test_what_has_no_known_shape_is_told_the_known_ones() -> None:
    [(field, reason)] = faults({"hello": 1, "world": 2})

    assert field == ""
    assert reason.startswith("the item has no known shape (its keys: 'hello', 'world'); known shapes: eventbridge, cloudevent, ")


@pytest.mark.parametrize(
    "item",
    [
        items.alarm(),
        items.alarm_for_lambda(),
        items.alarm_by_sns(),
        items.guardduty(),
        items.asff(),
        items.health(),
        items.stack(),
        items.logs(),
        items.trail(),
        items.cloudevent(),
        items.envelope("monitoring.agent", "Agent Heartbeat"),
        items.envelope("monitoring.agent", "Agent Deployed", {"version": "1"}),
    ],
)
def test_an_event_of_ours_comes_back_as_it_was(item: items.Item) -> None:
    event = read(item)

    assert read(cloudevents.encode(event)) == event


def test_an_event_of_ours_whose_id_is_not_its_content_s_is_refused() -> None:
    event = read(items.alarm())
    other = read(items.alarm("OK"))

    assert faults({**cloudevents.encode(event), "id": other.id}) == [
        ("id", f"id '{other.id}' is not the one that data.raw gives")
    ]


def test_an_event_of_ours_that_was_tampered_with_is_refused() -> None:
    told = cloudevents.encode(read(items.alarm()))

    assert faults({**told, "schemaversion": 2})[0][0] == "dataschema"
    assert faults({**told, "data": {**told["data"], "kind": "guardduty"}})[0][0].startswith("body.facts")
    assert faults({**told, "data": {**told["data"], "raw": "gone"}})[0][0] == "id"
    assert faults({**told, "account": "1"})[0][0] == "account"
    assert faults({**told, "data": {**told["data"], "odd\n" + "x" * 999: 1}})[0][1].isprintable()


def test_an_event_of_ours_in_an_event_of_ours_is_refused() -> None:
    inner = cloudevents.encode(read(items.alarm()))
    outer = {**inner, "data": {**inner["data"], "raw": inner}}

    assert faults(outer)


def test_facts_of_commands_do_not_enter_from_outside() -> None:
    task = {
        **cloudevents.encode(read(items.envelope("monitoring.agent", "Agent Heartbeat"))),
        "type": "task.deleted",
        "dataschema": "urn:findstream:schema:task.deleted:1",
        "data": {},
    }

    assert faults(task) == [("type", "type 'task.deleted' does not enter from outside; commands make it")]


def test_a_custom_source_that_is_not_registered_here_is_refused_in_our_form_too() -> None:
    told = cloudevents.encode(read(items.envelope("Shop"), frozenset({"Shop"})))

    assert faults(told)[0][0] == "source"
    assert read(told, frozenset({"Shop"})).source == "Shop"


def test_the_raw_item_stands_in_the_body_byte_for_byte() -> None:
    raw = (
        b'{"detail-type":"x","source":"aws.x","account":"210987654321","time":0,"detail":{"n":12345678901234567890123,"f":1.10}}'
    )

    event = forms.event(orjson.loads(raw), raw)

    assert raw in event.body


def test_an_item_that_is_too_large_or_too_deep_is_refused() -> None:
    assert "at most 900,000 are accepted" in faults(items.envelope(detail={"x": "y" * 900_000}))[0][1]

    deep: Any = "x"
    for _ in range(250):
        deep = [deep]
    assert faults(items.envelope(detail={"x": deep})) == [("", "the item is nested more than 240 levels deep")]
    assert faults(items.envelope(extra=deep)) == [("", "the item is nested more than 240 levels deep")]


def test_a_wide_item_is_not_a_deep_one() -> None:
    assert read(items.envelope(detail={"x": [[] for _ in range(1000)]}))


def test_what_the_envelope_of_an_event_cannot_hold_is_refused_by_its_field(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "LARGEST", 2_000_000)

    assert faults(items.envelope(detail={"x": "y" * 1_000_000}))[0][0] == "body"
