import json
import re
from dataclasses import replace
from random import Random
from typing import Any

import orjson
import pytest
from cloudevents.core.formats.json import JSONFormat
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from schemas import cloudevents, codec
from schemas.envelope import Envelope, validated
from schemas.errors import EventRejected
from tests.schemas.samples import BODIES, envelopes, event, json_values

RECORDED_US = 1_700_000_100_000_000

SCHEMA = Draft202012Validator(cloudevents.schema(), format_checker=Draft202012Validator.FORMAT_CHECKER)

# CloudEvents 1.0.2, "Type System": what a String must not hold
DISALLOWED = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef]")


def allowed(text: str) -> bool:
    return not DISALLOWED.search(text) and all(ord(character) & 0xFFFE != 0xFFFE for character in text)


@given(envelopes())
def test_the_interchange_form_loses_nothing(given: Envelope) -> None:
    assert validated(given) == given
    assert codec.decode(codec.encode(given)) == given
    assert cloudevents.decode(cloudevents.encode(given, recorded_us=RECORDED_US)) == given


@given(envelopes(), st.dictionaries(st.text(max_size=3), json_values | st.integers(), max_size=3), st.integers(0, 2))
def test_the_bytes_of_a_body_are_kept_however_they_are_spelt(given: Envelope, data: dict[str, Any], indent: int) -> None:
    spelt = replace(given, body=json.dumps(data, indent=indent or None, ensure_ascii=indent != 1).encode())

    assert codec.decode(codec.encode(spelt)) == spelt


@given(envelopes(), st.randoms(use_true_random=False))
def test_an_event_written_in_another_order_is_read_too(given: Envelope, random: Random) -> None:
    shuffled = list(orjson.loads(codec.encode(given)).items())
    random.shuffle(shuffled)

    assert codec.decode(orjson.dumps(dict(shuffled), option=orjson.OPT_INDENT_2)) == given


def test_what_looks_like_data_is_not_taken_for_it() -> None:
    given = event("agent.beat", {"version": ',"data":{}'}, summary=',"data":{}}', subject='"},"data":{"')

    assert codec.decode(codec.encode(given)) == given
    nested = codec.encode(given).replace(b'"severity":3', b'"severity":3,"foreign":{"a":1,"data":{}}')
    assert codec.decode(nested) == given


@given(st.lists(envelopes(), max_size=3))
def test_a_batch_loses_nothing(given: list[Envelope]) -> None:
    assert codec.decode_batch(codec.encode_batch(given)) == given


@given(envelopes())
def test_the_attributes_are_what_the_specification_allows(given: Envelope) -> None:
    encoded = orjson.loads(codec.encode(given, recorded_us=RECORDED_US))

    assert SCHEMA.is_valid(encoded)
    assert encoded.pop("data") == given.data
    for name, value in encoded.items():
        assert re.fullmatch(r"[a-z0-9]{1,20}", name)
        assert value != ""
        if isinstance(value, str):
            assert allowed(value)
        else:
            assert -(2**31) <= value < 2**31
    assert re.fullmatch(r"(/[A-Za-z0-9._~%-]+)+", encoded["source"])


@given(envelopes())
def test_the_official_sdk_reads_and_rewrites_our_events(given: Envelope) -> None:
    sdk = JSONFormat()

    foreign = sdk.read(None, codec.encode(given, recorded_us=RECORDED_US))

    assert foreign.get_id() == given.id
    assert foreign.get_specversion() == "1.0"
    assert foreign.get_data() == given.data
    # the SDK writes numbers its own way, so that only the value of the body can be compared
    again = codec.decode(sdk.write(foreign))
    assert replace(again, body=b"") == replace(given, body=b"")
    assert again.data == given.data


def test_the_form_is_frozen() -> None:
    given = event(
        "agent.beat", summary="50 %\n\\o/", resources=("arn:\x7f",), correlation_id="c", causation_id="d", source_id="e"
    )

    assert orjson.loads(codec.encode(given, recorded_us=RECORDED_US)) == {
        "specversion": "1.0",
        "id": given.id,
        "source": "/aws/123456789012/eu-west-1/aws.guardduty",
        "type": "agent.beat",
        "subject": "some/subject",
        "time": "2023-11-14T22:13:20.000001Z",
        "datacontenttype": "application/json",
        "dataschema": "urn:findstream:schema:agent.beat:1",
        "schemaversion": 1,
        "partitionkey": "some/subject",
        "severity": 3,
        "recordedtime": "2023-11-14T22:15:00.000000Z",
        "account": "123456789012",
        "region": "eu-west-1",
        "summary": "50 %\\u{a}\\\\o/",
        "resources": '["arn:\\u007f"]',
        "sourceid": "e",
        "correlationid": "c",
        "causationid": "d",
        "data": {"version": "1.2.0"},
    }


