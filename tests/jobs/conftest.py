"""The keeper of jobs over each backend."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from consumers.jobs.dynamodb import DynamoJobs
from consumers.jobs.port import Jobs
from consumers.jobs.sqlite import SqliteJobs
from tests.jobs.memory import MemoryJobs
from tests.support.dynamo import table_at


@pytest.fixture(params=["memory", "sqlite", "dynamodb"])
def jobs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Jobs]:
    if request.param == "memory":
        yield MemoryJobs()
    elif request.param == "sqlite":
        kept = SqliteJobs(tmp_path / "jobs.db")
        yield kept
        kept.close()
    else:
        server = request.getfixturevalue("ministack")
        yield DynamoJobs(server.client("dynamodb"), table_at(server, tmp_path), dice=Random())
