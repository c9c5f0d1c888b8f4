"""One fixture a port, parametrised over its backends."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from projections.stores.port import Generation, Store
from tests.conformance.store_backends import SLOW_STORES, STORES, StoreBackend


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "store_backend" in metafunc.fixturenames:
        makers = [*STORES, *(SLOW_STORES if getattr(metafunc.module, "QUICK", False) else ())]
        metafunc.parametrize("store_backend", makers, indirect=True, ids=[make.__name__ for make in makers])


@pytest.fixture
def store_backend(request: pytest.FixtureRequest) -> StoreBackend:
    backend = request.param(request)
    assert isinstance(backend, StoreBackend)
    return backend


@pytest.fixture
def store(store_backend: StoreBackend, tmp_path: Path) -> Iterator[Store]:
    with closing(store_backend.at(tmp_path)) as store:
        yield store


@pytest.fixture
def generation(store: Store) -> Iterator[Generation]:
    """A serving generation whose shards "a" and "b" the writer "writer" holds."""
    with closing(store.open(store.create("some", 1, serving=True))) as generation:
        generation.claim("writer", ["a", "b"])
        yield generation
