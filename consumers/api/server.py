"""Serves the application on an address of this machine until told to stop.

Stopping: no new connections, followers of the feed are told at once, requests under way get ``grace_seconds``; then it returns.
Signals:  are the caller's business; it sets ``stop``, from a handler or another thread.
"""

import asyncio
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from threading import Event
from typing import Final
from urllib.parse import urlsplit

import uvicorn

from consumers.address import url_at
from consumers.api.app import Application
from pipeline.settings import Settings

ADDRESS: Final = "127.0.0.1"
GRACE_SECONDS: Final = 5

_BACKLOG: Final = 1024


class _Server(uvicorn.Server):
    """Ends with an event instead of a signal, and ends endless answers before it waits for answers to end."""

    def __init__(self, config: uvicorn.Config, stop: Event, closing: Callable[[], None]) -> None:
        super().__init__(config)
        self._stop = stop
        self._closing = closing

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def on_tick(self, counter: int) -> bool:
        return await super().on_tick(counter) or self._stop.is_set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await asyncio.to_thread(self._closing)
        await super().shutdown(sockets)


def listen(port: int, address: str = ADDRESS) -> socket.socket:
    """A socket that listens on ``address``; port 0 picks a free one. Raises ``OSError`` if the port is taken.

    Connections wait in it until ``serve`` takes them.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # asyncio switches Nagle's algorithm off only where the protocol is named; with it, a body waits 40 ms for an acknowledgement
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((address, port))
        listening.listen(_BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening


def names_of(settings: Settings) -> list[str]:
    """Under which names other machines may ask for this server: beyond loopback its address, its own and the console's name."""
    if settings.bound_to_loopback:
        return []
    address = f"[{settings.bind}]" if ":" in settings.bind else settings.bind
    console = urlsplit(settings.console_url or "").hostname or ""
    return [name for name in (address, socket.gethostname(), socket.getfqdn(), console) if name]


def serve(app: Application, listening: socket.socket | int, stop: Event) -> None:
    """Serve until ``stop`` is set. ``listening`` is a socket of ``listen``, or a port (0: any free one).

    Says on stderr where it listens, once it does. Raises ``OSError`` if the port is taken.
    """
    bound = listen(listening) if isinstance(listening, int) else listening
    config = uvicorn.Config(
        app,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_keep_alive=30,
    )
    address, port = bound.getsockname()[:2]
    reach = "this machine only" if ip_address(address).is_loopback else "other machines too"
    sys.stderr.write(f"findstream listens on {url_at(address, port)} ({reach})\n")
    sys.stderr.flush()
    with bound:
        asyncio.run(_Server(config, stop, app.end_streams).serve([bound]))
