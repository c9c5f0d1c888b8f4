"""How long after the call of ``append`` an event can be found, across three processes: producer, projector, reader.

The producer appends what is due every 10 ms (1, 10 or 50 events a call), paced by the clock. The reader asks the event index for
its checkpoints every half millisecond. Latency is from just before the call of ``append``, so durability is in it, until the
reader has seen checkpoints at or behind all positions of the call. All processes share the machine's monotonic clock.
"""

import multiprocessing
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import quantiles
from threading import Event, Thread

from projections.event_index import EventIndex
from tests.bench.figures import Figure, Target
from tests.bench.material import sample
from tests.bench.setting import as_a_role, folder, ours

RATES = (100, 1000, 5000)
_TICK_SECONDS = 0.01
_POLL_SECONDS = 0.0005

Appended = list[tuple[float, dict[str, int]]]
"""When ``append`` was called, and the last sequence of each shard in its receipts."""
Seen = list[tuple[float, dict[str, int]]]
"""When the reader asked, and the checkpoints that it was told, whenever they changed."""


def visible(length_seconds: float) -> Iterator[Figure]:
    """p50 and p99 at each rate."""
    for rate in RATES:
        delays = _run(rate, length_seconds)
        cuts = quantiles(delays, n=100)
        targets = (Target("≤ 5 ms", at_most=5), Target("≤ 15 ms", at_most=15)) if rate == RATES[-1] else (None, None)
        yield Figure(f"append to visible at {rate:,} ev/s, p50", "ms", cuts[49], target=targets[0])
        yield Figure(f"append to visible at {rate:,} ev/s, p99", "ms", cuts[98], target=targets[1])


def _run(rate: int, length_seconds: float) -> list[float]:
    """Milliseconds of each append."""
    context = multiprocessing.get_context("spawn")
    with folder() as path:
        with ours(path) as parts:
            parts.projector().step()
        ends = {}
        for name, role in (("projector", _project), ("reader", _read), ("producer", _produce)):
            here, there = context.Pipe()
            process = context.Process(target=as_a_role, args=(role, path, there, rate, length_seconds))
            process.start()
            ends[name] = (here, process)
            here.recv()
        for name in ("reader", "producer"):
            ends[name][0].send("go")
        appended: Appended = ends["producer"][0].recv()
        ends["reader"][0].send({shard: sequence for _, positions in appended for shard, sequence in positions.items()})
        seen: Seen = ends["reader"][0].recv()
        ends["projector"][0].send("stop")
        for _, process in ends.values():
            process.join()
    return _delays(appended, seen)


def _delays(appended: Appended, seen: Seen) -> list[float]:
    delays = []
    first = 0
    for called, positions in appended:
        while any(seen[first][1].get(shard, -1) < sequence for shard, sequence in positions.items()):
            first += 1
        delays.append((seen[first][0] - called) * 1000)
    return delays


def _produce(path: Path, parent: Connection, rate: int, length_seconds: float) -> None:
    each = max(1, round(rate * _TICK_SECONDS))
    calls = int(rate * length_seconds / each)
    events = [item.event for item in sample(calls * each)]
    appended: Appended = []
    with ours(path) as parts:
        parts.log.heads()
        parent.send("ready")
        parent.recv()
        begin = time.monotonic()
        for call in range(calls):
            time.sleep(max(0.0, begin + call * each / rate - time.monotonic()))
            called = time.monotonic()
            receipts = parts.log.append(events[call * each : (call + 1) * each])
            last: dict[str, int] = {}
            for receipt in receipts:
                if receipt.position:
                    shard, sequence, _ = receipt.position
                    last[shard] = max(sequence, last.get(shard, -1))
            appended.append((called, last))
    parent.send(appended)


def _project(path: Path, parent: Connection, _rate: int, _length_seconds: float) -> None:
    stop = Event()
    with ours(path) as parts:
        projector = parts.projector()
        projector.step()
        worker = Thread(target=projector.run, args=(stop,))
        worker.start()
        parent.send("ready")
        parent.recv()
        stop.set()
        worker.join()
        projector.close()


def _read(path: Path, parent: Connection, _rate: int, _length_seconds: float) -> None:
    seen: Seen = []
    with ours(path) as parts:
        generation = parts.store.open(parts.store.serving()[EventIndex.name])
        parent.send("ready")
        parent.recv()
        known: dict[str, int] = {}
        last: dict[str, int] | None = None
        while last is None or any(known.get(shard, -1) < sequence for shard, sequence in last.items()):
            if last is None and parent.poll():
                last = parent.recv()
            with generation.reading() as rows:
                told = {shard: position.sequence for shard, position in rows.checkpoints().items()}
            if told != known:
                seen.append((time.monotonic(), told))
                known = told
            time.sleep(_POLL_SECONDS)
        generation.close()
    parent.send(seen)
