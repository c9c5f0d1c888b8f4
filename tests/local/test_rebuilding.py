"""Rebuilding several at once: each ends by itself, whatever becomes of its process."""

import os
import signal
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from consumers.composition import open_log, open_store
from consumers.errors import WorkerLost
from consumers.rebuilding import dealt, processors, rebuild
from pipeline.errors import PipelineError
from pipeline.settings import Settings
from projections.errors import RebuildRunning
from projections.projector import ALL, Projector, named
from projections.rebuild import Outcome, Progress, Rebuilt
from projections.stores.port import Status
from tests.support.facts import finding

NAMES = [projection.name for projection in ALL]
EVENTS = 30_000
"""Some batches of each projection."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A data folder with a log that is folded."""
    made = Settings(home=tmp_path / "var")
    with open_log(made) as log:
        store = open_store(made)
        for first in range(0, EVENTS, 1000):
            log.append([finding(number) for number in range(first, first + 1000)])
        projector = Projector(log, store, token="test")
        while projector.step():
            pass
        projector.close()
        store.close()
    return made


def serving(settings: Settings) -> dict[str, int]:
    store = open_store(settings)
    found = {name: info.number for name, info in store.serving().items()}
    store.close()
    return found


def nothing(_: Progress) -> None:
    pass


def test_the_heaviest_projection_has_a_process_of_its_own() -> None:
    assert dealt(NAMES, 2) == [["event_index"], [name for name in NAMES if name != "event_index"]]
    assert dealt(NAMES, 1) == [NAMES]
    assert sorted(map(len, dealt(NAMES, 9))) == [1] * len(NAMES)
    assert processors(Settings()) >= 1


def test_a_stream_is_read_by_one_process_unless_told_otherwise() -> None:
    """All who read a shard share what it gives."""
    assert processors(Settings(log_url="kinesis://findings", store_url="dynamodb://findstream")) == 1


def test_all_are_rebuilt_by_two_processes(settings: Settings) -> None:
    told: list[Progress] = []

    ends = rebuild(settings, ALL, processes=2, on_progress=told.append, diff=True)

    assert list(ends) == NAMES
    for end in ends.values():
        assert isinstance(end, Rebuilt)
        assert (end.outcome, end.generation, end.folded) == (Outcome.SWITCHED, 2, EVENTS)
        assert end.difference is not None
        assert end.difference.equal
    assert {progress.projection for progress in told} == set(NAMES)
    assert serving(settings) == dict.fromkeys(NAMES, 2)


def test_what_cannot_be_rebuilt_keeps_the_others_from_nothing(settings: Settings) -> None:
    store = open_store(settings)
    with store.building("event_index"):
        ends = rebuild(settings, ALL, processes=2, on_progress=nothing)
    store.close()

    assert isinstance(ends["event_index"], RebuildRunning)
    assert serving(settings) == {**dict.fromkeys(NAMES, 2), "event_index": 1}


@pytest.mark.parametrize("processes", [1, 2])
def test_a_log_that_cannot_be_read_ends_all(settings: Settings, processes: int) -> None:
    (settings.home / "log.db").write_bytes(b"not a database")

    ends = rebuild(settings, ALL, processes=processes, on_progress=nothing)

    assert all(isinstance(end, PipelineError) for end in ends.values())
    assert serving(settings) == dict.fromkeys(NAMES, 1)


def worker_of(name: str) -> int:
    """The process that builds a projection: a child of this one that has its file open."""
    for folder in Path("/proc").glob("[0-9]*/fd"):
        try:
            files = [str(file.readlink()) for file in folder.iterdir()]
        except OSError:
            continue
        if folder.parent.name != str(os.getpid()) and any(f"{name}-2.db" in file for file in files):
            return int(folder.parent.name)
    raise AssertionError(name)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="finds the worker by /proc")
def test_a_killed_process_costs_its_own_projections_only(settings: Settings) -> None:
    killed = threading.Event()

    def kill(progress: Progress) -> None:
        if progress.projection == "event_index" and not killed.is_set():
            killed.set()
            os.kill(worker_of("event_index"), signal.SIGKILL)

    with closing(sqlite3.connect(settings.home / "projections" / "event_index-1.db", isolation_level=None)) as former:
        former.execute("BEGIN IMMEDIATE")  # so that the worker cannot have switched when it is killed
        ends = rebuild(settings, ALL, processes=2, on_progress=kill)

    assert killed.is_set()
    assert isinstance(ends["event_index"], WorkerLost)
    assert serving(settings) == {**dict.fromkeys(NAMES, 2), "event_index": 1}
    again = rebuild(settings, [named("event_index")], processes=2, on_progress=nothing)
    assert isinstance(again["event_index"], Rebuilt)


def test_an_interruption_leaves_nothing_half_built(settings: Settings) -> None:
    """What was about to switch may have done so; all else serves as before."""

    def interrupt(_: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rebuild(settings, ALL, processes=2, on_progress=interrupt)

    store = open_store(settings)
    statuses = {name: [info.status for info in store.generations(name)] for name in NAMES}
    store.close()
    whole = ([Status.SERVING], [Status.RETIRED, Status.SERVING])
    assert all(found in whole for found in statuses.values())
