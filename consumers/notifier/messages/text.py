"""Text from outside, made fit for a message: cleaned and cut for every channel, escaped for Slack.

Escaping: ``&``, ``<`` and ``>`` only, which is all that Slack knows; after it, no text is a mention, a command or a link.
Cutting:  after escaping, so a limit holds for what Slack counts; never inside an entity or a character, nor between a character
          and the marks that belong to it. Lengths are UTF-16 code units, the strictest way in which the limits can be read.
Source:   Slack API, "Formatting text for app surfaces", Escaping text; "Reference: blocks".
"""

import re
import unicodedata
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

ELLIPSIS: Final = "…"

_LONGEST: Final = 20_000
"""Characters looked at, at most: six times the largest of Slack's limits."""

_LINE_ENDS: Final = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_INVISIBLE: Final = re.compile("[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
"""Marks that reorder or hide what follows: a text could otherwise show itself as another one. Letters of any script stay."""
_BROKEN: Final = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_JOINERS: Final = frozenset("\u200d\ufe0e\ufe0f\u20e3") | frozenset(map(chr, range(0x1F3FB, 0x1F400)))
_LONGEST_CLUSTER: Final = 16
_ASTRAL: Final = 2
"""UTF-16 code units of what takes most."""


class Escaped(str):
    """Text in Slack's own notation: escaped, or written by us."""

    __slots__ = ()


def clean(text: str) -> str:
    """``text`` without what cannot be shown: control characters and lone surrogates become U+FFFD, invisible marks go."""
    if text.isascii() and text.isprintable():
        return text.strip()
    return _BROKEN.sub("\ufffd", _INVISIBLE.sub("", _LINE_ENDS.sub("\n", text))).strip()


def line(text: str) -> str:
    """``text`` on one line, white space collapsed."""
    return " ".join(text[:_LONGEST].split())


def escape(text: str) -> Escaped:
    """``text`` with Slack's three control characters escaped; what is escaped already stays as it is."""
    if isinstance(text, Escaped):
        return text
    return Escaped(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


def width(text: str) -> int:
    """The length of ``text`` in UTF-16 code units."""
    return len(text) + sum(char > "\uffff" for char in text)


def cut(text: str, limit: int) -> tuple[Escaped, bool]:
    """``text`` cleaned, escaped and at most ``limit`` (>= 1) units long, and whether something is missing."""
    kept, shortened = shorten(text, limit, _ENTITIES)
    return escape(kept), shortened


def shorten(text: str, limit: int, entities: Mapping[str, str] = MappingProxyType({})) -> tuple[str, bool]:
    """``text`` cleaned, and at most ``limit`` (>= 1) units long once ``entities`` replace characters; whether it was longer."""
    whole = clean(text[:_LONGEST])
    if len(whole) * max([_ASTRAL, *map(len, entities.values())]) <= limit and len(text) <= _LONGEST:
        return whole, False
    kept, total = 0, 0
    for index, char in enumerate(whole):
        total += len(entities.get(char, char)) + (char > "\uffff")
        if total <= limit - 1:
            kept = index + 1
        elif total > limit:
            break
    else:
        if len(text) <= _LONGEST:
            return whole, False
    return whole[: _boundary(whole, kept)].rstrip() + ELLIPSIS, True


def _boundary(text: str, end: int) -> int:
    """The last place at or before ``end`` where no mark, joiner or variation selector follows or hangs."""
    for place in range(end, max(0, end - _LONGEST_CLUSTER), -1):
        if not (_joins(text[place : place + 1]) or text[place - 1] == "\u200d"):
            return place
    return end


def _joins(char: str) -> bool:
    return bool(char) and (char in _JOINERS or unicodedata.combining(char) != 0)
