"""A world to judge in."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from projections.stores.sqlite import SqliteStore
from tests.engine.judging_world import World
from tests.support.spine import frozen_clock


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with closing(SqliteStore(tmp_path, clock=frozen_clock)) as store, closing(World(store)) as world:
        yield world
