"""How a notice tells of the silence that held it: its id, who made it, until when it lasts, and why.

Names: the ledger and the log hold the person's id; the name is put in its place on reading, by ``named``.
Until: as it stood when the notice was held; people may have moved it since.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from typing import Final, TypeAlias

from consumers.notifier.moment import moment
from consumers.notifier.notice import Notice, Reason
from consumers.notifier.routing.tree import Silence

LONGEST_COMMENT: Final = 200
_TOLD: Final = re.compile(r"silence \S+ by (\S+) until ")

Names: TypeAlias = Callable[[Collection[str]], Mapping[str, str]]
"""The names of people by their ids; ``consumers.people.directory`` says what of those whom nobody knows."""


def detail_of(silence: Silence) -> str:
    """What a notice that it held is to tell of it."""
    by = f" by {silence.by}" if silence.by else ""
    return f"silence {silence.id}{by} until {moment(silence.ends_us)}: {silence.comment[:LONGEST_COMMENT]}"


def named(notices: Iterable[Notice], names: Names) -> list[Notice]:
    """The same notices, with the names of those whose silences held them. ``names`` is asked once, if at all."""
    found = list(notices)
    people = {id(notice): by for notice in found if (by := _TOLD.match(notice.detail)) and notice.reason is Reason.SILENCED}
    if not people:
        return found
    known = names({by[1] for by in people.values()})
    return [_with_name(notice, by, known) if (by := people.get(id(notice))) else notice for notice in found]


def _with_name(notice: Notice, by: re.Match[str], known: Mapping[str, str]) -> Notice:
    begin, end = by.span(1)
    return replace(notice, detail=f"{notice.detail[:begin]}{known.get(by[1], by[1])}{notice.detail[end:]}")
