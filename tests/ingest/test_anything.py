"""Whatever comes in: nothing raises, each unit has one fate, and every event is one that the schemas know."""

import gzip
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import InputRejected
from pipeline.ingest import Ingest, Tally
from pipeline.quarantine.port import Status
from schemas.registry import REGISTRY
from tests.ingest.in_memory import MemoryLog, MemoryQuarantine
from tests.sources import items

KEYS = sorted(
    {
        key
        for item in (items.alarm(), items.alarm_for_lambda(), items.alarm_by_sns(), items.guardduty(), items.asff())
        for key in item
    }
    | {key for item in (items.health(), items.logs(), items.trail(), items.cloudevent()) for key in item}
    | {"Records", "records", "Findings", "findings", "Messages", "Events", "body", "Body", "MessageId", "Sns", "EventSource"}
    | {"kinesis", "awslogs", "deliveryStreamArn", "TopicArn", "Message", "Type", "CloudTrailEvent", "dataschema", "detail-type"}
)
TEXTS = [
    "aws.cloudwatch",
    "aws.securityhub",
    "monitoring.agent",
    "Agent Deployed",
    items.ACCOUNT,
    items.REGION,
    items.TIME,
    "1.0",
]

scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(max_size=20) | st.sampled_from(TEXTS)
anything = st.recursive(
    scalars | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), inner, max_size=6),
    max_leaves=25,
)
whole = st.sampled_from(
    [
        items.alarm(),
        items.alarm_for_lambda(),
        items.alarm_by_sns(),
        items.guardduty(),
        items.from_sdk(items.guardduty()),
        items.asff(),
        items.health(),
        items.stack(),
        items.logs(),
        items.trail(),
        items.cloudevent(),
        items.envelope("monitoring.agent.logs", detail={"message": "x"}),
        items.envelope("monitoring.agent", "Agent Deployed", {"status": "failed"}),
        items.envelope("aws.securityhub", "Security Hub Findings - Imported", {"findings": [items.asff(), items.asff(Id="2")]}),
        {"Records": [{"eventSource": "aws:sqs", "body": orjson.dumps(items.alarm()).decode()}]},
        {"awslogs": {"data": "H4sI"}},
    ]
)


@st.composite
def nearly(draw: st.DrawFn) -> Any:
    """A right item in which something, somewhere, is anything."""

    def spoilt(value: Any, depth: int = 0) -> Any:
        if isinstance(value, dict) and value and depth < 4:
            key = draw(st.sampled_from(sorted(value)))
            return value | {key: spoilt(value[key], depth + 1) if draw(st.booleans()) else draw(anything)}
        if isinstance(value, list) and value and depth < 4:
            return [spoilt(value[0], depth + 1), *value[1:]]
        return draw(anything)

    return spoilt(draw(whole))


def taken(raw: bytes) -> tuple[Tally, MemoryLog, MemoryQuarantine]:
    log, quarantine = MemoryLog(), MemoryQuarantine()
    tally = Ingest(log, quarantine, clock=lambda: 0).take(raw, origin="any")
    assert tally.accepted + tally.duplicate + tally.quarantined == tally.read
    assert tally.accepted == len(log.all)
    assert tally.quarantined == sum(item.times for item in quarantine.items.values())
    assert all(reason and len(reason) < 5000 and reason.isprintable() for reason in quarantine.reasons)
    for event in log.all:
        REGISTRY.check(event)
        assert len(event.summary) <= 200
        assert event.summary.isprintable()
    return tally, log, quarantine


@given(st.binary(max_size=200))
def test_any_bytes_have_a_fate(raw: bytes) -> None:
    taken(raw)
    taken(gzip.compress(raw))


@given(anything)
def test_any_json_has_a_fate(value: Any) -> None:
    tally, _, _ = taken(orjson.dumps(value))

    assert tally.read >= 1


@given(st.lists(nearly(), min_size=1, max_size=3))
def test_items_that_are_nearly_right_have_a_fate(values: list[Any]) -> None:
    tally, _, _ = taken(b"\n".join(orjson.dumps(value) for value in values))

    assert tally.read >= len(values)


@given(nearly())
def test_what_is_quarantined_stays_so_when_it_is_taken_again(value: Any) -> None:
    _, log, quarantine = taken(orjson.dumps(value))
    held = list(quarantine.items)
    ingest = Ingest(log, quarantine, clock=lambda: 0)

    for item_id in held:
        tally = ingest.reingest(item_id)
        assert (tally.read, tally.quarantined) == (1, 1)

    assert list(quarantine.items) == held
    assert {item.status for item in quarantine.items.values()} <= {Status.HELD}


@given(st.lists(nearly() | whole, min_size=1, max_size=3))
def test_what_is_accepted_by_the_strict_door_is_what_the_other_accepts(values: list[Any]) -> None:
    raw = orjson.dumps(values)
    tally, log, _ = taken(raw)
    strict = MemoryLog()
    ingest = Ingest(strict, MemoryQuarantine(), clock=lambda: 0)

    if tally.quarantined:
        with pytest.raises(InputRejected) as rejected:
            ingest.accept(raw)
        assert tally.quarantined == len({item.index for item in rejected.value.items})
        assert strict.all == []
    else:
        assert ingest.accept(raw).tally.read == tally.read
        assert strict.all == log.all
