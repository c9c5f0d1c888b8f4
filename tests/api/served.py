"""A real server in a thread, on a free port of loopback."""

import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

import httpx

from consumers.api.app import Application
from consumers.api.server import listen, serve
from consumers.people.user import User
from tests.api.world import ADMIN, signed_in

DEADLINE_SECONDS = 60.0


class Served:
    """Serves within its block; ``stop`` and ``wait`` are for tests of the end."""

    def __init__(self, app: Application) -> None:
        self._socket = listen(0)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.stop = threading.Event()
        self.thread = threading.Thread(target=serve, args=(app, self._socket, self.stop))

    def __enter__(self) -> Self:
        self.thread.start()
        assert self.get("/health").status_code == 200
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop.set()
        self.thread.join(DEADLINE_SECONDS)
        assert not self.thread.is_alive(), "the server did not stop"

    def get(self, path: str, **options: str) -> httpx.Response:
        """One request of its own."""
        return httpx.get(self.url + path, headers=signed_in() | options, timeout=DEADLINE_SECONDS)

    def post(self, path: str, item: object) -> httpx.Response:
        """One request of its own, with a JSON body."""
        return httpx.post(self.url + path, json=item, headers=signed_in(), timeout=DEADLINE_SECONDS)


class Follower:
    """A client of the feed on a bare socket, so that a test decides when it reads. Lines without the chunked framing."""

    def __init__(
        self,
        server: Served | int,
        query: str = "",
        *,
        last_event_id: str = "",
        buffer_bytes: int | None = None,
        who: User = ADMIN,
    ) -> None:
        self._socket = socket.socket()
        if buffer_bytes is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        self._socket.settimeout(DEADLINE_SECONDS)
        self._socket.connect(("127.0.0.1", server if isinstance(server, int) else server.port))
        resume = f"Last-Event-ID: {last_event_id}\r\n" if last_event_id else ""
        shown = "".join(f"{name}: {value}\r\n" for name, value in signed_in(who).items())
        self._socket.sendall(f"GET /feed{query} HTTP/1.1\r\nHost: 127.0.0.1\r\n{shown}{resume}\r\n".encode())
        self._file = self._socket.makefile("rb")
        self.status = int(self._file.readline().split()[1])
        while self._file.readline().strip():
            pass
        self._pending = b""
        self.ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def blocks(self, count: int) -> list[dict[str, str]]:
        """The next ``count`` blocks, as fields; fewer if the stream ends before."""
        found: list[dict[str, str]] = []
        fields: dict[str, str] = {}
        while len(found) < count and (line := self._line()) is not None:
            if line:
                name, _, value = line.partition(": ")
                fields[name or "comment"] = value
            elif fields:
                found.append(fields)
                fields = {}
        return found

    def events(self, count: int) -> list[dict[str, str]]:
        """The next ``count`` blocks that carry data."""
        found: list[dict[str, str]] = []
        while len(found) < count and (blocks := self.blocks(1)):
            found += [block for block in blocks if "data" in block]
        return found

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._socket.close()

    def _line(self) -> str | None:
        while b"\n" not in self._pending:
            size = int(self._file.readline() or b"0", 16)
            if not size:
                self.ended = True
                return None
            self._pending += self._file.read(size)
            self._file.readline()
        line, _, self._pending = self._pending.partition(b"\n")
        return line.decode()


def until(condition: Callable[[], object], seconds: float = DEADLINE_SECONDS) -> None:
    """Wait for a condition, with a deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.005)