def test_what_does_not_apply_is_left_out() -> None:
    given = event("agent.beat", account="", region="", summary="", resources=())

    assert cloudevents.encode(given)["source"] == "/aws/-/-/aws.guardduty"
    assert not cloudevents.encode(given).keys() & {"account", "region", "summary", "resources", "recordedtime", "sourceid"}
    assert cloudevents.decode(cloudevents.encode(given)) == given


def test_the_body_stands_in_the_bytes_as_it_is() -> None:
    given = event("agent.beat")
    spaced = replace(given, body=b'{ "version" : "1" }')

    assert b'"data":{ "version" : "1" }' in codec.encode(spaced)


def test_canonical_strings_stand_for_numbers_too() -> None:
    encoded = {**cloudevents.encode(event("agent.beat")), "schemaversion": "1", "severity": "3"}

    assert cloudevents.decode(encoded) == event("agent.beat")


def test_a_text_written_by_hand_may_hold_a_lone_backslash() -> None:
    encoded = {**cloudevents.encode(event("agent.beat")), "summary": r"C:\temp \u{110000} \u{x}"}

    assert cloudevents.decode(encoded).summary == r"C:\temp \u{110000} \u{x}"


@pytest.mark.parametrize("event_type", BODIES)
def test_own_events_are_told_from_foreign_ones(event_type: str) -> None:
    own = cloudevents.encode(event(event_type))

    assert cloudevents.is_own(own)
    for foreign in ({**own, "specversion": "0.3"}, {**own, "dataschema": "https://example.com/1"}, {**own, "dataschema": 1}, {}):
        assert not cloudevents.is_own(foreign)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"specversion": "0.3"}, "specversion"),
        ({"id": "7"}, "id"),
        ({"id": 7}, "id"),
        ({"source": "aws.guardduty"}, "source"),
        ({"type": "Beat", "dataschema": "urn:findstream:schema:Beat:1"}, "type"),
        ({"subject": ""}, "subject"),
        ({"time": "yesterday"}, "time"),
        ({"time": "1969-12-31T23:59:59Z"}, "time"),
        ({"datacontenttype": "text/xml"}, "datacontenttype"),
        ({"dataschema": "urn:findstream:schema:agent.beat:2"}, "dataschema"),
        ({"schemaversion": 0, "dataschema": "urn:findstream:schema:agent.beat:0"}, "schemaversion"),
        ({"schemaversion": "one"}, "schemaversion"),
        ({"account": "1"}, "account"),
        ({"severity": 5}, "severity"),
        ({"summary": "x" * 513}, "summary"),
        ({"resources": "arn:aws:s3:::bucket"}, "resources"),
        ({"resources": '{"a": 1}'}, "resources"),
        ({"resources": "[1]"}, "resources"),
        ({"sourceid": "x" * 1025}, "sourceid"),
        ({"data": None}, "data"),
        ({"data": {"number": 2**70}}, "data"),
        ({"data": {"text": "x" * 1_000_000}}, "data"),
    ],
)
def test_a_malformed_event_is_refused_naming_the_attribute(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(EventRejected) as refused:
        cloudevents.decode({**cloudevents.encode(event("agent.beat")), **changes})

    assert refused.value.field == field


@pytest.mark.parametrize(
    ("text", "reason"), [(b"", "is not JSON"), (b"[]", "is not a JSON object"), (b"\xff", "is not JSON"), (b"{}", "required")]
)
def test_bytes_that_are_no_event_are_refused(text: bytes, reason: str) -> None:
    with pytest.raises(EventRejected, match=reason):
        codec.decode(text)


def test_a_batch_with_a_bad_event_is_refused_whole_naming_which() -> None:
    good = codec.encode(event("agent.beat"))

    with pytest.raises(EventRejected, match=r"^1.id: "):
        codec.decode_batch(b"[" + good + b',{"specversion":"1.0"}]')
    with pytest.raises(EventRejected, match=r"^1: is not a JSON object"):
        codec.decode_batch(b"[" + good + b",1]")
    with pytest.raises(EventRejected, match=r"^is not a JSON array"):
        codec.decode_batch(good)
