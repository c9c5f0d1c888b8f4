"""How fast the log becomes four projections: live, and again from the first event."""

import multiprocessing
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing
from multiprocessing.synchronize import Barrier
from pathlib import Path
from time import perf_counter

from consumers.garbage import collect_seldom
from consumers.rebuilding import dealt
from projections.errors import ProjectionError
from projections.projector import ALL, named
from projections.rebuild import Rebuilder
from tests.bench.figures import Figure, Run, Target, contest
from tests.bench.ingesting import ingest, ingest_of
from tests.bench.material import Told
from tests.bench.naive import Naive, Variant, ingested
from tests.bench.setting import folder, naive_texts, ours, seconds

_BATCH = 1000
_PARTS = dealt([projection.name for projection in ALL], processes=2)
_ALONE = dealt([projection.name for projection in ALL], processes=1)


def live(material: Sequence[Told], rounds: int) -> Iterator[Figure]:
    """Lines in, four projections out: each batch of 1,000 is appended and folded before the next."""
    lines = [item.line for item in material]

    def mine() -> float:
        with ours() as parts, closing(parts.projector()) as projector:
            projector.step()
            into = ingest_of(parts)
            begin = perf_counter()
            for first in range(0, len(lines), _BATCH):
                parts.clock.now_us = material[min(first + _BATCH, len(lines)) - 1].at_us
                ingest(into, lines[first : first + _BATCH])
                projector.step()
            return len(lines) / seconds(begin)

    def theirs(variant: Variant) -> Run:
        def run() -> float:
            with folder() as path, closing(Naive(path / "naive.db", variant)) as both:
                begin = perf_counter()
                both.live(map(ingested, lines))
                return len(lines) / seconds(begin)

        return run

    yield contest(
        "live: parse, validate, append, four projections",
        "ev/s",
        rounds,
        {"ours": mine, "plain": theirs("plain"), "equal": theirs("equal")},
        target=Target("≥ 2.5 x (stretch 4)", ratio=2.5),
        note="one process",
    )


def rebuild(material: Sequence[Told], rounds: int) -> Iterator[Figure]:
    """Four projections from an existing log, in one process and in two."""
    with folder() as path:
        with ours(path / "ours") as parts:
            parts.append(material, _BATCH)
            count = parts.log.behind({})
        with closing(Naive(path / "naive.db", projections=False)) as log:
            log.append(naive_texts(material))

        def theirs(variant: Variant) -> Run:
            def run() -> float:
                with (
                    folder() as new,
                    closing(Naive(path / "naive.db", projections=False)) as log,
                    closing(Naive(new / "rows.db", variant, log=False)) as rows,
                ):
                    begin = perf_counter()
                    return rows.rebuild(log) / seconds(begin)

            return run

        def mine(parts: Sequence[Sequence[str]]) -> Run:
            return lambda: count / rebuilt(path / "ours", parts)[0]

        yield contest(
            "rebuild of four projections, de-duplicated",
            "ev/s",
            rounds,
            {"ours": mine(_PARTS), "plain": theirs("plain"), "equal": theirs("equal")},
            target=Target("≥ 8 x (stretch 40)", ratio=8),
            note="two processes, as `findstream rebuild --all` there; once they have started",
        )
        yield contest(
            "… in one process",
            "ev/s",
            rounds,
            {"ours": mine(_ALONE), "plain": theirs("plain"), "equal": theirs("equal")},
        )


def memory(at: Path, count: int) -> Iterator[Figure]:
    """Peak resident memory of a rebuild of all four at ``count`` events, and its speed."""
    for name, parts in (("two processes", _PARTS), ("one process", _ALONE)):
        took, peaks = rebuilt(at, parts)
        yield Figure(f"rebuild at {count:,} events, {name}", "ev/s", count / took)
        told = " + ".join(f"{peak:,.0f}" for peak in peaks)
        yield Figure("… its peak memory", "MiB", sum(peaks), target=Target("≤ 400 MiB", at_most=400), note=told)


def rebuilt(at: Path, parts: Sequence[Sequence[str]]) -> tuple[float, list[float]]:
    """Rebuild all, one process a part: seconds from when all are ready until the last has switched, and each one's peak MiB."""
    shutil.rmtree(at / "projections", ignore_errors=True)
    with ours(at) as mine:
        mine.store.serving()
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(len(parts) + 1)
    peaks = context.Queue()
    workers = [context.Process(target=_rebuild, args=(at, names, ready, peaks)) for names in parts]
    for worker in workers:
        worker.start()
    ready.wait()
    begin = perf_counter()
    for worker in workers:
        worker.join()
    took = seconds(begin)
    if failed := [worker.name for worker in workers if worker.exitcode]:
        message = f"rebuild failed in {failed}"
        raise RuntimeError(message)
    return took, [peaks.get() for _ in workers]


def _rebuild(at: Path, names: Sequence[str], ready: Barrier, peaks: "multiprocessing.Queue[float]") -> None:
    collect_seldom()
    with ours(at) as parts:
        rebuilder = Rebuilder(parts.log, parts.store, "bench")
        parts.log.heads()
        ready.wait()
        ends = rebuilder.rebuild_together([named(name) for name in names])
    if any(isinstance(end, ProjectionError) for end in ends.values()):
        raise SystemExit(str(ends))
    peaks.put(_peak_mib())


def _peak_mib() -> float:
    """Of this process since its program began. (``ru_maxrss`` would count what its parent was when it forked.)

    Source: proc_pid_status(5), VmHWM.
    """
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else 0.0
