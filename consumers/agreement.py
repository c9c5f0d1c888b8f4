"""Whether what was concluded from a log agrees with it: nobody can have read what the log does not hold.

A log that ends before a checkpoint or a mark was replaced, cut off, or put back from an older copy. Its new events take the old
positions, so whoever goes on behind those would pass over them in silence. Refused before anything goes on, it loses nothing.
"""

from collections.abc import Mapping
from contextlib import closing

from consumers.errors import LogCutShort
from consumers.notifier.ledger.port import Ledger
from pipeline.log.port import Log, Position
from projections.stores.port import Store


def beyond(positions: Mapping[str, Position], heads: Mapping[str, Position]) -> list[str]:
    """Those of ``positions`` that a log with these heads does not reach; the heads are to be asked for last."""
    return [str(positions[shard]) for shard in sorted(positions) if shard not in heads or positions[shard] > heads[shard]]


def ask_of_projections(log: Log, store: Store) -> None:
    """Raise ``LogCutShort`` if a generation that serves has folded what the log does not hold."""
    for name, info in store.serving().items():
        with closing(store.open(info)) as generation:
            checkpoints = generation.checkpoints()
        if ahead := beyond(checkpoints, log.heads()):
            message = (
                f"the log ends before {', '.join(ahead)}, which {name} has folded: new events would be passed over."
                " If the log is the right one, findstream rebuild --all; else restore it from a backup"
            )
            raise LogCutShort(message)


def ask_of_judging(log: Log, store: Store) -> None:
    """Raise ``LogCutShort`` if rules have judged what the log does not hold."""
    for info in store.serving().values():
        with closing(store.open(info)) as generation:
            checkpoints = generation.checkpoints()
        if ahead := beyond(checkpoints, log.heads()):
            message = (
                f"the log ends before {', '.join(ahead)}, which rules have judged: new findings would be passed over."
                " If the log is the right one, move the folder rules away: what it holds is counted anew from the log;"
                " else restore the log from a backup"
            )
            raise LogCutShort(message)


def ask_of_ledger(log: Log, ledger: Ledger) -> None:
    """Raise ``LogCutShort`` if the notifier has read what the log does not hold."""
    if ahead := beyond(ledger.marks() or {}, log.heads()):
        message = (
            f"the log ends before {', '.join(ahead)}, which the notifier has read: nobody would be told of new events."
            " Restore log and ledger from one backup; or, if the log is the right one, move notices.db away:"
            " the notifier then begins at the log's end"
        )
        raise LogCutShort(message)
