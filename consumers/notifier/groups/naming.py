"""Which group an item belongs to: the route, and the values of what the route groups by.

Form: ``name="value"`` with commas, in the order of ``group_by``, values in the quotes of JSON; ``all`` for a route that groups by
      nothing. A text of more than ``LONGEST`` characters is cut and told apart by a hash: it is part of a notice's key.
"""

import re
from hashlib import sha256
from typing import Final, NamedTuple

import orjson

from consumers.notifier.groups.state import GroupKey
from consumers.notifier.routing.tree import ALONE, Fields, Route, Routing

PAIR: Final = re.compile(r'([^=",]+)="((?:[^"\\]|\\.)*)"')
"""A name and a value of such a text."""
LONGEST: Final = 400
_SHOWN: Final = 300
_DIGITS: Final = 32
_EVERYTHING: Final = "all"


class Home(NamedTuple):
    """A route that wants something, and the group of it where that belongs."""

    route: Route
    key: GroupKey


def homes(routing: Routing, fields: Fields, fingerprint: str) -> list[Home]:
    """Where something with these fields is to be told, in the order of the tree; empty if nobody is."""
    return [Home(route, key_of(route, fields, fingerprint)) for route in routing.deciding(fields) if route.channel]


def key_of(route: Route, fields: Fields, fingerprint: str) -> GroupKey:
    """The group of ``route`` for something with these fields."""
    if ALONE in route.group_by:
        return GroupKey(route.name, _cut(_pair("fingerprint", fingerprint)))
    return GroupKey(route.name, _cut(",".join(_pair(name, fields.get(name, "")) for name in route.group_by)) or _EVERYTHING)


def _pair(name: str, value: str) -> str:
    return f"{name}={orjson.dumps(value).decode()}"


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:_SHOWN]}…{sha256(text.encode()).hexdigest()[:_DIGITS]}"
