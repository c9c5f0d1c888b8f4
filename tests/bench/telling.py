"""How long after the call of ``append`` a message about an event is posted, across three processes: producer, notifier, channel.

The producer appends 5,000 findings a second, 50 a call; one call in ten holds one that is CRITICAL and of a source that a route
tells at once, each by itself. The channel is an HTTP server on loopback that answers at once and is not paced. Latency is from
just before the call of ``append``, so durability is in it, until the request has arrived. All share the monotonic clock.

Plain: a row an event; a loop that asks for new rows every half millisecond, parses each, writes a row before it posts and changes
it afterwards; no groups, no order, no storms, no facts. It waits for the disk as often, so it tells what this machine allows.
"""

import json
import multiprocessing
import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import quantiles
from threading import Event, Thread
from typing import Any, Self

import httpx
from pydantic import SecretStr

from consumers.notifier.channels.port import Rate
from consumers.notifier.channels.slack import SlackChannel
from consumers.notifier.ledger.sqlite import SqliteLedger
from consumers.notifier.notifier import Notifier
from consumers.notifier.pacing import CRITICAL
from consumers.notifier.routing import text
from consumers.notifier.routing.tree import Policies
from pipeline.opening import now_us
from schemas.envelope import Envelope
from schemas.identity import derived_id
from tests.bench import naive
from tests.bench.figures import Figure, Target
from tests.bench.material import sample
from tests.bench.setting import as_a_role, folder, ours
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
_POLL_SECONDS = 0.0005
_BEHIND = "SELECT position, event FROM log WHERE position > ? ORDER BY position"

Role = Callable[[Path, Connection, str, float], None]
"""What a process does: in a folder, told when to begin and end, with the channel's URL, for so many seconds."""


def told(length_seconds: float) -> Iterator[Figure]:
    """p50 and p99 at 5,000 events a second: ours, and plain in turn."""
    contestants = ((_notify_plainly, _produce_plainly), (_notify, _produce))
    plain, mine = (quantiles(_run(length_seconds, *roles), n=100) for roles in contestants)
    for name, cut, target in (("p50", 49, None), ("p99", 98, Target("≤ 25 ms", at_most=25))):
        faster = plain[cut] / mine[cut]
        yield Figure(f"append to Slack POST at {RATE:,} ev/s, {name}", "ms", mine[cut], plain[cut], None, faster, target=target)


def _run(length_seconds: float, notify: Role, produce: Role) -> list[float]:
    """Milliseconds of each event that was told."""
    context = multiprocessing.get_context("spawn")
    arrived: dict[str, float] = {}
    with folder() as path, _Sink(arrived) as sink:
        ends = {}
        for name, role in (("notifier", notify), ("producer", produce)):
            here, there = context.Pipe()
            process = context.Process(target=as_a_role, args=(role, path, there, sink.url, length_seconds))
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


def _batches(length_seconds: float) -> list[list[Envelope]]:
    """What is appended, call by call."""
    calls = int(RATE * length_seconds / _EACH)
    events = [item.event for item in sample(calls * _EACH)]
    for call in range(0, calls, _TOLD_EVERY):
        event_id = derived_id(now_us(), "bench", str(call))
        events[call * _EACH] = finding("agent_logs", id=event_id, source=_SOURCE, severity=4, subject=f"log/{call}")
    return [events[call * _EACH : (call + 1) * _EACH] for call in range(calls)]


def _keep_pace(batches: Sequence[Any], append: Callable[[Any], object], parent: Connection) -> list[float]:
    """Append as long as it takes at ``RATE``; when each call began."""
    parent.send("ready")
    parent.recv()
    begin = time.monotonic()
    called = []
    for call, batch in enumerate(batches):
        time.sleep(max(0.0, begin + call * _EACH / RATE - time.monotonic()))
        called.append(time.monotonic())
        append(batch)
    return called


def _produce(path: Path, parent: Connection, _url: str, length_seconds: float) -> None:
    batches = _batches(length_seconds)
    with ours(path) as parts:
        parts.log.heads()
        called = _keep_pace(batches, parts.log.append, parent)
    parent.send({batch[0].id: at for batch, at in zip(batches[::_TOLD_EVERY], called[::_TOLD_EVERY], strict=True)})


def _produce_plainly(path: Path, parent: Connection, _url: str, length_seconds: float) -> None:
    batches = [[(event.id, naive.encoded(naive.copied(event))) for event in batch] for batch in _batches(length_seconds)]
    log = naive.Naive(path / "naive.db", projections=False)
    called = _keep_pace(batches, log.append, parent)
    parent.send({batch[0][0]: at for batch, at in zip(batches[::_TOLD_EVERY], called[::_TOLD_EVERY], strict=True)})


def _notify_plainly(path: Path, parent: Connection, url: str, _length_seconds: float) -> None:
    log = naive.Naive(path / "naive.db", projections=False)
    ledger = naive.Naive(path / "notices.db", projections=False)
    parent.send("ready")
    last = 0
    with httpx.Client() as client:
        while not parent.poll():
            rows = log.connection.execute(_BEHIND, (last,)).fetchall()
            for last, told_of in rows:  # noqa: B007 -- also used behind the loop
                event = json.loads(told_of)
                if event["severity"] == CRITICAL and event["source"] == _SOURCE:
                    ledger.append([(event["id"], "sending")])
                    client.post(url, json={"text": event["id"], "blocks": [event["summary"]]})
                    ledger.connection.execute("UPDATE log SET event = 'sent' WHERE id = ?", (event["id"],))
                    ledger.connection.commit()
            if not rows:
                time.sleep(_POLL_SECONDS)


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
