"""What a month costs is arithmetic: checked by hand on round numbers, and the page shows what it says."""

import runpy
from dataclasses import replace
from pathlib import Path

import pytest

from infra.cost.model import HOURS, SECONDS, Assumed, Plan, batch, classic, judging, ours, put_units, shards, total
from infra.cost.prices import Commit, Counts, Judged, Prices
from infra.cost.render import PAGE, PLANS, page

COUNTS = Counts(
    item_bytes=2000,
    record_bytes=2048,
    compressed_bytes=1024,
    object_bytes=200,
    page_read_units=10,
    commits=(
        Commit(10, {"index": 20.0, "counts": 10.0}, 5, 1000, 400),
        Commit(100, {"index": 60.0, "counts": 20.0}, 8, 8000, 4000),
    ),
    rules=(Judged("none", 0.1, 0.1), Judged("some", 0.5, 0.3)),
)
PRICES = replace(Prices.load(), write_unit=1e-6, read_unit=1e-7, queue_request=1e-6, shard_hour=1.0, extended_shard_hour=0.0)


def test_the_page_shows_what_the_module_computes() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(Counts.load(), Prices.load()), "run: python -m infra.cost"


def test_the_command_writes_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.cost.render.PAGE", tmp_path / "cost.md")

    runpy.run_module("infra.cost", run_name="__main__")

    assert (tmp_path / "cost.md").read_bytes() == PAGE.read_bytes()


def test_at_a_hundred_findings_a_second_it_costs_a_third_of_the_classic_design() -> None:
    (plan,) = (plan for plan in PLANS if plan.rate == 100)
    counts, prices = Counts.load(), Prices.load()

    assert total(ours(plan, counts, prices)) < total(classic(plan.rate, counts, prices, plan.assumed)) / 3


def test_the_classic_design_pays_two_units_for_two_kilobytes_and_one_for_each_index() -> None:
    bill = classic(10, COUNTS, PRICES, Assumed())

    assert bill["table: writes"] == pytest.approx(10 * SECONDS * (2 + 3) * 1e-6)


@pytest.mark.parametrize(
    ("rate", "compressed", "queue", "expected"),
    [(1, True, True, 1), (1000, True, True, 2), (1000, False, True, 3), (1000, True, False, 5)],
)
def test_shards_are_bought_for_what_is_written_and_some_more(
    rate: float, expected: int, *, compressed: bool, queue: bool
) -> None:
    assert shards(Plan(rate, 10, compressed=compressed, queue=queue), COUNTS) == expected


@pytest.mark.parametrize(
    ("rate", "compressed", "queue", "expected"),
    [
        (1, False, True, 1 / 2),  # five pollers a window: two events a call
        (500, False, True, 80 / 1000),  # a thousand events a call, of 2 KB each, on one shard
        (500, True, True, 40 / 1000),
        (500, True, False, 1 + 23 * 9 / 5000),  # itself, and in nine aggregates a window for three shards
    ],
)
def test_payload_units_are_paid_by_aggregate_and_packed_events_take_fewer(
    rate: float, expected: float, *, compressed: bool, queue: bool
) -> None:
    assert put_units(Plan(rate, 10, compressed=compressed, queue=queue), COUNTS) == pytest.approx(expected)


def test_a_batch_is_what_a_shard_gets_in_a_window() -> None:
    assert batch(Plan(1000, 10, compressed=True), COUNTS) == 5000
    assert batch(Plan(0.01, 10), COUNTS) == 1


@pytest.mark.parametrize(("events", "measured"), [(1, 10), (10, 10), (99, 10), (100, 100), (5000, 100)])
def test_a_commit_costs_what_the_next_smaller_measured_one_does(events: float, measured: int) -> None:
    assert COUNTS.commit(events).events == measured


def test_the_table_is_paid_by_commit() -> None:
    bill = ours(Plan(10, 10), COUNTS, PRICES)

    assert bill["table: writes"] == pytest.approx(SECONDS / 10 * 80 * 1e-6)
    assert bill["table: reads by the projector"] == pytest.approx(SECONDS / 10 * 8 * 1e-7)
    assert bill["stream"] == pytest.approx(HOURS, rel=0.01)


def test_without_the_queue_nothing_is_paid_for_it() -> None:
    plan = Plan(100, 10)

    assert ours(plan, COUNTS, PRICES)["queue"] == pytest.approx(SECONDS * (100 + 2 * 10) * 1e-6)
    assert ours(replace(plan, queue=False), COUNTS, PRICES)["queue"] == 0


def test_a_longer_window_costs_less() -> None:
    bills = [total(ours(Plan(10, window), COUNTS, PRICES)) for window in (1, 10, 60)]

    assert bills == sorted(bills, reverse=True)


@pytest.mark.parametrize(("rate", "number", "read"), [(100, 1, 0.2), (1200, 4, 0.5)])
def test_rules_write_for_each_event_and_read_of_each_shard(rate: float, number: int, read: float) -> None:
    plan = Plan(rate, 50)
    assert shards(plan, COUNTS) == number

    bill = judging(plan, COUNTS, PRICES, COUNTS.rules[1])

    assert bill["rules: table"] == pytest.approx(rate * SECONDS * (0.5 * 1e-6 + read * 1e-7))


def test_a_small_commit_of_the_rules_costs_what_a_measured_one_does() -> None:
    bill = judging(Plan(1, 50), COUNTS, PRICES, COUNTS.rules[0])

    assert bill["rules: table"] == pytest.approx(SECONDS / 50 * 500 * (0.1 * 1e-6 + 0.1 * 1e-7))
