"""What people had decided when the notifier begins: what the projection knows, and what the log has told beyond it since.

Gap: the projection may be behind the notifier, which does not read again what it has read. So the log is read from where the
     projection is to where the notifier is, for what people decided. If nothing was folded yet, it is read from its beginning.
"""

from collections.abc import Mapping
from typing import Final

from consumers.notifier.policing import KEPT_US, TYPES, Policing
from consumers.notifier.routing.policies import policies_of
from consumers.notifier.routing.tree import Policies
from pipeline.log.port import Log, Position
from projections import policies
from projections.catalog import Catalog

_BATCH: Final = 5000


def seed(log: Log, catalog: Catalog, marks: Mapping[str, Position], now_us: int) -> Policies:
    """All that holds at ``marks``, and perhaps a little of what came later."""
    [reached] = [state.checkpoints for state in catalog.states() if state.name == policies.Policies.name]
    policing = Policing(policies_of(catalog, ending_after_us=max(0, now_us - KEPT_US)))
    for shard in log.shards():
        if shard.id in marks:
            _hear(log, policing, reached.get(shard.id), marks[shard.id])
    return policing.policies


def _hear(log: Log, policing: Policing, after: Position | None, until: Position) -> None:
    """Hear what stands on a shard between two positions."""
    while after is None or after < until:
        batch = log.read(until.shard, after, _BATCH)
        if not len(batch):
            return
        for index, (position, kind) in enumerate(zip(batch.positions, batch.columns.type, strict=True)):
            if position > until:
                return
            if kind in TYPES:
                policing.hear(batch.record(index).event)
        after = batch.positions[-1]
