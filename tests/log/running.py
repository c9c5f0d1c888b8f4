"""Appenders in processes of their own, and what they acknowledged."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.log.sqlite import SqliteLog
from schemas.envelope import Envelope
from tests.log.appender import SUBJECTS, numbered

ROOT = Path(__file__).parents[2]


def appender(path: Path, name: int, first: int, *options: str, under: Sequence[str] = ()) -> subprocess.Popen[bytes]:
    """A started appender; its acknowledgements come from its standard output. ``under`` is a command to run it under."""
    command = [*under, sys.executable, "-m", "tests.log.appender", str(path), str(name), str(first), *options]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)


def acknowledged(lines: bytes) -> int:
    """How many events were acknowledged by these lines, which follow each other without a gap."""
    count = 0
    for line in lines.splitlines():
        word, first, more = line.split()
        assert word == b"ack"
        assert count == 0 or int(first) == count
        count = int(first) + int(more)
    return count


def held_of(log: SqliteLog, name: int) -> list[Envelope]:
    """The events of an appender that the log holds, subject by subject, in the order of the log."""
    held = []
    for shard in log.shards():
        held += [record.event for record in log.read(shard.id, None, 10**9).records()]
    mine = [f"appender/{name}/{number}" for number in range(SUBJECTS)]
    return [event for subject in mine for event in held if event.subject == subject]


def in_order(name: int, count: int) -> list[Envelope]:
    """An appender's first ``count`` events, subject by subject, in the order in which it appended them."""
    return [numbered(name, number) for start in range(SUBJECTS) for number in range(start, count, SUBJECTS)]


def assert_held(log: SqliteLog, name: int, count: int) -> None:
    """The log holds the appender's first ``count`` events, each once and in order, and perhaps a few that follow."""
    held = held_of(log, name)
    assert len(held) >= count
    assert in_order(name, len(held)) == held
