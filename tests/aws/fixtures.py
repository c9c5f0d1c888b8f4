"""The AWS servers as fixtures: each is started once for a test process, when a test first asks for it."""

from collections.abc import Iterator

import pytest

from tests.aws import servers
from tests.aws.clients import Server


@pytest.fixture(scope="session")
def kinesalite() -> Iterator[Server]:
    with servers.kinesalite() as server:
        yield server


@pytest.fixture(scope="session")
def kinesis_local() -> Iterator[Server]:
    with servers.kinesis_local() as server:
        yield server


@pytest.fixture(scope="session")
def moto() -> Iterator[Server]:
    with servers.moto() as server:
        yield server


@pytest.fixture(scope="session")
def ministack() -> Iterator[Server]:
    with servers.ministack() as server:
        yield server
