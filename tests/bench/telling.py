"""How long after the call of ``append`` a message about an event is posted, across three processes: producer, notifier, channel.

The producer appends 5,000 findings a second, 50 a call; one call in ten holds one that is CRITICAL and of a source that a route
tells at once, each by itself. The channel is an HTTP server on loopback that answers at once and is not paced. Latency is from
just before the call of ``append``, so durability is in it, until the request has arrived. All share the monotonic clock.
"""

import multiprocessing
import random
import re
import time
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import quantiles
from threading import Event, Thread
from typing import Self

from pydantic import SecretStr

from consumers.notifier.channels.port import Rate
from consumers.notifier.channels.slack import SlackChannel
from consumers.notifier.ledger.sqlite import SqliteLedger
from consumers.notifier.notifier import Notifier
from consumers.notifier.routing import text
from consumers.notifier.routing.tree import Policies
from pipeline.opening import now_us
from schemas.identity import derived_id
from tests.bench.figures import Figure, Target
from tests.bench.material import sample
from tests.bench.setting import folder, ours
from tests.notifier.examples import finding
from tests.notifier.slack_rules import CONSOLE

RATE = 5000
_TICK_SECONDS = 0.01
_EACH = round(RATE * _TICK_SECONDS)
_TOLD_EVERY = 10
_PATIENCE_SECONDS = 30.0
_SOURCE = "monitoring.bench"
_ROUTING = f"""routes:
  routes:
    - {{name: bench, matchers: [severity=CRITICAL, source={_SOURCE}], channel: ops, group_by: ['...'], group_wait: 0s}}
"""
_ID = re.compile(rb"[0-9]+-[0-9a-f-]{36}")


def told(length_seconds: float) -> Iterator[Figure]:
    """p50 and p99 at 5,000 events a second."""
    cuts = quantiles(_run(length_seconds), n=100)
    yield Figure(f"append to Slack POST at {RATE:,} ev/s, p50", "ms", cuts[49])
    yield Figure(f"append to Slack POST at {RATE:,} ev/s, p99", "ms", cuts[98], target=Target("≤ 25 ms", at_most=25))


def _run(length_seconds: float) -> list[float]:
    """Milliseconds of each event that was told."""
    context = multiprocessing.get_context("spawn")
    arrived: dict[str, float] = {}
    with folder() as path, _Sink(arrived) as sink:
        ends = {}
        for name, role in (("notifier", _notify), ("producer", _produce)):
            here, there = context.Pipe()
            process = context.Process(target=role, args=(path, there, sink.url, length_seconds))
            process.start()
            ends[name] = (here, process)
            here.recv()
        ends["producer"][0].send("go")
        appended: dict[str, float] = ends["producer"][0].recv()
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not appended.keys() <= arrived.keys() and time.monotonic() < deadline:
            time.sleep(_TICK_SECONDS)
        ends["notifier"][0].send("stop")
        for _, process in ends.values():
            process.join()
    return [(arrived[event_id] - called) * 1000 for event_id, called in appended.items()]


class _Sink:
    """The channel: notes when a message about an event arrives first."""

    def __init__(self, arrived: dict[str, float]) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                now = time.monotonic()
                for found in set(_ID.findall(body)):
                    arrived.setdefault(found.decode(), now)
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/services/ops"

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _produce(path: Path, parent: Connection, _url: str, length_seconds: float) -> None:
    calls = int(RATE * length_seconds / _EACH)
    events = [item.event for item in sample(calls * _EACH)]
    appended: dict[str, float] = {}
    with ours(path) as parts:
        parts.log.heads()
        parent.send("ready")
        parent.recv()
        begin = time.monotonic()
        for call in range(calls):
            time.sleep(max(0.0, begin + call * _EACH / RATE - time.monotonic()))
            batch = events[call * _EACH : (call + 1) * _EACH]
            called = time.monotonic()
            if call % _TOLD_EVERY == 0:
                event_id = derived_id(now_us(), "bench", str(call))
                batch[0] = finding("agent_logs", id=event_id, source=_SOURCE, severity=4, subject=f"log/{call}")
                appended[event_id] = called
            parts.log.append(batch)
    parent.send(appended)


def _notify(path: Path, parent: Connection, url: str, _length_seconds: float) -> None:
    stop = Event()
    policies = Policies(text.read(_ROUTING))
    slack = SlackChannel(SecretStr(url), CONSOLE, pace=Rate(per_second=1000.0, burst=1000))
    with ours(path) as parts, closing(SqliteLedger(path / "notices.db")) as ledger:
        notifier = Notifier(
            parts.log, ledger, {"ops": slack}, lambda: policies, console_url=CONSOLE, clock=now_us, random=random.random
        )
        worker = Thread(target=notifier.run, args=(stop,))
        worker.start()
        parent.send("ready")
        parent.recv()
        stop.set()
        worker.join()
