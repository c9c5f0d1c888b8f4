"""How many findings there were: kept per hour, source, severity, account; shown per hour or UTC day.

Key:    (hour, source, severity, account), counted per shard and summed on reading.
Order:  none; addition commutes, so late events need no care.
Replay: folding the log again gives equal counts.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import repeat
from typing import ClassVar, Final

from pipeline.log.port import Batch
from projections.projection import Changes, CountKey, Rows

HOUR_US: Final = 3_600_000_000
HOURS_A_DAY: Final = 24


class DailyAggregates:
    """The fold: one more in its bucket for each finding."""

    name: ClassVar[str] = "daily_aggregates"
    version: ClassVar[int] = 1
    folds: ClassVar[Mapping[str, int]] = {"finding.observed": 1}

    def parking_key(self, batch: Batch, index: int) -> str:
        """Counts do not depend on each other: the event's own id."""
        return batch.columns.id[index]

    def fold(self, rows: Rows, batch: Batch) -> Changes:  # noqa: ARG002  # a count depends on no other row
        """Add each event to its bucket."""
        c = batch.columns
        hours = [time // HOUR_US for time in c.time_us]
        buckets = Counter(zip(hours, c.source, c.severity, c.account, repeat(batch.shard)))  # one is endless
        return Changes(counts=dict(zip(map(CountKey._make, buckets), buckets.values(), strict=True)))


def per_bucket(counts: Iterable[tuple[CountKey, int]], hours: int) -> Iterator[tuple[CountKey, int]]:
    """Sum counts, which come in key order, over shards and over buckets of ``hours`` hours; in key order, shard ""."""
    sums: Counter[CountKey] = Counter()
    for key, count in counts:
        sums[key._replace(hour=key.hour // hours * hours, shard="")] += count
    yield from sorted(sums.items())
