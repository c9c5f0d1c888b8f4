"""Everything around a notifier that a test decides: the time, the log, what channels answer, and when the process dies."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from consumers.notifier.channels.port import Answer, Channel, Delivered, Message, Payload, Rate
from consumers.notifier.channels.slack import SlackChannel
from consumers.notifier.courier import Visit
from consumers.notifier.ledger.port import Wanted
from consumers.notifier.ledger.sqlite import SqliteLedger
from consumers.notifier.notice import Notice
from consumers.notifier.notifier import Notifier
from consumers.notifier.routing.tree import ALONE, Policies, Route, Routing
from pipeline.sqlite_file import Connect
from pipeline.sqlite_file import connect as safely
from schemas.envelope import Envelope
from tests.notifier import examples
from tests.notifier.memory_log import MemoryLog
from tests.notifier.slack_rules import CONSOLE, violations

UNHURRIED = Rate(per_second=1000.0, burst=1000)


def event(number: int = 1, **header: Any) -> Envelope:
    """The ``number``th event: something that happened, of HIGH severity, unless told otherwise."""
    return replace(examples.finding("agent_logs", id=examples.event(number).id, subject=f"log/{number}"), **header)


def at_once(name: str = "all", channel: str = "ops", **more: Any) -> Route:
    """A route that tells of everything by itself, and at once."""
    return replace(Route(name, channel, (name,), group_by=(ALONE,), group_wait_us=0), **more)


def routing(*routes: Route, **more: Any) -> Routing:
    """These routes, which do not keep anything from each other; below them nobody is told."""
    children = tuple(replace(route, go_on=True, path=("root", route.name)) for route in routes)
    return Routing(Route("root", "", ("root",), children=children), **more)


class Clock:
    """Microseconds since the epoch; goes on only when told."""

    def __init__(self) -> None:
        self.now_us = 1_700_000_000_000_000

    def __call__(self) -> int:
        return self.now_us

    def advance(self, seconds: float) -> None:
        self.now_us += round(seconds * 1_000_000)


class ScriptedChannel:
    """A Slack that answers by script, then ``Delivered``. ``told`` are the ids that each request names."""

    kind = "slack"

    def __init__(self, *answers: Answer | BaseException, pace: Rate = UNHURRIED) -> None:
        self.answers = list(answers)
        self.pace = pace
        self.told: list[tuple[str, ...]] = []
        self.messages: list[Message] = []
        self.payloads: list[Mapping[str, Any]] = []
        self._slack = SlackChannel(SecretStr("http://127.0.0.1:9/services/none"), CONSOLE)
        self._message: Message | None = None

    def render(self, message: Message) -> Payload:
        self._message = message
        return self._slack.render(message)

    def send(self, payload: Payload) -> Answer:
        assert violations(dict(payload)) == []
        assert self._message is not None
        self.messages.append(self._message)
        self.told.append(tuple(event.id for event, _ in self._message.told))
        self.payloads.append(payload)
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
        routes: Sequence[Route] = (at_once(),),
        channels: Mapping[str, Channel | None] | None = None,
        connect: Connect = quickly,
    ) -> None:
        self.clock = Clock()
        self.log = MemoryLog()
        self.ledger = SqliteLedger(path / "notices.db", connect=connect)
        self.ops = ScriptedChannel()
        self.policies = Policies(routing(*routes))
        self.channels: Mapping[str, Channel | None] = {"ops": self.ops} if channels is None else channels
        self.chance = 0.5

    def start(self) -> Notifier:
        return Notifier(
            self.log,
            self.ledger,
            self.channels,
            lambda: self.policies,
            console_url=CONSOLE,
            clock=self.clock,
            random=lambda: self.chance,
        )

    def notice(self, event: Envelope, route: str = "all") -> Notice:
        """The last notice of an event on a route."""
        return next(each for each in self.ledger.notices(Wanted(event_id=event.id)) if each.key.route == route)

    def facts(self) -> list[Envelope]:
        return self.log.events("notice.")


@contextmanager
def world(
    path: Path,
    *,
    routes: Sequence[Route] = (at_once(),),
    channels: Mapping[str, Channel | None] | None = None,
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
