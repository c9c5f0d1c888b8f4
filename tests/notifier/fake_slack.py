"""A Slack of our own, on loopback: takes incoming webhooks, refuses what Slack would refuse, and misbehaves by script.

What it refuses stands in ``slack_rules``. In a test: ``with FakeSlack() as slack: … slack.url("ops") …``. As a process:
``python -m tests.notifier.fake_slack --port 0 --record messages.ndjson`` prints its address and appends a line a message.
"""

import argparse
import json
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, Self

from tests.notifier.slack_rules import CONSOLE, violations

_MAX_BODY = 1_000_000
_PATIENCE_SECONDS = 30.0


@dataclass(frozen=True)
class Step:
    """What becomes of one request. ``arrives``: the message counts as posted, whatever the answer (None: if it is 200)."""

    status: int = 200
    body: str = "ok"
    headers: dict[str, str] = field(default_factory=dict)
    arrives: bool | None = None
    reset: bool = False
    hold: Event | None = None
    then: Callable[[], None] | None = None
    """Done after the message was recorded and before it is answered."""


def rate_limited(seconds: int | str = 1) -> Step:
    return Step(429, "rate_limited", {"Retry-After": str(seconds)})


def broken(status: int = 500, word: str = "rollup_error") -> Step:
    return Step(status, word)


@dataclass(frozen=True)
class Post:
    """A request as it came. ``status`` is what was answered, 0 for a reset; ``problems`` is what Slack would refuse."""

    channel: str
    payload: Any
    status: int
    arrived: bool
    problems: list[str]


class FakeSlack:
    """The server. ``then`` is done at every message, after it was recorded and before it is answered."""

    def __init__(self, *, console: str = CONSOLE, port: int = 0, record: Path | None = None) -> None:
        self.console = console
        self.posts: list[Post] = []
        self._record = record
        self._scripts: dict[str, list[Step]] = {}
        self._standing: dict[str, Step] = {}
        self._lock = Lock()
        self._server = _Server(self, port)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def url(self, channel: str) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/services/{channel}"

    def script(self, channel: str, *steps: Step) -> None:
        """The next requests to ``channel`` fare so, one after the other; those behind them are served well."""
        with self._lock:
            self._scripts.setdefault(channel, []).extend(steps)

    def always(self, channel: str, step: Step | None) -> None:
        """Every request to ``channel`` that no script covers fares so; None: is served well again."""
        with self._lock:
            self._standing.pop(channel, None)
            if step is not None:
                self._standing[channel] = step

    def arrived(self, channel: str) -> list[Any]:
        """The messages that people see in ``channel``, in order."""
        with self._lock:
            return [post.payload for post in self.posts if post.channel == channel and post.arrived]

    def statuses(self, channel: str) -> list[int]:
        with self._lock:
            return [post.status for post in self.posts if post.channel == channel]

    def take(self, channel: str, body: bytes) -> Step:
        """Judge and record one request; returns what is to be answered."""
        try:
            payload = json.loads(body)
            problems = violations(payload, console=self.console)
        except ValueError:
            payload, problems = None, ["not JSON"]
        with self._lock:
            steps = self._scripts.get(channel)
            step = steps.pop(0) if steps else self._standing.get(channel, Step())
            if problems and step.status == 200:
                step = Step(400, "invalid_payload")
            arrived = (step.status == 200 and not step.reset) if step.arrives is None else step.arrives
            post = Post(channel, payload, 0 if step.reset else step.status, arrived and not problems, problems)
            self.posts.append(post)
            if self._record is not None:
                with self._record.open("a", encoding="utf-8") as lines:
                    lines.write(json.dumps(post.__dict__) + "\n")
        return step


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, slack: FakeSlack, port: int) -> None:
        self.slack = slack
        super().__init__(("127.0.0.1", port), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        length = min(int(self.headers.get("Content-Length", 0)), _MAX_BODY)
        step = self.server.slack.take(self.path.rpartition("/")[2], self.rfile.read(length))
        if step.then is not None:
            step.then()
        if step.hold is not None:
            step.hold.wait(_PATIENCE_SECONDS)
        if step.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
            return
        body = step.body.encode()
        try:
            self.send_response(step.status)
            for name, value in {**step.headers, "Content-Type": "text/html", "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
        except ConnectionError:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing: the record is what counts."""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--port", type=int, default=0)
    arguments.add_argument("--record", type=Path)
    arguments.add_argument("--console", default=CONSOLE)
    given = arguments.parse_args()
    with FakeSlack(console=given.console, port=given.port, record=given.record) as slack:
        print(slack.url("default"), flush=True)  # noqa: T201  # its whole output
        Event().wait()


if __name__ == "__main__":
    main()
