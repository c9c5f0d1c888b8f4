"""The counts that the cost is computed from are what the store and the sample findings come to."""

import os
from collections.abc import Mapping
from typing import Any

import pytest

from infra.cost.prices import COUNTS_FILE, Counts
from tests.aws.clients import Server
from tests.infra.measuring import SIZES, commit_counts, event_counts, page_read_units

MEASURE = os.environ.get("FINDSTREAM_MEASURE") == "1"
NEAR = 0.05
"""Compressors of other versions, and a clock that ticks between two markers, change a little."""

_TOP = """\
# Measured by tests/infra/test_counts.py on the sample findings, at a commit every ten seconds in the middle of an hour.
# To measure anew: FINDSTREAM_MEASURE=1 python -m pytest tests/infra/test_counts.py, then python -m infra.cost
"""


def test_an_event_has_these_sizes() -> None:
    told, measured = Counts.load(), event_counts()

    assert measured == pytest.approx({name: getattr(told, name) for name in measured}, rel=NEAR)


@pytest.mark.parametrize("size", [25, 500])
def test_a_commit_takes_these_units(ministack: Server, size: int) -> None:
    (told,) = (commit for commit in Counts.load().commits if commit.events == size)

    measured = commit_counts(ministack, size)

    assert measured.pop("write_units") == pytest.approx(dict(told.write_units), rel=NEAR)
    assert measured == pytest.approx({name: getattr(told, name) for name in measured}, rel=NEAR)


def test_a_page_of_entries_takes_few_read_units(ministack: Server) -> None:
    assert page_read_units(ministack) <= Counts.load().page_read_units * (1 + NEAR)


@pytest.mark.skipif(not MEASURE, reason="writes the counts: FINDSTREAM_MEASURE=1")
def test_measure_anew(ministack: Server) -> None:
    commits = {size: commit_counts(ministack, size) for size in SIZES}
    event = event_counts() | {"page_read_units": page_read_units(ministack)}

    parts = [_TOP, "[event]", *_lines(event)]
    for size, counts in commits.items():
        parts += ["", f"[commit.{size}]", *_lines(counts)]
    COUNTS_FILE.write_text("\n".join(parts) + "\n", encoding="utf-8")


def _lines(counts: Mapping[str, Any]) -> list[str]:
    return [f"{name} = {_text(value)}" for name, value in counts.items()]


def _text(value: float | Mapping[str, float]) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{name} = {amount:.1f}" for name, amount in value.items()) + " }"
    return f"{value:.1f}"
