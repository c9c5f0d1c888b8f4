"""Everything around a notifier that a test decides: the time, the log, what channels answer, and when the process dies."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from consumers.notifier.channels.port import Answer, Delivered, Sender
from consumers.notifier.courier import Visit
from consumers.notifier.ledger.sqlite import SqliteLedger
from consumers.notifier.notice import Key, Notice
from consumers.notifier.notifier import Notifier
from consumers.notifier.render import Renderer
from consumers.notifier.routes import Route
from pipeline.sqlite_file import Connect
from pipeline.sqlite_file import connect as safely
from schemas.envelope import Envelope
from tests.notifier.memory_log import MemoryLog
from tests.notifier.slack_rules import CONSOLE, violations

ALL = Route(name="all", channel="ops")
RENDERER = Renderer(CONSOLE)


class Clock:
    """Microseconds since the epoch; goes on only when told."""

    def __init__(self) -> None:
        self.now_us = 1_700_000_000_000_000

    def __call__(self) -> int:
        return self.now_us

    def advance(self, seconds: float) -> None:
        self.now_us += round(seconds * 1_000_000)


class ScriptedSender:
    """Answers by script, then ``Delivered``. Keeps the messages that arrived; ``lost`` answers leave theirs out."""

    def __init__(self, *answers: Answer | BaseException) -> None:
        self.answers = list(answers)
        self.requests: list[Mapping[str, Any]] = []

    def send(self, payload: Mapping[str, Any]) -> Answer:
        assert violations(dict(payload)) == []
        self.requests.append(payload)
        answer = self.answers.pop(0) if self.answers else Delivered()
        if isinstance(answer, BaseException):
            raise answer
        return answer


def quickly(path: Path) -> sqlite3.Connection:
    """A connection that does not wait for the disk: only processes die here, no machine."""
    connection = safely(path)
    connection.execute("PRAGMA synchronous = OFF")
    return connection


class World:
    """One home of a notifier, which can be started again and again."""

    def __init__(
        self,
        path: Path,
        *,
        routes: Sequence[Route] = (ALL,),
        channels: Mapping[str, Sender | None] | None = None,
        connect: Connect = quickly,
    ) -> None:
        self.clock = Clock()
        self.log = MemoryLog()
        self.ledger = SqliteLedger(path / "notices.db", connect=connect)
        self.ops = ScriptedSender()
        self.routes = routes
        self.channels: Mapping[str, Sender | None] = {"ops": self.ops} if channels is None else channels
        self.chance = 0.5

    def start(self) -> Notifier:
        return Notifier(
            self.log, self.ledger, self.routes, self.channels, RENDERER, clock=self.clock, random=lambda: self.chance
        )  # fmt: skip

    def notice(self, event: Envelope, route: str = "all") -> Notice:
        found = self.ledger.get(Key(route, event.id))
        assert found is not None
        return found

    def facts(self) -> list[Envelope]:
        return self.log.events("notice.")


@contextmanager
def world(
    path: Path,
    *,
    routes: Sequence[Route] = (ALL,),
    channels: Mapping[str, Sender | None] | None = None,
    connect: Connect = quickly,
) -> Iterator[World]:
    made = World(path, routes=routes, channels=channels, connect=connect)
    try:
        yield made
    finally:
        made.ledger.close()


def settle(notifier: Notifier, channel: str = "ops") -> list[Visit]:
    """Visit ``channel`` until nothing is due."""
    visits = []
    while (visit := notifier.deliver(channel)).notice is not None:
        visits.append(visit)
    return visits


def drain(notifier: Notifier) -> None:
    """Read, deliver and relay until all is still."""
    while notifier.step() or any(settle(notifier, channel) for channel in notifier.channels) or notifier.relay():
        pass


def repeats(message: Mapping[str, Any]) -> bool:
    """Whether a message says that it may be a repeat."""
    return "may be a repeat" in str(message)
