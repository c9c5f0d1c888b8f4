"""Written down before it is sent, as the kernel sees it: under strace a sync of the ledger stands before each request."""

import re
import subprocess
import sys
from pathlib import Path

from tests.notifier.fake_slack import FakeSlack

COUNT = 5
CALL = re.compile(r"(?P<thread>\d+) +(?P<name>\w+)\(\d+<(?P<file>[^>]*)>")


def trace_of_a_notifier(strace: str, home: Path, *options: str) -> list[re.Match[str]]:
    """What a process that tells of ``COUNT`` events writes, syncs and asks the network for, in order."""
    watch = [strace, "-f", "-y", "-e", "trace=pwrite64,fsync,fdatasync,connect", "-o", str(home / "trace")]
    with FakeSlack() as slack:
        notifier = [sys.executable, "-m", "tests.notifier.notifying", str(home), slack.url("ops"), str(COUNT), *options]
        assert subprocess.run([*watch, *notifier], check=False, timeout=120).returncode == 0
        assert len(slack.arrived("ops")) == COUNT
    return [call for call in map(CALL.match, (home / "trace").read_text().splitlines()) if call]


def requested_too_early(trace: list[re.Match[str]]) -> tuple[int, int]:
    """How many requests there were, and how many of them before what their thread wrote to the WAL was synced."""
    requests = early = 0
    unsynced: set[str] = set()
    for call in trace:
        if call["name"] == "connect":
            requests += 1
            early += call["thread"] in unsynced
        elif call["file"].endswith("notices.db-wal"):
            unsynced = unsynced | {call["thread"]} if call["name"] == "pwrite64" else set()
    return requests, early


def test_a_sync_of_the_ledger_precedes_each_request(strace: str, tmp_path: Path) -> None:
    assert requested_too_early(trace_of_a_notifier(strace, tmp_path)) == (COUNT, 0)


def test_the_same_check_notices_a_ledger_that_does_not_sync(strace: str, tmp_path: Path) -> None:
    assert requested_too_early(trace_of_a_notifier(strace, tmp_path, "--without-sync")) == (COUNT, COUNT)
