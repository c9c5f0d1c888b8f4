"""What is not worth telling while something else fires.

Source: Prometheus, Alertmanager, "Inhibition": what matches both sides of a rule is not inhibited by what does so too.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain

from consumers.notifier.groups.state import Member
from consumers.notifier.routing.tree import Fields, Inhibition, all_match


@dataclass(frozen=True, slots=True)
class _Sources:
    """What fires and mutes: ``plain`` ones mute everything, ``both`` not what matches both sides as they do."""

    plain: list[Member] = field(default_factory=list)
    both: list[Member] = field(default_factory=list)


class Inhibitors:
    """What fires now, by what it mutes."""

    def __init__(self, inhibitions: Sequence[Inhibition], firing: Iterable[Member]) -> None:
        self._tables = [(inhibition, defaultdict[tuple[str, ...], _Sources](_Sources)) for inhibition in inhibitions]
        for member in firing if inhibitions else ():
            for inhibition, table in self._tables:
                if all_match(inhibition.when, member.fields):
                    sources = table[_equal(inhibition, member.fields)]
                    (sources.both if all_match(inhibition.mute, member.fields) else sources.plain).append(member)

    def of(self, member: Member) -> Member | None:
        """What inhibits ``member``; None if nothing does."""
        for inhibition, table in self._tables:
            sources = table.get(_equal(inhibition, member.fields))
            if sources is None or not all_match(inhibition.mute, member.fields):
                continue
            others = [] if all_match(inhibition.when, member.fields) else sources.both
            for source in chain(sources.plain, others):
                if source.fingerprint != member.fingerprint:
                    return source
        return None


def _equal(inhibition: Inhibition, fields: Fields) -> tuple[str, ...]:
    return tuple(fields.get(name, "") for name in inhibition.equal)
