"""The routing as data: routes, the times at which they speak, what inhibits what, and which reports are issued.

Tree:    the root matches everything. The first child that matches takes an item; the children after it are asked only if it says
         ``go_on`` (``continue`` in the text). Where no child matches, the node itself decides.
Inherit: what a route does not say it has from the route above; ``Route`` holds what came out of that.
Nobody:  a route whose channel is "" tells nobody: what ends there is no notice and leaves no trace.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

Fields: TypeAlias = Mapping[str, str]
"""As ``consumers.notifier.item`` names them."""

ALONE: Final = "..."
"""In ``group_by``: everything is a group of its own."""


@dataclass(frozen=True, slots=True)
class Matcher:
    """One test of a field, and how its author wrote it: ``source=aws.*``, ``severity>=HIGH``, ``label.team!=core|infra``."""

    text: str
    field: str
    holds: Callable[[str], bool] = dataclasses.field(compare=False)
    """Asked with the field's value, "" if it is missing."""

    def matches(self, fields: Fields) -> bool:
        """Whether the test holds."""
        return self.holds(fields.get(self.field, ""))


Matchers: TypeAlias = tuple[Matcher, ...]


def all_match(matchers: Sequence[Matcher], fields: Fields) -> bool:
    """Whether all hold. Without any they do."""
    return all(matcher.matches(fields) for matcher in matchers)


@dataclass(frozen=True, slots=True)
class Route:
    """A node of the tree. Durations are microseconds. ``mute`` and ``active`` name entries of ``Routing.times``.

    ``critical_wait_us`` is how long something CRITICAL that is new waits at most, in a new group and in one that is under way;
    None if it waits like everything else.
    """

    name: str
    channel: str
    path: tuple[str, ...]
    matchers: Matchers = ()
    children: "tuple[Route, ...]" = ()
    go_on: bool = False
    group_by: tuple[str, ...] = ()
    group_wait_us: int = 30_000_000
    group_interval_us: int = 300_000_000
    repeat_interval_us: int = 4 * 3_600_000_000
    critical_wait_us: int | None = 0
    send_resolved: bool = True
    mute: tuple[str, ...] = ()
    active: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Inhibition:
    """While something fires that ``when`` matches, what ``mute`` matches is not told, if all of ``equal`` are equal in both.

    What matches both sides inhibits nothing that does so, too.
    """

    when: Matchers
    mute: Matchers
    equal: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """A daily report: issued at ``hour``:``minute`` of each day in ``zone``, an IANA time zone."""

    name: str
    hour: int
    minute: int
    zone: str


@dataclass(frozen=True, slots=True)
class Routing:
    """The whole, in its version ``number``; 0 is what holds before any is published.

    ``times`` tell by name whether a moment, in microseconds since the epoch, lies in them.
    """

    root: Route
    times: Mapping[str, Callable[[int], bool]] = dataclasses.field(default_factory=dict, compare=False)
    inhibitions: tuple[Inhibition, ...] = ()
    reports: tuple[Report, ...] = ()
    number: int = 0

    def deciding(self, fields: Fields) -> "list[Route]":
        """The routes that decide about an item with these fields, in the order of the tree; never empty."""
        return _deciding(self.root, fields)

    def named(self, name: str) -> Route | None:
        """The route of this name, or None."""
        return next((route for route in every(self.root) if route.name == name), None)


@dataclass(frozen=True, slots=True)
class Silence:
    """What ``matchers`` match is not told from ``starts_us`` until ``ends_us`` (exclusive)."""

    id: str
    matchers: Matchers
    starts_us: int
    ends_us: int
    comment: str
    by: str

    def mutes(self, fields: Fields, now_us: int) -> bool:
        """Whether it is active and matches."""
        return self.starts_us <= now_us < self.ends_us and all_match(self.matchers, fields)


@dataclass(frozen=True, slots=True)
class Policies:
    """All that people decided about notifying, as it stands now."""

    routing: Routing
    silences: tuple[Silence, ...] = ()


def every(route: Route) -> Iterator[Route]:
    """A route and all below it, in the order of the tree."""
    yield route
    for child in route.children:
        yield from every(child)


def _deciding(route: Route, fields: Fields) -> list[Route]:
    found: list[Route] = []
    for child in route.children:
        if all_match(child.matchers, fields):
            found += _deciding(child, fields)
            if not child.go_on:
                break
    return found or [route]
