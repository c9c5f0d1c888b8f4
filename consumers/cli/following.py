"""The live feed of a server, followed from afar: what ``tail --url`` shows.

Resuming: whenever the stream ends (a server that restarts, a network that breaks, a token that runs out, a client that was too
          slow) it is asked for again, behind the last place that was told. Nothing is missed, nothing told twice.
Waiting:  as long as the server asked for (``retry``), twice as long after each failure, a minute at most.
Errors:   the first connection has to succeed: an address that is wrong is told at once. Later only a refusal ends it: a sign-in
          that has ended, a right that was taken away.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import httpx
import orjson
from httpx_sse import EventSource, SSEError

from consumers.errors import ApiFailed

SILENCE_SECONDS: Final = 60.0
"""After so long without a heartbeat, of which there are several in that time, the connection counts as dead."""
MOST_SECONDS: Final = 60.0
_TIMEOUT: Final = httpx.Timeout(30.0, read=SILENCE_SECONDS)
_RETRY_SECONDS: Final = 2.0
_MILLISECONDS: Final = 1000


class Following:
    """Iterates over events as ``GET /feed`` tells them. ``place`` is behind what was told; "" is the present.

    ``api`` raises what it makes of a refusal; ``say`` is told of interruptions, once each. ``sleep`` takes seconds.
    """

    def __init__(
        self,
        api: httpx.Client,
        asked: Mapping[str, str],
        place: str,
        *,
        say: Callable[[str], None],
        sleep: Callable[[float], None],
    ) -> None:
        self.place = place
        self._api = api
        self._asked = asked
        self._say = say
        self._sleep = sleep
        self._retry_seconds = _RETRY_SECONDS
        self._failures = 0
        self._interrupted = False
        self._connected = False

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        """The events, without end. Raises ``ConsumerError``, ``httpx.HTTPError`` if there is no going on."""
        while True:
            try:
                yield from self._stream()
                why = ""  # a stream that ends is no fault: a server that stops, or one that tells it in pieces
            except (SSEError, orjson.JSONDecodeError) as other:
                message = f"{self._api.base_url} does not answer as a live feed: {other}; is it a findstream server?"
                raise ApiFailed(message) from other
            except (httpx.TransportError, ApiFailed) as broken:
                if not self._connected:
                    raise
                why = str(broken) or type(broken).__name__
            if why and not self._interrupted:
                self._say(f"interrupted, goes on once it can: {why}")
                self._interrupted = True
            self._sleep(min(MOST_SECONDS, self._retry_seconds * 2**self._failures))
            self._failures = min(self._failures + 1, 10)

    def _stream(self) -> Iterator[Mapping[str, Any]]:
        """One connection, to its end."""
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        if self.place:
            headers["Last-Event-ID"] = self.place
        with self._api.stream("GET", "/feed", params=dict(self._asked), headers=headers, timeout=_TIMEOUT) as response:
            for told in EventSource(response).iter_sse():
                self._heard(told.id, told.retry)
                if told.data and told.event in {"", "message"}:
                    yield orjson.loads(told.data)

    def _heard(self, place: str, retry: int | None) -> None:
        """The stream is alive, and stands behind ``place``."""
        self.place = place or self.place
        if retry is not None:
            self._retry_seconds = retry / _MILLISECONDS
        self._connected, self._failures, self._interrupted = True, 0, False
