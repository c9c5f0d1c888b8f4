"""Which events ``tail`` shows, and where the last of them begin: found backwards from the heads of the log.

Count:  exactly as many as asked stand behind the answer, the newest by recorded time; all, if fewer pass.
Cost:   reads headers, no bodies, as far back as it has to: to the beginning, if too few events pass.
Needs:  the embedded log, whose sequence numbers count from 0 without a gap, and whose recorded times never step back.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import merge
from itertools import islice
from typing import Final

from pipeline.log.port import Batch, Log, Position
from projections.segments import has_words, sought

READ_AT_ONCE: Final = 1000


@dataclass(frozen=True, slots=True)
class Filter:
    """What passes. Empty fields do not filter. ``text`` is words, as the event index compares them."""

    source: str
    kind: str
    account: str
    min_severity: int
    resource: str = ""
    text: str = ""
    _sought: list[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_sought", sought(self.text))

    def asked(self) -> dict[str, str]:
        """The same as parameters of ``GET /feed``."""
        named = (
            ("source", self.source),
            ("type", self.kind),
            ("account", self.account),
            ("severity", str(self.min_severity or "")),
            ("resource", self.resource),
            ("text", self.text),
        )
        return {name: value for name, value in named if value}

    def places(self, batch: Batch) -> list[int]:
        """The places in ``batch`` of the events for which all filters hold, in order."""
        c = batch.columns
        return [
            place
            for place, (severity, source, kind, account) in enumerate(zip(c.severity, c.source, c.type, c.account, strict=True))
            if severity >= self.min_severity
            and self.source in {"", source}
            and self.kind in {"", kind}
            and self.account in {"", account}
            and (not self.resource or self.resource in c.resources[place])
            and (not self._sought or has_words(c.summary[place], self._sought))
        ]


def before_last(log: Log, wanted: Filter, count: int) -> dict[str, Position]:
    """The positions behind which the last ``count`` events that pass stand, by shard; a shard to be read whole is left out."""
    seen = dict(log.heads())
    newest_first = merge(*(_backwards(log, head, wanted) for head in list(seen.values())), reverse=True)
    for _, shard, sequence in islice(newest_first, count):
        seen[shard] = Position(shard, sequence - 1)
    return {shard: position for shard, position in seen.items() if position.sequence >= 0}


def _backwards(log: Log, head: Position, wanted: Filter) -> Iterator[tuple[int, str, int]]:
    """Recorded time, shard and sequence number of what passes up to ``head``, the last first."""
    end = head.sequence + 1
    while end > 0:
        start = max(0, end - READ_AT_ONCE)
        batch = log.read(head.shard, Position(head.shard, start - 1) if start else None, end - start)
        for place in reversed(wanted.places(batch)):
            yield batch.recorded_us[place], head.shard, start + place
        end = start
