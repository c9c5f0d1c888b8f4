"""On a terminal: progress on long work, on stderr only; colours; a clean end by Ctrl-C."""

import os
import pty
import re
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.shell import Findstream, finding, written

COMMAND = (sys.executable, "-m", "consumers.cli")


def on_terminal(home: Path, *arguments: str, stop: bool = False) -> tuple[int, bytes, bytes]:
    """A command whose stderr is a terminal: its exit code, its stdout, what the terminal showed."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"FINDSTREAM_HOME": str(home), "PYTHONPATH": str(Path(__file__).parents[2]), "TERM": "xterm"}
    with subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=theirs, env=environment) as process:
        os.close(theirs)
        assert process.stdout is not None
        if stop:
            process.stdout.readline()
            process.send_signal(signal.SIGINT)
        out = process.stdout.read()
        code = process.wait(60)
    shown = b""
    with closing(os.fdopen(ours, "rb", buffering=0)) as terminal:
        while True:
            try:
                shown += (chunk := terminal.read(65536))
            except OSError:  # how Linux tells that nobody writes any more
                break
            if not chunk:
                break
    return code, out, shown


@pytest.fixture
def filled(findstream: Findstream, home: Path) -> Path:
    """A log of three thousand findings."""
    findstream("sample", "--count", "3000", "--ingest")
    return home


def test_long_work_shows_its_progress_on_stderr_only(filled: Path) -> None:
    code, out, shown = on_terminal(filled, "rebuild", "event_index", "--json")

    assert code == 0
    assert b"event_index" in shown
    assert re.search(rb"2,\d{3} of 2,\d{3}", shown)
    assert out.startswith(b'{"rebuilt":')
    assert b"\x1b" not in out


def test_nothing_is_drawn_where_nobody_watches(findstream: Findstream, tmp_path: Path) -> None:
    path = written(tmp_path, "a.ndjson", finding(1))
    findstream("ingest", path)

    assert findstream("ingest", path).err == ""


def test_ctrl_c_ends_a_stream_without_a_trace(filled: Path) -> None:
    code, _, shown = on_terminal(filled, "sample", "--rate", "50", stop=True)

    assert code == 130
    assert b"Traceback" not in shown


def test_ctrl_c_of_a_live_ingest_still_tells_the_sum(home: Path) -> None:
    environment = os.environ | {"FINDSTREAM_HOME": str(home), "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen([*COMMAND, "sample", "--rate", "200", "--ingest", "--json"], stdout=-1, env=environment) as process:
        while not _holds_events(home):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        out = process.stdout.read()

        assert process.wait(30) == 0
    assert out.startswith(b'{"read":')


def _holds_events(home: Path) -> bool:
    return (home / "log.db-wal").exists() and (home / "log.db-wal").stat().st_size > 100_000
