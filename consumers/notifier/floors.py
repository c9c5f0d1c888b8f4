"""Which events need no deciding, by what their headers tell: a notifier reads thousands a second, and most concern nobody.

Sound: what is left out could have been in no group, and could have inhibited nothing. What is let through may still be nothing.
"""

from collections.abc import Iterator
from itertools import product
from typing import Final

from consumers import palette
from consumers.notifier.item import TYPES
from consumers.notifier.routing.tree import Matchers, Route, Routing

_ALERTS: Final = "alert."
_KNOWN: Final = ("type", "severity")


def concerning(routing: Routing) -> frozenset[tuple[str, int]]:
    """The types and severities of events that some route with a channel, or what inhibits, may want. Alerts always may."""
    pairs = product(TYPES, range(len(palette.SEVERITIES)))
    return frozenset(
        (kind, severity)
        for kind, severity in pairs
        if kind.startswith(_ALERTS)
        or any(all(_may_match(matchers, kind, severity) for matchers in chain) for chain in _chains(routing))
    )


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


def _may_match(matchers: Matchers, kind: str, severity: int) -> bool:
    fields = dict(zip(_KNOWN, (kind, palette.tone(severity).word), strict=True))
    return all(matcher.matches(fields) for matcher in matchers if matcher.field in _KNOWN)
