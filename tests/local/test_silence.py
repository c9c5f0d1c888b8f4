"""Silence is concluded from all that the log holds, not from what a projection has come to so far."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from consumers.silence.watch import SilenceWatch
from pipeline.log.sqlite import SqliteLog
from projections.agent_status import SILENT_AFTER_US
from projections.catalog import Catalog
from projections.projector import Projector
from projections.stores.sqlite import SqliteStore
from tests.support.facts import MORNING_US, beat

NOW_US = MORNING_US + 10 * SILENT_AFTER_US


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqliteLog]:
    with closing(SqliteLog(tmp_path / "log.db", clock=lambda: NOW_US)) as log:
        yield log


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(tmp_path / "projections", clock=lambda: NOW_US)) as store:
        yield store


@pytest.fixture
def watch(log: SqliteLog, store: SqliteStore) -> Iterator[SilenceWatch]:
    with closing(Catalog(store, log, retention_days=90)) as catalog:
        yield SilenceWatch(log, catalog, clock=lambda: NOW_US, fresh_seconds=0.0)


def told(log: SqliteLog) -> list[str]:
    batches = (log.read(shard.id, None, 100) for shard in log.shards())
    return [kind for batch in batches for kind in batch.columns.type if kind == "agent.went_silent"]


def fold(log: SqliteLog, store: SqliteStore, *, steps: int = 10, batch_events: int = 100) -> None:
    with closing(Projector(log, store, token="test", batch_events=batch_events)) as projector:
        for _ in range(steps):
            projector.step()


def test_an_agent_that_fell_silent_is_told_of_once(log: SqliteLog, store: SqliteStore, watch: SilenceWatch) -> None:
    log.append([beat(MORNING_US)])
    fold(log, store)

    counts = [watch.step(), watch.step()]
    fold(log, store)

    assert counts == [1, 0]
    assert watch.step() == 0
    assert told(log) == ["agent.went_silent"]


def test_an_agent_whose_last_beat_is_not_folded_yet_is_not_called_silent(
    log: SqliteLog, store: SqliteStore, watch: SilenceWatch
) -> None:
    log.append([beat(MORNING_US)])
    log.append([beat(NOW_US - 1)])
    fold(log, store, steps=1, batch_events=1)  # as after a restore, or while an outdated projection is rebuilt

    watch.step()

    assert told(log) == []
