"""Findings that could not be judged, and alerts' facts behind them, given another chance beside an engine at work.

Exact:   a parked finding is judged once by each version: a lane that takes a version up leaves out what is parked, and all
         versions are taken up before anything is redriven.
Windows: what was counted in a window that is long over may be forgotten; a finding of such a one counts with those only that
         are redriven beside it. What all would have made, a reprocessing tells.
Fencing: as ``projections.redrive``.
"""

from collections.abc import Callable, Collection

from consumers.rules.engine.book import Book
from consumers.rules.engine.judging import Judging
from consumers.rules.engine.settling import SettlingStore
from consumers.rules.engine.taking_up import TakingUp
from consumers.rules.engine.telling import tell_faults
from pipeline.log.port import Log
from projections.redrive import redrive
from projections.stores.port import Store
from projections.writer import Writer


def redrive_judging(
    log: Log, store: Store, book: Book, keys: Collection[str] | None, token: Callable[[], str]
) -> tuple[int, int]:
    """Judge what is parked under these keys (None: all) again, and tell what follows; as ``projections.redrive.redrive``.

    Raises ``BookBehind`` too, if a shard was judged by versions that are not in the book: try again soon.
    """
    taking_up = TakingUp(log)

    def prepare(writer: Writer) -> None:
        book.refresh(now=True)
        writer.claim(writer.generation.checkpoints())
        for shard in writer.checkpoints:
            taking_up.prepare(writer, shard, book.rules)

    outcome = redrive(SettlingStore(store, log), Judging(lambda: book.rules), keys, token, prepare=prepare)
    tell_faults(log, book.faults)
    return outcome
