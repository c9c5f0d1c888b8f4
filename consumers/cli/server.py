"""How commands about tasks, agents and configuration reach the server: over HTTP, as anybody else does.

Refusals: become errors that end the command with the exit code of their kind, in the server's own words.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Protocol

import httpx
import typer

from consumers.draw import draw_id
from consumers.errors import ConsumerError, Refused
from pipeline.settings import Settings

_TIMEOUT_SECONDS: Final = 30.0
_MISUSED: Final = frozenset({400, 413, 415, 422})
_SERVER_FAULT: Final = 500


class Connect(Protocol):
    """What opens a client of the server, signed in where the server asks for it."""

    def __call__(self) -> Any:
        """A context that holds an ``httpx.Client``."""
        ...


class ServerAway(ConsumerError):
    """The server does not answer, or failed. Do: start it with findstream run; send the command again."""


@contextmanager
def client() -> Iterator[httpx.Client]:
    """A client of the server on this machine. Raises ``ServerAway``, ``Refused``, or ``typer.BadParameter`` for a wrong value."""
    url = f"http://127.0.0.1:{Settings.load().port}"
    hooks = {"response": [_check]}
    with httpx.Client(base_url=url, timeout=_TIMEOUT_SECONDS, event_hooks=hooks, trust_env=False) as opened:
        try:
            yield opened
        except httpx.TransportError as away:
            message = f"{url} does not answer ({away}); is findstream run running?"
            raise ServerAway(message) from away


def drawn_key() -> Mapping[str, str]:
    """The header that makes a command safe to be sent again."""
    return {"Idempotency-Key": str(draw_id())}


def _check(answer: httpx.Response) -> None:
    if not answer.is_error:
        return
    answer.read()
    told = _told(answer)
    if answer.status_code in _MISUSED:
        raise typer.BadParameter(told)
    raise (ServerAway if answer.status_code >= _SERVER_FAULT else Refused)(told)


def _told(answer: httpx.Response) -> str:
    """The server's words, the wrong fields among them."""
    try:
        error = answer.json()["error"]
        details = "; ".join(f"{detail['field']}: {detail['message']}" for detail in error["details"])
        return f"{error['message']} ({details})" if details else str(error["message"])
    except (ValueError, KeyError, TypeError):
        return f"the server answered {answer.status_code}"
