from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.envelope import Envelope
from schemas.identity import canonical, derived_id, event_id, finding_id
from tests.schemas.samples import envelopes, json_values

TIME_US = 1_714_564_800_123_456
GOLDEN_EVENT = "1714564800-b35869e8-5a1d-8282-97df-7d16c69b1234"
GOLDEN_DERIVED = "1714564800-6edc8316-143a-8c26-9733-6eba1d26c667"
GOLDEN_FINDING = "1714564800-f0a43c33-375a-8982-a990-872c62acff10"


def test_golden_ids_freeze_the_canonical_form() -> None:
    assert event_id(TIME_US, "a", 1, None, {"b": [1.5, True, "é\u2028"], "a": {}}) == GOLDEN_EVENT
    assert derived_id(TIME_US, "notice.sent", "cause-1", "cause-2") == GOLDEN_DERIVED
    assert (
        finding_id(
            TIME_US,
            account="123456789012",
            region="eu-west-1",
            source="aws.guardduty",
            source_id="c8c4daa7",
            detail={"severity": 8, "type": "Recon:EC2/PortProbeUnprotectedPort", "service": {"count": 2}},
        )
        == GOLDEN_FINDING
    )


@given(st.dictionaries(st.text(max_size=3), json_values, max_size=4))
def test_an_id_does_not_depend_on_the_order_of_keys(detail: dict[str, object]) -> None:
    backwards = dict(reversed(detail.items()))

    assert canonical(detail) == canonical(backwards)
    assert event_id(TIME_US, detail) == event_id(TIME_US, backwards)


@given(json_values, json_values)
def test_different_parts_give_different_ids(one: object, other: object) -> None:
    assert (canonical([one]) == canonical([other])) == (event_id(TIME_US, one) == event_id(TIME_US, other))


@given(st.integers(0, 253_402_300_799_999_999), st.text(max_size=5))
def test_an_id_is_the_second_and_a_uuid_of_version_8(time_us: int, part: str) -> None:
    seconds, _, uuid = event_id(time_us, part).partition("-")

    assert int(seconds) == time_us // 1_000_000
    assert UUID(uuid).version == 8
    assert UUID(uuid).variant == "specified in RFC 4122"


@given(envelopes())
def test_an_envelope_gives_the_bytes_of_its_uuid(given: Envelope) -> None:
    assert UUID(bytes=given.uuid) == UUID(given.id.partition("-")[2])


@pytest.mark.parametrize("field", ["account", "region", "source", "source_id", "detail"])
def test_findings_that_differ_in_anything_have_different_ids(field: str) -> None:
    same = {"account": "1", "region": "2", "source": "3", "source_id": "4", "detail": "5"}

    assert finding_id(TIME_US, **same) != finding_id(TIME_US, **{**same, field: "other"})
    assert finding_id(TIME_US, **same) != finding_id(TIME_US + 1, **same)


def test_what_is_no_json_has_no_id() -> None:
    with pytest.raises(TypeError):
        event_id(TIME_US, object())
    with pytest.raises(TypeError):
        event_id(TIME_US, {datetime(2024, 1, 1, tzinfo=UTC).tzinfo: 1})
