from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.daily_aggregates import DailyAggregates, per_bucket
from projections.projection import CountKey
from projections.reading import Count
from schemas.envelope import MAX_TIME_US
from tests.support.facts import ACCOUNT, DAY_US, HOUR_US, MORNING_US, beat, finding
from tests.support.memory_log import MemoryLog
from tests.support.spine import Spine

LAST_US = DAY_US - 1


def count(start_us: int, number: int, **other: object) -> Count:
    bucket = {"source": "monitoring.test", "severity": 2, "account": ACCOUNT} | other
    return Count(start_us, count=number, **bucket)  # type: ignore[arg-type]  # as the test says


@pytest.fixture
def folder_with_findings(tmp_path: Path) -> Path:
    """Findings at the edges of hours and days, around 2024-05-01, over both shards."""
    log = MemoryLog(shards=2)
    times = [-1, 0, 1, HOUR_US - 1, HOUR_US, LAST_US, DAY_US, DAY_US, DAY_US + HOUR_US]
    log.append([finding(number, MORNING_US + time_us) for number, time_us in enumerate(times)])
    with Spine(tmp_path, log) as spine:
        spine.fold()
    return tmp_path


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        (0, HOUR_US, [count(MORNING_US, 3)]),
        (0, HOUR_US + 1, [count(MORNING_US, 3), count(MORNING_US + HOUR_US, 1)]),
        (1, HOUR_US, []),
        (1, HOUR_US + 1, [count(MORNING_US + HOUR_US, 1)]),
        (-HOUR_US, 0, [count(MORNING_US - HOUR_US, 1)]),
        (-HOUR_US + 1, 0, []),
        (DAY_US, 2 * DAY_US, [count(MORNING_US + DAY_US, 2), count(MORNING_US + DAY_US + HOUR_US, 1)]),
        (HOUR_US, 0, []),
        (0, 0, []),
    ],
)
def test_hours_that_begin_in_the_range_are_told(
    folder_with_findings: Path, since: int, until: int, expected: list[Count]
) -> None:
    with Spine(folder_with_findings, MemoryLog()) as spine:
        assert list(spine.catalog.hourly(MORNING_US + since, MORNING_US + until)) == expected


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        (0, DAY_US, [count(MORNING_US, 5)]),
        (0, DAY_US + 1, [count(MORNING_US, 5), count(MORNING_US + DAY_US, 3)]),
        (0, 1, [count(MORNING_US, 5)]),
        (1, DAY_US, []),
        (1, 2 * DAY_US, [count(MORNING_US + DAY_US, 3)]),
        (-DAY_US, 0, [count(MORNING_US - DAY_US, 1)]),
        (DAY_US, 0, []),
    ],
)
def test_utc_days_that_begin_in_the_range_are_told(
    folder_with_findings: Path, since: int, until: int, expected: list[Count]
) -> None:
    with Spine(folder_with_findings, MemoryLog()) as spine:
        assert list(spine.catalog.daily(MORNING_US + since, MORNING_US + until)) == expected


def test_all_of_time_may_be_asked_for(folder_with_findings: Path) -> None:
    with Spine(folder_with_findings, MemoryLog()) as spine:
        assert sum(bucket.count for bucket in spine.catalog.daily(-1, MAX_TIME_US)) == 9
        assert sum(bucket.count for bucket in spine.catalog.hourly(-(2**60), 2**62)) == 9


def test_buckets_are_told_by_time_source_severity_and_account(tmp_path: Path) -> None:
    log = MemoryLog(shards=3)
    number = 0
    for source in ("aws.health", "Zed", "aws.backup"):
        for severity in (4, 0):
            for account in (ACCOUNT, ""):
                log.append([finding(number + n, MORNING_US, source=source, severity=severity, account=account) for n in range(3)])
                number += 3
    log.append([beat(MORNING_US)])
    with Spine(tmp_path, log) as spine:
        spine.fold()

        told = list(spine.catalog.daily(MORNING_US, MORNING_US + 1))

    buckets = [(s, n, a) for s in ("Zed", "aws.backup", "aws.health") for n in (0, 4) for a in ("", ACCOUNT)]
    assert told == [count(MORNING_US, 3, source=s, severity=n, account=a) for s, n, a in buckets]


KEYS = st.builds(
    CountKey,
    hour=st.integers(0, 100),
    source=st.sampled_from(["a", "b"]),
    severity=st.integers(0, 4),
    account=st.sampled_from(["", "1"]),
    shard=st.sampled_from(["x", "y"]),
)


@given(st.dictionaries(KEYS, st.integers(1, 9)), st.sampled_from([1, 24]))
def test_a_bucket_is_the_sum_over_its_hours_and_shards(counts: dict[CountKey, int], hours: int) -> None:
    told = list(per_bucket(sorted(counts.items()), hours))

    assert sum(number for _, number in told) == sum(counts.values())
    assert [key for key, _ in told] == sorted({key._replace(hour=key.hour // hours * hours, shard="") for key in counts})
    for bucket, number in told:
        inside = [n for key, n in counts.items() if key[1:4] == bucket[1:4] and bucket.hour <= key.hour < bucket.hour + hours]
        assert number == sum(inside)


def test_a_count_waits_for_no_other() -> None:
    events = [finding(1), finding(2)]
    log = MemoryLog(shards=1)
    log.append(events)

    batch = log.read("shard-0", None, 2)

    assert [DailyAggregates().parking_key(batch, index) for index in range(2)] == [event.id for event in events]
