"""Counters in SQLite: an hour's counts packed into few rows, each of which adds to the others.

A commit appends what it counted, a row an hour; when an hour has many rows, they become one. So a counter costs a few bytes and
no search, where a row of its own would cost a walk down a tree for each bucket of each commit.
"""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

from projections.columnar import Columns, Groups, encode
from projections.projection import CountKey

SCHEMA: Final = """
CREATE TABLE counter(number INTEGER PRIMARY KEY, hour INTEGER NOT NULL, blob BLOB NOT NULL);
CREATE INDEX counter_by_hour ON counter(hour);
"""

_ROWS: Final = 16
"""Of an hour, at most."""
_GROUPS: Final[Groups] = ({"source": True, "severity": True, "account": True, "shard": True, "count": False},)


def insert(connection: sqlite3.Connection, counts: Mapping[CountKey, int]) -> None:
    """Add to the counters, in the caller's transaction."""
    hours: defaultdict[int, dict[CountKey, int]] = defaultdict(dict)
    for key, count in counts.items():
        hours[key.hour][key] = count
    for hour, added in hours.items():
        (rows,) = connection.execute("SELECT count(*) FROM counter WHERE hour = ?", (hour,)).fetchone()
        whole: Mapping[CountKey, int] = added
        if rows >= _ROWS:
            sums = Counter(added)
            for (blob,) in connection.execute("SELECT blob FROM counter WHERE hour = ?", (hour,)):
                sums.update(_unpack(hour, blob))
            connection.execute("DELETE FROM counter WHERE hour = ?", (hour,))
            whole = sums
        connection.execute("INSERT INTO counter(hour, blob) VALUES (?, ?)", (hour, _pack(whole)))


def select(connection: sqlite3.Connection, since_hour: int, until_hour: int) -> Iterator[tuple[CountKey, int]]:
    """All counters of the hours in the range, in key order; an hour is read when it is asked for."""
    rows = connection.execute(
        "SELECT hour, blob FROM counter WHERE hour >= ? AND hour < ? ORDER BY hour", (since_hour, until_hour)
    )
    sums: Counter[CountKey] = Counter()
    current = since_hour
    for hour, blob in rows:
        if hour != current:
            yield from sorted(sums.items())
            sums.clear()
            current = hour
        sums.update(_unpack(hour, blob))
    yield from sorted(sums.items())


def _pack(counts: Mapping[CountKey, int]) -> bytes:
    _, sources, severities, accounts, shards = map(list, zip(*counts, strict=True))
    columns = {"source": sources, "severity": severities, "account": accounts, "shard": shards, "count": list(counts.values())}
    return encode(_GROUPS, columns)


def _unpack(hour: int, blob: bytes) -> dict[CountKey, int]:
    columns = Columns(_GROUPS, blob)
    told = (columns[name].whole() for name in ("source", "severity", "account", "shard"))
    keys = (CountKey(hour, *key) for key in zip(*told, strict=True))
    return dict(zip(keys, columns["count"].whole(), strict=True))
