"""The way of an item through the tree of routes, step by step: which routes were asked, and what of each did not match.

Pure, and equal to what decides: the routes that take an item here are those of ``Routing.deciding``, in the same order.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from consumers.notifier.routing.tree import ALONE, Fields, Matcher, Route, Routing


@dataclass(frozen=True, slots=True)
class Step:
    """A route that was asked. ``failed`` are its matchers that did not hold; without any, it matched.

    ``decides``: the item ends here, for none of the routes below it matched.
    """

    route: Route
    failed: tuple[Matcher, ...] = ()
    decides: bool = False

    @property
    def matched(self) -> bool:
        """Whether all its matchers held."""
        return not self.failed


def walk(routing: Routing, fields: Fields) -> list[Step]:
    """The steps in the order in which routes are asked, from the root on."""
    return list(_walk(routing.root, fields))


def group_of(route: Route, fields: Fields) -> dict[str, str]:
    """The values of a route's ``group_by``; empty for one group of all, and where each is a group of its own."""
    return {name: fields.get(name, "") for name in route.group_by if name != ALONE}


def _walk(route: Route, fields: Fields) -> Iterator[Step]:
    below: list[Step] = []
    taken = False
    for child in route.children:
        failed = tuple(matcher for matcher in child.matchers if not matcher.matches(fields))
        if failed:
            below.append(Step(child, failed))
            continue
        taken = True
        below += _walk(child, fields)
        if not child.go_on:
            break
    yield Step(route, decides=not taken)
    yield from below
