"""One fixture a port, parametrised over its backends."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from projections.stores.port import Generation, Store
from tests.conformance.store_backends import STORES, StoreBackend


@pytest.fixture(params=STORES, ids=str)
def store_backend(request: pytest.FixtureRequest) -> StoreBackend:
    backend = request.param
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
