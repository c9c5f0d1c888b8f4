"""``quarantine``: items are listed with their reason, shown whole, taken in again, or given up."""

from pathlib import Path

import orjson
import pytest

from consumers.composition import open_quarantine
from pipeline.quarantine.port import Reject
from pipeline.settings import Settings
from tests.cli.shell import Findstream, finding, written

BROKEN = finding(9, time="the day before yesterday")


@pytest.fixture
def item(findstream: Findstream, tmp_path: Path) -> str:
    """The id of the one item that is held."""
    findstream("ingest", written(tmp_path, "a.ndjson", finding(1), BROKEN))
    (held,) = findstream("quarantine", "list", "--json").json["items"]
    return str(held["id"])


@pytest.fixture
def mendable(home: Path) -> str:
    """The id of an item that can be understood by now."""
    assert home
    with open_quarantine(Settings.load()) as quarantine:
        return quarantine.put([Reject(orjson.dumps(finding(3)), "nobody knew this form then", "", "http")])[0]


def test_an_item_is_listed_with_field_reason_and_origin(findstream: Findstream, item: str) -> None:
    told = findstream("quarantine", "list", "--json").json

    assert told["counts"] == {"held": 1, "released": 0, "discarded": 0}
    assert told["items"][0]["id"] == item
    assert told["items"][0]["field"] == "time"
    assert "'the day before yesterday' is no time" in told["items"][0]["reason"]
    assert told["items"][0]["origin"].endswith("a.ndjson:2")
    assert "the day before yesterday" in findstream("quarantine", "list").out


def test_an_item_is_shown_with_its_bytes(findstream: Findstream, item: str) -> None:
    assert orjson.loads(findstream("quarantine", "show", item, "--raw").out) == BROKEN
    assert orjson.loads(findstream("quarantine", "show", item, "--json").json["payload"]) == BROKEN
    shown = findstream("quarantine", "show", item).out
    assert "the day before yesterday" in shown
    labels = [line.split()[0] for line in shown.partition("\n\n")[0].splitlines()]
    assert labels == ["id", "status", "first", "last", "times", "bytes", "reason", "field", "origin"]


def test_what_is_mended_goes_onto_the_log(findstream: Findstream, mendable: str) -> None:
    answer = findstream("quarantine", "reingest", mendable, "--json")

    assert (answer.code, answer.json) == (0, {"read": 1, "accepted": 1, "duplicate": 0, "quarantined": 0})
    assert findstream("quarantine", "list", "--json").json["counts"]["released"] == 1


def test_all_that_is_held_can_be_tried_again(findstream: Findstream, item: str, mendable: str) -> None:
    answer = findstream("quarantine", "reingest", "--all", "--json")

    assert (answer.code, answer.json) == (3, {"read": 2, "accepted": 1, "duplicate": 0, "quarantined": 1})
    told = findstream("quarantine", "list", "--json").json
    assert [each["id"] for each in told["items"]] == [item]
    assert mendable not in told["items"]


def test_people_read_the_same_of_a_second_try(findstream: Findstream, mendable: str) -> None:
    assert findstream("quarantine", "reingest", mendable).out == "1 read, 1 accepted, 0 duplicate, 0 quarantined\n"


def test_a_discarded_item_is_out_of_sight_but_kept(findstream: Findstream, item: str) -> None:
    assert findstream("quarantine", "discard", item, "--json").json == {"discarded": [item]}

    assert findstream("quarantine", "list", "--json").json["items"] == []
    assert [each["id"] for each in findstream("quarantine", "list", "--status", "discarded", "--json").json["items"]] == [item]
    assert [each["id"] for each in findstream("quarantine", "list", "--all", "--json").json["items"]] == [item]
    assert findstream("quarantine", "discard", item).out == "1 discarded\n"
