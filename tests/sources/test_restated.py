"""What our own agents say again in the detail: the id, the exact time and the region."""

from typing import Any

import pytest

from pipeline.errors import ItemRejected
from tests.sources import items
from tests.sources.items import ACCOUNT, REGION, TIME_US, read

LINE = {"eventId": "5f3a", "timestamp": TIME_US // 1000 + 431, "region": "us-east-1", "message": "it broke", "logGroup": "g"}


def put(detail: dict[str, Any], source: str = "monitoring.agent.logs", **header: Any) -> items.Item:
    return items.envelope(source, "Error Log Line", detail, **header)


def test_what_is_put_twice_is_one_event_though_the_bus_gives_it_two_ids() -> None:
    once, again = read(put(LINE, id="a" * 36)), read(put(LINE, id="b" * 36))

    assert once.id == again.id
    assert once.source_id == "5f3a"


def test_its_id_tells_it_apart_whatever_else_the_detail_says() -> None:
    assert read(put(LINE | {"agent": "2.0"}, resources=["arn:x"])).id == read(put(LINE)).id
    assert read(put(LINE | {"eventId": "5f3b"})).id != read(put(LINE)).id


def test_the_same_id_of_another_account_or_region_is_another_event() -> None:
    assert len({read(put(LINE)).id, read(put(LINE, account="0" * 12)).id, read(put(LINE | {"region": REGION})).id}) == 3


def test_the_time_is_exact_and_the_region_is_the_agents() -> None:
    event = read(put(LINE))

    assert (event.time_us, event.region, event.account) == (TIME_US + 431_000, "us-east-1", ACCOUNT)
    assert event.subject == f"logs/{ACCOUNT}/us-east-1/g/"


def test_without_them_time_and_region_are_the_envelopes() -> None:
    event = read(put({"eventId": "5f3a"}))

    assert (event.time_us, event.region) == (TIME_US, REGION)


@pytest.mark.parametrize(
    ("detail", "source"),
    [
        ({"message": "x"}, "monitoring.agent.logs"),
        ({"eventId": ""}, "monitoring.agent"),
        (LINE, "aws.ec2"),
        (LINE, "monitoring.shop"),
    ],
)
def test_where_no_agent_gives_an_id_the_envelopes_id_counts(detail: dict[str, Any], source: str) -> None:
    once, again = read(put(detail, source, id="a")), read(put(detail, source, id="b"))

    assert once.id != again.id
    assert (once.source_id, once.time_us, once.region) == ("a", TIME_US, REGION)


@pytest.mark.parametrize(
    ("field", "value"), [("eventId", {"a": 1}), ("eventId", "x" * 1025), ("timestamp", "soon"), ("region", "mars")]
)
def test_what_is_no_id_time_or_region_is_refused(field: str, value: Any) -> None:
    with pytest.raises(ItemRejected, match=f"^detail.{field}"):
        read(put(LINE | {field: value}))
