"""Batches of findings for tests: bodies as ingest makes them, in columns as the log hands them out."""

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import orjson

from consumers.rules.matching import Document
from consumers.sample import Mix, generate
from pipeline import recognise
from pipeline.log.port import Batch, Columns, Numbered
from pipeline.unwrap import documents
from schemas.envelope import Envelope


class Opened(NamedTuple):
    """A finding whose document is at hand."""

    document: Document


def event(**given: Any) -> Envelope:
    """The event of an EventBridge item; what is not given is filled in."""
    item = {
        "version": "0",
        "id": "c1",
        "detail-type": "Test",
        "source": "aws.test",
        "account": "111122223333",
        "time": "2024-05-01T12:00:00Z",
        "region": "eu-central-1",
        "resources": [],
        "detail": {},
    } | {name.replace("_", "-"): value for name, value in given.items()}
    return of_item(item)


def of_item(item: Any) -> Envelope:
    """The one event that an item is."""
    (answer,) = recognise.events(documents.in_bytes(orjson.dumps(item)), frozenset())
    assert isinstance(answer, Envelope), answer
    return answer


@cache
def sample(count: int) -> Sequence[Envelope]:
    """Findings of all kinds and forms, and what else agents say."""
    found = []
    for item in generate(5, 1_714_564_800_000_000, step_us=1_000_000, mix=Mix(malformed=0)):
        found += [one for one in recognise.events(documents.in_lines([item.payload]), frozenset()) if isinstance(one, Envelope)]
        if len(found) >= count:
            break
    return found[:count]


def batch(events: Sequence[Envelope]) -> Batch:
    """The same events, as a log hands them out."""
    fields: list[Any] = [[getattr(one, name) for one in events] for name in Columns.__slots__]
    columns = Columns(*fields)
    columns.resources = [list(one.resources) for one in events]
    positions = Numbered("shard-0", range(len(events)))
    return Batch("shard-0", positions, [one.time_us for one in events], columns, [one.body for one in events])
