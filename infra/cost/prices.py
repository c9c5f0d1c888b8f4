"""List prices and measured counts, as their files hold them."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

_HERE: Final = Path(__file__).parent
COUNTS_FILE: Final = _HERE / "counts.toml"
PRICES_FILE: Final = _HERE / "prices.toml"


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars for one of each. ``pages`` names where each service's price list stands; ``as_of`` is a year and month."""

    as_of: str
    pages: tuple[str, ...]
    request: float
    gb_second: float
    shard_hour: float
    extended_shard_hour: float
    put_unit: float
    queue_request: float
    write_unit: float
    read_unit: float
    table_gb_month: float
    object_put: float
    object_gb_month: float

    @classmethod
    def load(cls) -> Self:
        """The prices in ``prices.toml``."""
        told = _read(PRICES_FILE)
        million = 1e-6
        return cls(
            as_of=told["as_of"],
            pages=tuple(service["page"] for service in told.values() if isinstance(service, dict)),
            request=told["lambda"]["million_requests"] * million,
            gb_second=told["lambda"]["gb_second"],
            shard_hour=told["kinesis"]["shard_hour"],
            extended_shard_hour=told["kinesis"]["extended_retention_shard_hour"],
            put_unit=told["kinesis"]["million_put_units"] * million,
            queue_request=told["sqs"]["million_requests"] * million,
            write_unit=told["dynamodb"]["million_write_units"] * million,
            read_unit=told["dynamodb"]["million_read_units"] * million,
            table_gb_month=told["dynamodb"]["gb_month"],
            object_put=told["s3"]["million_puts"] * million,
            object_gb_month=told["s3"]["gb_month"],
        )


@dataclass(frozen=True, slots=True)
class Commit:
    """What folding a batch of ``events`` into all projections takes, on average.

    ``write_units`` are DynamoDB's by projection, ``read_units`` in all. Bytes stay stored: of entries, and of id markers.
    """

    events: int
    write_units: Mapping[str, float]
    read_units: float
    entry_bytes: float
    marker_bytes: float


@dataclass(frozen=True, slots=True)
class Judged:
    """Units an event that the rules judge, written and read, where so many of the findings count towards thresholds."""

    counting: str
    written: float
    read: float


@dataclass(frozen=True, slots=True)
class Counts:
    """What tests measured. Bytes of one event: as it comes in, on the stream (plain, and compressed), in an object of bodies."""

    item_bytes: float
    record_bytes: float
    compressed_bytes: float
    object_bytes: float
    page_read_units: float
    """For a page of the fifty newest events."""
    commits: tuple[Commit, ...]
    rules: tuple[Judged, ...]
    """The first one where none counts, the others by how many do."""

    @classmethod
    def load(cls, path: Path = COUNTS_FILE) -> Self:
        """The counts in ``counts.toml``."""
        told = _read(path)
        commits = (
            Commit(int(size), c["write_units"], c["read_units"], c["entry_bytes"], c["marker_bytes"])
            for size, c in told["commit"].items()
        )
        rules = tuple(Judged(**judged) for judged in told["rules"])
        return cls(**told["event"], commits=tuple(sorted(commits, key=lambda commit: commit.events)), rules=rules)

    def commit(self, events: float) -> Commit:
        """The largest measured batch of at most so many events: what larger ones would save is not counted."""
        fitting = [commit for commit in self.commits if commit.events <= events]
        return fitting[-1] if fitting else self.commits[0]


def _read(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return tomllib.load(file)
