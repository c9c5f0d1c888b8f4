"""Matchers as people write them, the same in the routing, in silences, on the command line and in links: ``FIELD OP VALUE``.

Fields:   ``type``, ``source``, ``kind``, ``severity``, ``account``, ``region``, ``subject``, ``resource``, ``rule``, ``report``,
          ``label.<name>``, ``group.<name>``. One that an item does not have is the empty text.
``=``:    the value is one or more alternatives with ``|`` between them, each a shell pattern: ``*`` is any text, ``?`` any
          character, a backslash takes the next character as it is. Upper and lower case differ. ``!=``: ``=`` does not hold.
Severity: UNKNOWN, LOW, MEDIUM, HIGH, CRITICAL in upper or lower case, also with ``>=``, ``<=``, ``>``, ``<``.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from fnmatch import translate
from operator import ge, gt, le, lt
from typing import Final

from consumers import palette
from consumers.notifier.errors import MatcherRefused
from consumers.notifier.item import NAMED, PREFIXES
from consumers.notifier.routing.tree import Matcher, Matchers

LONGEST: Final = 2048
"""Characters of a matcher."""
FORM: Final = "FIELD=VALUE or FIELD!=VALUE, as source=aws.* or label.team!=core|infra; severity also with >=, <=, >, <"

SEVERITIES: Final = tuple(tone.word for tone in palette.SEVERITIES)
"""The words for them, the least first."""

_PARTS: Final = re.compile(r"\s*([^\s=!<>]+)\s*(!=|>=|<=|=|>|<)\s*(.*)", re.DOTALL)
_LONGEST_NAME: Final = 256
_ORDERED: Final[dict[str, Callable[[int, int], bool]]] = {">=": ge, "<=": le, ">": gt, "<": lt}
_SPECIAL: Final = frozenset("*?[")


def read(text: str) -> Matcher:
    """The matcher that ``text`` writes. Raises ``MatcherRefused`` naming the accepted form."""
    parts = _PARTS.fullmatch(text) if len(text) <= LONGEST else None
    if parts is None:
        message = f"a matcher is {FORM}; at most {LONGEST:,} characters"
        raise MatcherRefused(message)
    name, operator, value = parts.groups()
    field_named(name)
    if value[:1] in {"=", "~"}:
        message = f"there is no operator {operator}{value[:1]}: {FORM}"
        raise MatcherRefused(message)
    if value[:1] == value.rstrip()[-1:] == '"':
        message = "quotes are taken as they are: write the value without them"
        raise MatcherRefused(message)
    test = _of_severity(operator, value) if name == "severity" else _of_text(operator, value)
    return Matcher(text, name, test)


def read_all(texts: Iterable[str]) -> Matchers:
    """Several, as those of a silence. Raises ``MatcherRefused`` for the first that is none."""
    return tuple(map(read, texts))


def field_named(name: str) -> str:
    """``name``, if items have such a field. Raises ``MatcherRefused`` naming those that there are."""
    labelled = name.startswith(PREFIXES) and len(name.partition(".")[2]) in range(1, _LONGEST_NAME)
    if name in NAMED or labelled:
        return name
    message = f"no such field as {name[:64]!r}; there are {', '.join(NAMED)}, label.<name>, group.<name>"
    raise MatcherRefused(message)


def _of_text(operator: str, value: str) -> Callable[[str], bool]:
    if operator in _ORDERED:
        message = f"only severity has an order; {FORM}"
        raise MatcherRefused(message)
    return _negated(_alternatives(value)) if operator == "!=" else _alternatives(value)


def _of_severity(operator: str, value: str) -> Callable[[str], bool]:
    words = [word.strip().upper() for word in value.split("|")]
    if any(word not in SEVERITIES for word in words) or (operator in _ORDERED and len(words) > 1):
        several = "one" if operator in _ORDERED else "one or more, with | between them,"
        message = f"severity{operator} asks for {several} of {', '.join(SEVERITIES)}"
        raise MatcherRefused(message)
    compare = _ORDERED.get(operator)
    if compare:
        bound = SEVERITIES.index(words[0])
        words = [word for severity, word in enumerate(SEVERITIES) if compare(severity, bound)]
    return _negated(frozenset(words).__contains__) if operator == "!=" else frozenset(words).__contains__


def _negated(test: Callable[[str], bool]) -> Callable[[str], bool]:
    return lambda value: not test(value)


def _alternatives(value: str) -> Callable[[str], bool]:
    """Whether a text fits any alternative. Patterns become regular expressions that do not go back for another try."""
    several = [_pattern(alternative) for alternative in _split(value)]
    if all(plain for plain, _ in several):
        return frozenset(text for _, text in several).__contains__
    form = re.compile("|".join(re.escape(text) + r"\Z" if plain else text for plain, text in several), re.DOTALL)
    return lambda value: form.match(value) is not None


def _split(value: str) -> Iterator[list[str]]:
    """The alternatives, each as its characters; one behind a backslash keeps it. Spaces around an alternative do not count."""
    found: list[str] = []
    characters = iter(value)
    for character in characters:
        if character == "|":
            yield _trimmed(found)
            found = []
        else:
            found.append(character + _escaped(characters) if character == "\\" else character)
    yield _trimmed(found)


def _escaped(characters: Iterator[str]) -> str:
    for character in characters:
        return character
    message = r"the value ends with a backslash; write \\ for one"
    raise MatcherRefused(message)


def _trimmed(characters: list[str]) -> list[str]:
    begin, end = 0, len(characters)
    while begin < end and characters[begin].isspace():
        begin += 1
    while begin < end and characters[end - 1].isspace():
        end -= 1
    return characters[begin:end]


def _pattern(characters: list[str]) -> tuple[bool, str]:
    """Whether an alternative is a plain text, and that text; else the regular expression of the pattern."""
    if not {"*", "?"}.intersection(characters):
        return True, "".join(character[-1] for character in characters)
    return False, translate("".join(_for_fnmatch(character) for character in characters))


def _for_fnmatch(character: str) -> str:
    """As ``fnmatch`` writes it, which knows no backslash, and classes in brackets, which we do not."""
    if character in {"*", "?"}:
        return character
    return f"[{character[-1]}]" if character[-1] in _SPECIAL else character[-1]
