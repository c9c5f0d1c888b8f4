"""The projector on AWS as a process to be killed: ``python -m tests.torture.mapping STREAM CHECKPOINTS DIARY SEED``.

An event source mapping delivers the stream to several instances of the deployed function, any of which may be asked. Batches are
delivered again, instances thrown away, and the mapping dies between an invocation and its checkpoint. Checkpoints are kept in a
file, as Lambda keeps them, so that another process goes on there; what befell is a line each in the diary. Where the servers
are, the environment says, as it says it to the function.
"""

import importlib
import json
import os
import sys
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from tests.aws.clients import Server
from tests.aws.doors import forget_doors
from tests.aws.event_source import EventSource
from tests.aws.invocation import Disturbance, Killed, disturbing
from tests.aws.shards import Checkpoints

if TYPE_CHECKING:
    from types import ModuleType

INSTANCES = 3
AGAIN, DEAD, REPLACED = "delivered again", "mapping died", "instance replaced"
BATCH_RECORDS = 8


class Mapping:
    """A mapping, its function, and what outlives them."""

    def __init__(self, stream: str, checkpoints: Path, diary: Path, seed: int) -> None:
        self._stream = stream
        self._file = checkpoints
        self._diary = diary
        self._dice = Random(seed)  # no secret
        self._first = iter([Disturbance.AGAIN, Disturbance.KILLED])
        self._draw = disturbing(seed, again=0.08, killed=0.04)
        self._alive: list[ModuleType] = []

    def run(self) -> None:
        """Deliver until this process is killed."""
        server = Server("kinesis", os.environ["AWS_ENDPOINT_URL_KINESIS"])
        while True:
            kinesis = server.client("kinesis", read_timeout_seconds=5.0)
            source = EventSource(
                kinesis, self._stream, self._invoke, checkpoints=self._kept(), batch_size=BATCH_RECORDS, disturb=self._disturbance
            )
            try:
                self._deliver(source)
            except Killed:
                self._alive.clear()

    def _deliver(self, source: EventSource) -> None:
        while True:
            if not source.poll():
                time.sleep(0.005)
            self._keep(source.checkpoints)

    def _invoke(self, event: dict[str, Any], context: Any) -> Any:
        if self._alive and self._dice.random() < 0.05:
            self._alive.pop(0)
            self._tell(REPLACED)
        if len(self._alive) < INSTANCES:
            forget_doors()
            self._alive.append(importlib.import_module("projections.handler"))
        return self._dice.choice(self._alive).handler(event, context)

    def _disturbance(self) -> Disturbance:
        drawn = next(self._first, None) or self._draw()
        if drawn is not Disturbance.NONE:
            self._tell(AGAIN if drawn is Disturbance.AGAIN else DEAD)
        return drawn

    def _kept(self) -> Checkpoints:
        if not self._file.exists():
            return Checkpoints()
        kept = json.loads(self._file.read_bytes())
        return Checkpoints(kept["after"], set(kept["finished"]))

    def _keep(self, checkpoints: Checkpoints) -> None:
        aside = self._file.with_suffix(".new")
        aside.write_text(json.dumps({"after": checkpoints.after, "finished": sorted(checkpoints.finished)}))
        aside.replace(self._file)

    def _tell(self, what: str) -> None:
        with self._diary.open("a") as diary:
            diary.write(f"{what}\n")


if __name__ == "__main__":
    Mapping(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])).run()
