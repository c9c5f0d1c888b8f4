"""The backends of the desks, each made at a test's own place."""

import itertools
from collections.abc import Callable
from pathlib import Path
from random import Random
from time import sleep
from typing import Any
from uuid import UUID

import pytest

from pipeline.desks.recorder.dynamodb import open_dynamodb
from pipeline.desks.recorder.port import Recorders
from pipeline.desks.recorder.sqlite import open_sqlite
from tests.aws.clients import Server
from tests.support.dynamo import table_at

_drawn = itertools.count(1)


def token() -> str:
    return str(UUID(int=next(_drawn)))


def dynamodb(
    server: Server, table: str, *, client: Any = None, dice: Random | None = None, pause: Callable[[float], object] = sleep
) -> Recorders:
    client = client or server.client("dynamodb")
    return open_dynamodb(client, table, token=token, dice=dice or Random(), pause=pause)


def sqlite(_: pytest.FixtureRequest, folder: Path) -> Callable[[], Recorders]:
    return lambda: open_sqlite(folder / "desks.db")


def on_ministack(request: pytest.FixtureRequest, folder: Path) -> Callable[[], Recorders]:
    server = request.getfixturevalue("ministack")
    return lambda: dynamodb(server, table_at(server, folder))


RECORDERS = (sqlite, on_ministack)
