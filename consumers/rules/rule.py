"""A rule as the engine has it: data only. ``consumers.rules.text`` reads one from a document, ``compiled`` makes it judge.

Meaning:   a *match* rule (no threshold) concludes an alert from each finding that it matches. A *threshold* rule concludes one
           for a group and a window if the set of the findings in it, by the time they happened, reaches the threshold. Sets know
           no order, so neither does the conclusion.
Late:      a finding recorded more than ``late_us`` after it happened counts towards no threshold, decided for each by itself.
Validity:  ``Version`` says for which findings a version judges live.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from schemas.envelope import MAX_TIME_US

MOST_LATE_US: Final = 7 * 86_400_000_000
"""Of a rule's bound: far below the thirty days in which a repeated event is known as such."""
AHEAD_US: Final = 15 * 60_000_000
"""How far a source's clock may be ahead of the log's: what says to have happened later than this after it was recorded is not
judged live by a version published in between."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """At least ``count`` findings in a window; or findings with at least ``count`` values at ``distinct``, if it has that path.

    Windows begin at multiples of ``hop_us`` since the epoch and are ``window_us`` long, a multiple of it: equal ones tumble.
    """

    count: int
    window_us: int
    hop_us: int
    distinct: str = ""


@dataclass(frozen=True, slots=True)
class Example:
    """A finding that the rule must or must not match. ``event`` is a document in the form that rules see, or raw input."""

    name: str
    event: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """What an author wrote, checked. Paths are dotted (``detail.userIdentity.userName``); title and labels are templates.

    ``match`` and ``resolve`` are event patterns; ``where`` is a CEL expression, ``python`` the name of a registered function.
    """

    id: str
    title: str
    severity: int
    match: Mapping[str, Any]
    description: str = ""
    where: str = ""
    python: str = ""
    group_by: tuple[str, ...] = ()
    threshold: Threshold | None = None
    late_us: int = 3_600_000_000
    resolve: Mapping[str, Any] | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    matching: tuple[Example, ...] = ()
    not_matching: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True)
class Version:
    """A rule as published: its number, and the time of findings for which it is in force (``until_us`` exclusive)."""

    rule: Rule
    number: int
    since_us: int = 0
    until_us: int = MAX_TIME_US

    def in_force(self, time_us: int, recorded_us: int) -> bool:
        """Whether it judges, live, a finding that happened and was recorded then."""
        return self.since_us <= time_us < self.until_us and recorded_us >= self.since_us - AHEAD_US
