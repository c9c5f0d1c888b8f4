"""Which routes are asked about something, in which order, and what each answered: why it goes where it goes."""

from collections.abc import Iterator
from dataclasses import dataclass

from consumers.notifier.routing.tree import Fields, Matcher, Route, Routing


@dataclass(frozen=True, slots=True)
class Tried:
    """A route that was asked. ``failed`` are its matchers that did not hold; ``decides``: none below it takes the thing."""

    route: Route
    failed: tuple[Matcher, ...]
    decides: bool = False


def tried(routing: Routing, fields: Fields) -> list[Tried]:
    """Every route that is asked about something with these fields, each before those below it.

    Those that decide are the ones that ``Routing.deciding`` answers, in the same order.
    """
    return list(_below(routing.root, fields))


def _below(route: Route, fields: Fields) -> Iterator[Tried]:
    asked: list[Tried] = []
    taken = False
    for child in route.children:
        failed = tuple(matcher for matcher in child.matchers if not matcher.matches(fields))
        if failed:
            asked.append(Tried(child, failed))
            continue
        taken = True
        asked += _below(child, fields)
        if not child.go_on:
            break
    yield Tried(route, (), decides=not taken)
    yield from asked
