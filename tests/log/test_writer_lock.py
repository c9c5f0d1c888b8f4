"""The writers' lock: one at a time, over threads, handles and processes."""

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest

from pipeline import writer_lock
from pipeline.writer_lock import WriterLock

HOLD = """
import sys
from pathlib import Path
from pipeline import writer_lock
from pipeline.writer_lock import WriterLock
print(WriterLock(Path(sys.argv[1])).acquire(5), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lock"


def test_it_is_held_by_one_at_a_time(path: Path) -> None:
    first, second = WriterLock(path), WriterLock(path)

    assert first.acquire(0)
    assert not second.acquire(0.01)
    assert not first.acquire(0.01)

    first.release()
    assert second.acquire(0)
    second.release()
    first.close()
    second.close()


def test_who_waits_gets_it_when_it_is_released(path: Path) -> None:
    first, second = WriterLock(path), WriterLock(path)
    assert first.acquire(0)
    got: list[bool] = []
    waiter = Thread(target=lambda: got.append(second.acquire(30)), daemon=True)
    waiter.start()

    first.release()

    waiter.join(30)
    assert got == [True]
    second.release()
    first.close()
    second.close()


def test_who_releases_it_lets_others_in_before_coming_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_lock, "_POLITE_PAUSE_SECONDS", 1.0)
    first, second = WriterLock(path), WriterLock(path)
    assert first.acquire(0)
    order: list[str] = []

    def come_second() -> None:
        assert second.acquire(30)
        order.append("second")
        second.release()

    waiter = Thread(target=come_second, daemon=True)
    waiter.start()
    while writer_lock._taken(first._queue, fcntl.LOCK_EX):
        fcntl.flock(first._queue, fcntl.LOCK_UN)

    first.release()
    assert first.acquire(30)
    order.append("first")

    waiter.join(30)
    assert order == ["second", "first"]
    first.release()
    assert not first._others_wait
    first.close()
    second.close()


def test_a_killed_process_lets_go_of_it(path: Path) -> None:
    lock = WriterLock(path)
    with subprocess.Popen([sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == b"True\n"
        assert not lock.acquire(0.01)

        os.kill(holder.pid, signal.SIGKILL)

    assert lock.acquire(5)
    lock.release()
    lock.close()


def test_a_closed_lock_is_given_to_nobody(path: Path) -> None:
    lock = WriterLock(path)
    lock.close()
    lock.close()

    assert not lock.acquire(5)
