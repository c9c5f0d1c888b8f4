"""A client in a process of its own, over the same files as others: ``python -m tests.desks.editor edit|make <home> …``.

``edit <home> <name> <task> <times>``: change a task's title so many times, each against the version seen last; reading again
after each conflict. Tells, a line a command, the version that was answered, or ``conflict <version>``.
``make <home> <name>``: open tasks, one after another, until killed. Tells the id of each that was acknowledged.
``relay <home>`` and ``project <home>``: the roles, until killed.
"""

import itertools
import os
import random
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from threading import Event
from uuid import UUID

from uuid6 import uuid7

from pipeline.desks.desk import Asked, Desk
from pipeline.desks.errors import VersionConflict
from pipeline.desks.recorder.port import Recorders
from pipeline.desks.recorder.sqlite import open_sqlite
from pipeline.desks.relay import Relay
from pipeline.desks.task import EditTask, Task
from pipeline.log.sqlite import SqliteLog
from projections.projector import Projector, named
from projections.stores.sqlite import SqliteStore
from tests.desks.world import create


def now_us() -> int:
    return time.time_ns() // 1000  # noqa: TID251  # a door of its own


def desk_over(recorders: Recorders) -> Desk:
    """A desk as production has it."""
    return Desk(
        recorders.events,
        recorders.snapshots,
        clock=now_us,
        new_id=lambda: UUID(int=uuid7().int),
        pause=time.sleep,
        dice=random.Random(),
        snapshot_every=50,
    )


def log_at(home: Path) -> SqliteLog:
    return SqliteLog(home / "log.db", shards=2, clock=now_us)


def edit(desk: Desk, name: str, task_id: UUID, times: int, tell: Callable[[str], None]) -> None:
    """Edit so many times with success."""
    version, done = desk.load(Task, task_id).version, 0
    while done < times:
        try:
            version = desk.do(Task, task_id, EditTask({"title": f"{name} {done}"}), Asked(name, version=version)).version
        except VersionConflict as conflict:
            tell(f"conflict {conflict.version}")
            version = desk.load(Task, task_id).version
        else:
            tell(str(version))
            done += 1


def make(desk: Desk, name: str, tell: Callable[[str], None]) -> None:
    """Open tasks for ever, each with a key of its own."""
    for number in itertools.count():
        task = desk.make(Task, create(title=f"{name} {number}"), Asked(name, key=f"{os.getpid()}-{number}"))
        tell(str(task.id))


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _main() -> None:
    role, home = sys.argv[1], Path(sys.argv[2])
    recorders = open_sqlite(home / "desks.db")
    match role:
        case "edit":
            edit(desk_over(recorders), sys.argv[3], UUID(sys.argv[4]), int(sys.argv[5]), _tell)
        case "make":
            make(desk_over(recorders), sys.argv[3], _tell)
        case "relay":
            _tell("ready")
            Relay(recorders, log_at(home), batch=7).run(Event())
        case _:
            with closing(log_at(home)) as log, closing(SqliteStore(home / "projections", clock=now_us)) as store:
                _tell("ready")
                Projector(log, store, token=f"{os.getpid()}", projections=[named("task_board")], batch_events=5).run(Event())
    recorders.close()


if __name__ == "__main__":
    _main()
