"""A request to an AWS server, its answer, and what a fault may do to them.

A fault stands between client and server. It is handed a ``Call``, passes on to the server what it likes, and returns the answer
that the client gets, or raises ``Unanswered``.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Self

import orjson


class Unanswered(Exception):
    """The client gets no answer: the connection ends, or, with ``held``, stays silent until the client gives up."""

    def __init__(self, *, held: bool = False) -> None:
        super().__init__("held" if held else "dropped")
        self.held = held


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request; header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def operation(self) -> str:
        """What ``X-Amz-Target`` says without its prefix, for example ``PutRecords``; without that header, the HTTP method."""
        return self.headers.get("x-amz-target", self.method).rpartition(".")[2]

    @property
    def json(self) -> Any:
        """The body, decoded anew on each access."""
        return orjson.loads(self.body)

    def with_json(self, value: Any) -> Self:
        """The same request with another body."""
        return replace(self, body=orjson.dumps(value))


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the server did as it was asked."""
        return self.status == 200  # the HTTP status

    @property
    def json(self) -> Any:
        """The body, decoded anew on each access."""
        return orjson.loads(self.body)

    def with_json(self, value: Any) -> Self:
        """The same answer with another body, and without the checksum of the old one."""
        kept = {name: text for name, text in self.headers.items() if name.lower() != "x-amz-crc32"}
        return replace(self, body=orjson.dumps(value), headers=kept)


def answer(value: Any) -> Answer:
    """A success that the server knows nothing of."""
    return Answer(200, orjson.dumps(value), {"Content-Type": "application/x-amz-json-1.1"})


def error(code: str, message: str, *, status: int = 400, **members: Any) -> Answer:
    """An error as AWS's JSON protocols write it."""
    body = orjson.dumps({"__type": code, "message": message, **members})
    return Answer(status, body, {"Content-Type": "application/x-amz-json-1.1", "x-amzn-ErrorType": code})


@dataclass(frozen=True, slots=True)
class Call:
    """A request on its way, the way to the server, and dice that fall the same in each run."""

    request: Request
    pass_on: Callable[[Request], Answer]
    dice: Random

    def passed_on(self) -> Answer:
        """The server's answer to the request as it came."""
        return self.pass_on(self.request)


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong; counted under its name."""

    name: str
    play: Callable[[Call], Answer]
