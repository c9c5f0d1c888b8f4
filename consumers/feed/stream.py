"""One follower's answer: the event stream, from where the client stands, until it leaves, is too slow, or the server stops.

Back-pressure: while a client reads its backlog nothing is queued for it, it is read as fast as the client takes it; live, at most
               the follower's capacity waits. A client that takes nothing for ``send_seconds`` is disconnected.
Resuming:      every block carries an id; ``Last-Event-ID`` goes on behind it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Final

import anyio
from anyio import to_thread
from starlette.types import Receive, Scope, Send

from consumers.feed import vector
from consumers.feed.follower import Follower, State
from consumers.feed.message import CONTENT_TYPE, Filter, dropped, heartbeat, opening
from consumers.feed.tail import Tail
from pipeline.errors import PipelineError
from pipeline.log.port import Position

HEARTBEAT_SECONDS: Final = 15.0
SEND_SECONDS: Final = 30.0

_HEADERS: Final = [
    (b"content-type", CONTENT_TYPE.encode()),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]

_logger = logging.getLogger(__name__)

Write = Callable[[bytes], Awaitable[None]]


class EventStream:
    """An ASGI application that answers one request. ``after`` is where the client stands; None: now."""

    def __init__(
        self,
        tail: Tail,
        wanted: Filter,
        after: Mapping[str, Position] | None,
        *,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        send_seconds: float = SEND_SECONDS,
    ) -> None:
        self._tail = tail
        self._wanted = wanted
        self._after = tail.vector if after is None else after
        self._heartbeat_seconds = heartbeat_seconds
        self._send_seconds = send_seconds
        self._woken = asyncio.Event()

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Stream until the client is gone, was told why it ends, or the log fails. Raises ``FeedFull``, ``FeedClosed`` before."""
        loop = asyncio.get_running_loop()

        async def write(block: bytes, *, more: bool = True) -> None:
            with anyio.fail_after(self._send_seconds):
                await send({"type": "http.response.body", "body": block, "more_body": more})

        async def watch() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            group.cancel_scope.cancel()

        with self._tail.admitted() as visit:
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            try:
                async with anyio.create_task_group() as group:
                    group.start_soon(watch)
                    visit.too_slow = await self._stream(write, lambda: _wake(loop, self._woken)) is State.DROPPED
                    await write(b"", more=False)
                    group.cancel_scope.cancel()
            except* TimeoutError:
                visit.too_slow = True
                _logger.warning("a follower took nothing for %s seconds and was disconnected; it can resume", self._send_seconds)
            except* PipelineError:
                _logger.warning("a follower was disconnected, since the log cannot be read; it can resume", exc_info=True)

    async def _stream(self, write: Write, wake: Callable[[], None]) -> State:
        at = dict(self._after)
        await write(opening(vector.encode(at)))
        while not self._tail.closing:
            follower = self._tail.follow(self._wanted, at, wake)
            if follower is not None:
                return await self._live(follower, write)
            messages, at = await to_thread.run_sync(self._tail.backlog, at)
            await write(b"".join(message.wire() for message in messages if self._wanted.wants(message)))
        return State.CLOSED

    async def _live(self, follower: Follower, write: Write) -> State:
        try:
            while True:
                messages, resume, state = follower.take()
                if messages:
                    await write(b"".join(message.wire() for message in messages))
                if state is State.DROPPED:
                    await write(dropped(resume))
                if state is not State.OPEN:
                    return state
                with anyio.move_on_after(self._heartbeat_seconds) as quiet:
                    await self._woken.wait()
                self._woken.clear()
                if quiet.cancelled_caught:
                    await write(heartbeat(resume))
        finally:
            self._tail.leave(follower)


def _wake(loop: asyncio.AbstractEventLoop, woken: asyncio.Event) -> None:
    with suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(woken.set)
