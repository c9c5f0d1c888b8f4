"""Several projections rebuilt at once: by as many processes as there are processors for, each of which reads the log once.

Ends:   each projection switches, is cancelled, or fails by itself; a broken log ends all that its process builds.
Killed: a process whose parent is gone cancels what it builds; whatever dies leaves the serving generations as they are.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from multiprocessing.connection import Connection, wait
from typing import Final, cast

from consumers.composition import open_log, open_store, writer_token
from consumers.errors import WorkerLost
from consumers.garbage import collect_seldom
from pipeline.errors import PipelineError
from pipeline.settings import Settings
from projections.errors import ProjectionError
from projections.event_index import EventIndex
from projections.projection import Projection
from projections.projector import named
from projections.rebuild import Progress, Rebuilder, Rebuilt

End = Rebuilt | ProjectionError | PipelineError | WorkerLost

_SHARES: Final = {EventIndex.name: 7}
"""How long a projection takes to build, compared with others, about."""


def dealt(names: Sequence[str], processes: int) -> list[list[str]]:
    """Deal projections to at most so many processes, so that all take about as long."""
    shared: list[list[str]] = [[] for _ in range(max(1, min(processes, len(names))))]
    for name in sorted(names, key=_share, reverse=True):
        min(shared, key=lambda part: sum(map(_share, part))).append(name)
    return shared


def processors(settings: Settings) -> int:
    """How many this process may use; for a stream one, since all who read a shard share what it gives: 2 MB a second.

    Source: Amazon Kinesis Data Streams Developer Guide, "Quotas and limits".
    """
    if settings.on_aws:
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def rebuild(
    settings: Settings,
    projections: Sequence[Projection],
    *,
    processes: int,
    on_progress: Callable[[Progress], None],
    accept_parked: bool = False,
    diff: bool = False,
) -> dict[str, End]:
    """Rebuild and let serve; returns by name, in the order asked, how each ended."""
    shared = dealt([projection.name for projection in projections], processes)
    if len(shared) == 1:
        ends = _build(settings, shared[0], on_progress, lambda: False, accept_parked=accept_parked, diff=diff)
    else:
        ends = _build_apart(settings, shared, on_progress, accept_parked=accept_parked, diff=diff)
    return {projection.name: ends[projection.name] for projection in projections}


def _share(name: str) -> int:
    return _SHARES.get(name, 1)


def _build(
    settings: Settings,
    names: Sequence[str],
    on_progress: Callable[[Progress], None],
    cancelled: Callable[[], bool],
    *,
    accept_parked: bool,
    diff: bool,
) -> Mapping[str, End]:
    """Build these in this process."""
    try:
        with open_log(settings) as log, closing(open_store(settings)) as store:
            rebuilder = Rebuilder(log, store, writer_token("rebuild"), on_progress=on_progress, cancelled=cancelled)
            return rebuilder.rebuild_together([named(name) for name in names], accept_parked=accept_parked, diff=diff)
    except (PipelineError, ProjectionError) as broken:
        return dict.fromkeys(names, broken)


def _build_apart(
    settings: Settings,
    shared: Sequence[Sequence[str]],
    on_progress: Callable[[Progress], None],
    *,
    accept_parked: bool,
    diff: bool,
) -> Mapping[str, End]:
    """Build each part in a process of its own, and pass on what these tell."""
    context = multiprocessing.get_context("spawn")
    ends: dict[str, End] = {}
    with ExitStack() as stack:
        pipes: dict[Connection, Sequence[str]] = {}
        for names in shared:
            ours, theirs = context.Pipe(duplex=False)
            worker = context.Process(target=_work, args=(settings, names, theirs, accept_parked, diff), daemon=True)
            worker.start()
            theirs.close()
            stack.callback(worker.join)
            stack.callback(worker.terminate)
            pipes[stack.enter_context(ours)] = names
        while pipes:
            for pipe in cast("list[Connection]", wait(list(pipes))):
                told = _told(pipe)
                if isinstance(told, Progress):
                    on_progress(told)
                else:
                    names = pipes.pop(pipe)
                    ends |= told or dict.fromkeys(names, WorkerLost(f"the process that rebuilt {', '.join(names)} died"))
    return ends


def _told(pipe: Connection) -> Progress | Mapping[str, End] | None:
    """What a worker says next; None if it died."""
    try:
        told: Progress | Mapping[str, End] = pipe.recv()
    except EOFError:
        return None
    return told


def _work(settings: Settings, names: Sequence[str], pipe: Connection, accept_parked: bool, diff: bool) -> None:  # noqa: FBT001
    """A worker: tells its progress, then how all ended. Ctrl-C is the parent's to hear, who then asks this one to end."""
    asked_to_end = False

    def ask(*_: object) -> None:
        nonlocal asked_to_end
        asked_to_end = True

    collect_seldom()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, ask)
    parent = multiprocessing.parent_process()

    def cancelled() -> bool:
        return asked_to_end or parent is None or not parent.is_alive()

    def tell(what: Progress | Mapping[str, End]) -> None:
        if not cancelled():
            pipe.send(what)

    tell(_build(settings, names, tell, cancelled, accept_parked=accept_parked, diff=diff))
