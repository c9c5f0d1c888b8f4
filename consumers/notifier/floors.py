"""Which events need no deciding, by what their headers tell: a notifier reads thousands a second, and most concern nobody.

Sound: what is left out could have been in no group, and could have inhibited nothing. What is let through may still be nothing.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Final, TypeAlias

from consumers import palette
from consumers.notifier.item import LONGEST, TYPES
from consumers.notifier.routing.tree import Matchers, Route, Routing

Concerns: TypeAlias = Callable[[str, int, str], bool]
"""Whether an event of this type, severity and source may be wanted by a route with a channel, or by what inhibits."""

_ALERTS: Final = "alert."
_KNOWN: Final = ("type", "severity", "source")
_REMEMBERED: Final = 8192
"""Answers: a source is whatever a producer says that it is."""


def concerning(routing: Routing) -> Concerns:
    """What ``routing`` may want. Alerts it always may; what is of none of the types that can be told, never."""
    chains = [[matcher for matchers in chain for matcher in matchers if matcher.field in _KNOWN] for chain in _chains(routing)]

    @lru_cache(maxsize=_REMEMBERED)
    def concerns(kind: str, severity: int, source: str) -> bool:
        if kind not in TYPES or kind.startswith(_ALERTS):
            return kind in TYPES
        fields = dict(zip(_KNOWN, (kind, palette.tone(severity).word, source[:LONGEST]), strict=True))
        return any(all(matcher.matches(fields) for matcher in chain) for chain in chains)

    return concerns


def _chains(routing: Routing) -> Iterator[list[Matchers]]:
    """What must match, all of it, on the way to each route that has a channel, and for each inhibition."""
    yield from _of_route(routing.root, [])
    yield from ([inhibition.when] for inhibition in routing.inhibitions)


def _of_route(route: Route, above: list[Matchers]) -> Iterator[list[Matchers]]:
    chain = [*above, route.matchers]
    if route.channel:
        yield chain
    for child in route.children:
        yield from _of_route(child, chain)
