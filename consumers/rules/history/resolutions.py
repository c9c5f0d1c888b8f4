"""Whether alerts that were raised live were closed by findings as they ought to have been.

Ought:   an alert is closed if a finding of its group happened after its threshold was reached, as the alert itself tells that,
         and a version that was in force then resolves it. Any such finding may be the one that is told.
Asked:   nobody asks for the end of an alert to which people or runs did something else than acknowledge it; of one whose version
         resolves nothing; or where alert or finding came to the log so late that live forgets the one before the other.
Memory:  a time and a digest for each finding that resolves.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import accumulate
from typing import Final, Self

from consumers.rules.engine.state import CLOSABLE_US, named
from consumers.rules.history.standing import Known
from consumers.rules.history.strand import Strand
from consumers.rules.matching import Hit
from pipeline.log.port import Batch

_MARGIN_US: Final = 86_400_000_000

Group = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Resolutions:
    """The findings that close alerts, by group."""

    _found: defaultdict[Group, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    """When each happened, and was recorded."""
    _known: dict[bytes, int] = field(default_factory=dict)

    def resolver(self, strand: Strand, batch: Batch, hit: Hit) -> None:
        """A finding closes the alerts of its group that were reached before it."""
        values = strand.compiled.group(hit.document)
        if values is not None:
            group = _group(named(strand.rule.group_by, values))
            time_us = batch.columns.time_us[hit.place]
            self._found[group].append((time_us, batch.recorded_us[hit.place]))
            self._known[_digest(group, batch.columns.id[hit.place])] = time_us

    def missing(self, alerts: Mapping[str, Known], resolving: Collection[int]) -> Iterator[str]:
        """The alerts that are open and ought not to be. ``resolving`` are the versions that close what they raise."""
        sought = {group: _Sought.of(found) for group, found in self._found.items()}
        for alert_id, known in alerts.items():
            there = sought.get(_group(known.group))
            if there and known.version in resolving and not known.handled and not known.causes and there.closes(known):
                yield alert_id

    def unexpected(self, alerts: Mapping[str, Known], newest_us: int) -> Iterator[str]:
        """The alerts that a finding closed which ought not to have, told until then."""
        for alert_id, known in alerts.items():
            if not known.rerun and any(
                recorded_us <= newest_us and self._known.get(_digest(_group(known.group), cause), 0) <= known.reached_us
                for cause, recorded_us in known.causes.items()
            ):
                yield alert_id


@dataclass(frozen=True, slots=True)
class _Sought:
    """The closing findings of a group by time; ``recorded_us``: the least of this one and those that happened later."""

    times_us: Sequence[int]
    recorded_us: Sequence[int]

    @classmethod
    def of(cls, found: Collection[tuple[int, int]]) -> Self:
        """Of all that were found, in any order."""
        latest = sorted(found, reverse=True)
        least = accumulate((recorded_us for _, recorded_us in latest), min)
        return cls([time_us for time_us, _ in latest][::-1], list(least)[::-1])

    def closes(self, known: Known) -> bool:
        """Whether one of them closes an alert, neither of them too late to be known beside the other."""
        until_us = known.reached_us + CLOSABLE_US - _MARGIN_US
        first = bisect_right(self.times_us, known.reached_us)
        return known.recorded_us < until_us and first < len(self.times_us) and self.recorded_us[first] < until_us


def _group(told: Mapping[str, str]) -> Group:
    return tuple(sorted(told.items()))


def _digest(group: Group, event_id: str) -> bytes:
    return blake2b(repr((group, event_id)).encode(), digest_size=16).digest()
