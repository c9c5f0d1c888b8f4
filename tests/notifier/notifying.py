"""A notifier's process for the crash tests: ``python -m tests.notifier.notifying <home> <webhook> <number of events>``.

``--without-sync`` behind these: with a ledger that does not wait for the disk.

Puts the events on the log of that home (a log that knows them refuses them), runs until all of them are settled and told, or
until SIGTERM; then writes the facts out, beside the log.
"""

import random
import signal
import sys
import time
from contextlib import closing
from pathlib import Path
from threading import Event, Thread

import orjson
from pydantic import SecretStr

from consumers.notifier.channels.port import Rate
from consumers.notifier.channels.slack import SlackChannel
from consumers.notifier.ledger.port import Ledger
from consumers.notifier.ledger.sqlite import SqliteLedger
from consumers.notifier.notice import State
from consumers.notifier.notifier import Notifier, begin
from consumers.notifier.routing.tree import Policies
from pipeline.log.port import Log
from pipeline.log.sqlite import SqliteLog
from pipeline.sqlite_file import connect
from tests.notifier.slack_rules import CONSOLE
from tests.notifier.world import at_once, event, quickly, routing


def clock() -> int:
    return time.time_ns() // 1000  # noqa: TID251  # this is a door


def main(home: Path, webhook: str, count: int, *options: str) -> None:
    stop = Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with (
        closing(SqliteLog(home / "log.db", shards=2, clock=clock)) as log,
        closing(SqliteLedger(home / "notices.db", connect=quickly if "--without-sync" in options else connect)) as ledger,
    ):
        begin(log, ledger)
        log.append([event(number) for number in range(1, count + 1)])
        slack = SlackChannel(SecretStr(webhook), CONSOLE, pace=Rate(per_second=1000, burst=1000))
        policies = Policies(routing(at_once()))
        notifier = Notifier(log, ledger, {"ops": slack}, lambda: policies, console_url=CONSOLE, clock=clock, random=random.random)
        watch = Thread(target=stop_when_done, args=(ledger, count, stop))
        watch.start()
        notifier.run(stop)
        watch.join()
        write_out(log, home / "facts.ndjson")


def stop_when_done(ledger: Ledger, count: int, stop: Event) -> None:
    while not stop.is_set():
        settled = sum(tally.count for tally in ledger.tallies() if tally.state not in (State.PENDING, State.SENDING))
        if settled == count and not ledger.outbox(1):
            stop.set()
        stop.wait(0.02)


def write_out(log: Log, path: Path) -> None:
    facts = []
    for shard in log.shards():
        batch = log.read(shard.id, None, 10_000)
        facts += [record.event for record in batch.records() if record.event.type.startswith("notice.")]
    lines = [
        orjson.dumps({"id": fact.id, "type": fact.type, "causation_id": fact.causation_id, "body": fact.data}) for fact in facts
    ]
    path.write_bytes(b"\n".join(lines))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), *sys.argv[4:])
