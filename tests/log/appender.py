"""A process that appends, and says so after each acknowledgement: ``ack <first> <count>``, one write a line.

Run: ``python -m tests.log.appender PATH NAME FIRST``. Its events are numbered from ``NAME`` million and ``FIRST`` on.
"""

import argparse
import os
import sqlite3
from pathlib import Path

from pipeline.log.sqlite import SqliteLog
from pipeline.sqlite_file import connect
from schemas.envelope import Envelope
from tests.log.made_up import Clock, event

SUBJECTS = 3


def numbered(name: int, number: int) -> Envelope:
    """The appender's event of this number."""
    return event(name * 1_000_000 + number, subject=f"appender/{name}/{number % SUBJECTS}")


def connect_without_sync(path: Path) -> sqlite3.Connection:
    """A connection that forgets to sync: what must not pass the durability test."""
    connection = connect(path)
    connection.execute("PRAGMA synchronous = OFF")
    return connection


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("path", type=Path)
    parser.add_argument("name", type=int)
    parser.add_argument("first", type=int)
    parser.add_argument("--batches", type=int, default=1_000_000)
    parser.add_argument("--size", type=int, default=0, help="events a batch; 0: 1, 2, … 20 in turn")
    parser.add_argument("--repack-every", type=int, default=0, help="batches between two re-packs; 0: never")
    parser.add_argument("--without-sync", action="store_true")
    asked = parser.parse_args()
    log = SqliteLog(asked.path, clock=Clock(), connect=connect_without_sync if asked.without_sync else connect)
    first = asked.first
    for batch in range(asked.batches):
        count = asked.size or batch % 20 + 1
        log.append([numbered(asked.name, number) for number in range(first, first + count)])
        os.write(1, f"ack {first} {count}\n".encode())
        first += count
        if asked.repack_every and batch % asked.repack_every == 0:
            log.repack(tail=True)
    log.close()


if __name__ == "__main__":
    main()
