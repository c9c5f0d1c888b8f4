"""Durable before acknowledged, as the kernel sees it: under strace a sync of the WAL stands before each acknowledgement."""

import re
from pathlib import Path

from tests.log.running import acknowledged, appender

BATCHES = 6
CALL = re.compile(r"\d+ +(?P<name>\w+)\(\d+<(?P<file>[^>]*)>(?:, \"(?P<data>[^\"]*))?")


def trace_of_an_appender(strace: str, path: Path, *options: str) -> list[re.Match[str]]:
    """The writes and syncs of a process that appends, in order."""
    trace = path.with_name("trace")
    watch = [strace, "-f", "-y", "-s", "16", "-e", "trace=write,pwrite64,fsync,fdatasync", "-o", str(trace)]
    with appender(path, 0, 0, "--batches", str(BATCHES), "--size", "3", *options, under=watch) as child:
        assert child.stdout
        assert acknowledged(child.stdout.read()) == 3 * BATCHES
    assert child.returncode == 0
    return [call for call in map(CALL.match, trace.read_text().splitlines()) if call]


def acknowledged_too_early(trace: list[re.Match[str]]) -> tuple[int, int]:
    """How many acknowledgements there were, and how many of them before what was written to the WAL was synced."""
    acknowledgements = early = 0
    written, synced = False, False
    for call in trace:
        if call["file"].endswith("log.db-wal"):
            written, synced = (True, False) if call["name"] == "pwrite64" else (written, True)
        elif (call["data"] or "").startswith("ack "):
            acknowledgements += 1
            early += not (written and synced)
            written = synced = False
    return acknowledgements, early


def test_a_sync_of_the_log_precedes_each_acknowledgement(strace: str, tmp_path: Path) -> None:
    trace = trace_of_an_appender(strace, tmp_path / "log.db")

    assert acknowledged_too_early(trace) == (BATCHES, 0)


def test_the_new_files_name_is_synced_before_the_first_acknowledgement(strace: str, tmp_path: Path) -> None:
    trace = trace_of_an_appender(strace, tmp_path / "log.db")

    first = next(number for number, call in enumerate(trace) if (call["data"] or "").startswith("ack "))
    synced = {call["file"] for call in trace[:first] if call["name"] in {"fsync", "fdatasync"}}
    assert str(tmp_path) in synced


def test_the_same_check_notices_a_log_that_does_not_sync(strace: str, tmp_path: Path) -> None:
    trace = trace_of_an_appender(strace, tmp_path / "log.db", "--without-sync")

    assert acknowledged_too_early(trace) == (BATCHES, BATCHES)
