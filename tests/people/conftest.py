"""The store of people over each backend."""

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from consumers.people.dynamodb import DynamoPeople
from consumers.people.port import People
from consumers.people.sqlite import SqlitePeople
from tests.people.stores import QUICK
from tests.support.dynamo import table_at

Open = Callable[[], People]


@pytest.fixture(params=["sqlite", "dynamodb"])
def another(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens the store, as each process does for itself."""
    opened: list[People] = []

    def sqlite() -> People:
        opened.append(SqlitePeople(tmp_path / "people.db", passwords=QUICK))
        return opened[-1]

    def dynamodb() -> People:
        server = request.getfixturevalue("ministack")
        return DynamoPeople(server.client("dynamodb"), table_at(server, tmp_path), dice=Random(), passwords=QUICK)

    yield {"sqlite": sqlite, "dynamodb": dynamodb}[request.param]
    for people in opened:
        people.close()


@pytest.fixture
def people(another: Open) -> People:
    return another()
