"""The world in memory, and clients of the application over it."""

from collections.abc import Iterator

import pytest

from tests.api.contract import Checked
from tests.api.served import Served
from tests.api.world import World


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
