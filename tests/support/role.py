"""A process that folds or rebuilds, to be killed: ``python -m tests.support.role project|rebuild <home> [<projection>]``.

It tells each step on standard output, a line a step, so that its parent knows when to strike. A projector steps until it is
killed or its standard input is closed.
"""

import sys
from pathlib import Path
from subprocess import PIPE, Popen
from threading import Event, Thread

from pipeline.log.sqlite import SqliteLog
from projections.projector import Projector, named
from projections.rebuild import Progress, Rebuilder
from projections.stores.sqlite import SqliteStore
from tests.support.spine import frozen_clock

LOG = "log.db"
PROJECTIONS = "projections"


def start(role: str, home: Path, *arguments: str) -> Popen[str]:
    """The role in a process of its own."""
    command = [sys.executable, "-m", "tests.support.role", role, str(home), *arguments]
    return Popen(command, stdin=PIPE, stdout=PIPE, text=True, bufsize=1)


def kill_after(process: Popen[str], lines: int) -> bool:
    """Kill a process once it told so many steps; false if it ended before."""
    assert process.stdout is not None
    told = sum(1 for _, line in zip(range(lines), process.stdout, strict=False) if line)
    process.kill()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
    process.wait()
    return told == lines


def _tell(what: object) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


def _project(log: SqliteLog, store: SqliteStore) -> None:
    class Telling(Projector):
        def step(self) -> int:
            folded = super().step()
            _tell(folded)
            return folded

    stop = Event()

    def listen() -> None:
        sys.stdin.read()
        stop.set()

    Thread(target=listen, daemon=True).start()
    Telling(log, store, token=f"{sys.argv[3:]}", batch_events=40).run(stop, wait_seconds=0.05)


def _rebuild(log: SqliteLog, store: SqliteStore, projection: str) -> None:
    def on_progress(progress: Progress) -> None:
        _tell(progress.folded)

    Rebuilder(log, store, "rebuild", on_progress=on_progress, batch_events=40).rebuild(named(projection))


def _main() -> None:
    role, home = sys.argv[1], Path(sys.argv[2])
    log = SqliteLog(home / LOG, shards=2, clock=frozen_clock)
    store = SqliteStore(home / PROJECTIONS, clock=frozen_clock)
    if role == "project":
        _project(log, store)
    else:
        _rebuild(log, store, sys.argv[3])


if __name__ == "__main__":
    _main()
