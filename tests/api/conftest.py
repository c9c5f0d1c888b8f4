"""The world in memory, and clients of the application over it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.contract import Checked
from tests.api.desk_world import Client, DeskWorld
from tests.api.served import Served
from tests.api.world import World, close_stores


@pytest.fixture(autouse=True)
def stores_closed() -> Iterator[None]:
    """A world opens files wherever it is made."""
    yield
    close_stores()


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def client(world: World) -> Iterator[Checked]:
    with Checked(world.application()) as checked:
        yield checked


@pytest.fixture
def served(world: World) -> Iterator[Served]:
    with Served(world.application()) as server:
        yield server


@pytest.fixture
def desk_client(tmp_path: Path) -> Iterator[Client]:
    """A client of an application over real files; it asks as an admin."""
    world = DeskWorld(tmp_path)
    with world.open() as app, Client(app, world) as client:
        yield client
