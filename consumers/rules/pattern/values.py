"""The tests on single values: one function a comparison operator, made from what the pattern gives it.

Types: text operators hold for text only, numeric ones for numbers only, ``cidr`` for text that is an address; ``anything-but``
       holds for every value that is none of the given ones, whatever its type.
Speed: every test is linear in the value's length. Wildcards are found piece by piece, so no pattern can take long.
Source: Amazon EventBridge User Guide, "Comparison operators for use in event patterns"; github.com/aws/event-ruler, README.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from operator import ge, gt, le, lt
from typing import Any, Final

from consumers.rules.pattern.tree import Test

MOST: Final = 5_000_000_000
"""Numbers that are compared lie between minus this and this. Source: the page named above, "Numeric matching"."""

_COMPARISONS: Final[dict[str, Callable[[float, float], bool]]] = {">": gt, ">=": ge, "<": lt, "<=": le}
_BEYOND_THE_BASIC_PLANE: Final = 0xFFFF


def is_number(value: Any) -> bool:
    """Whether it is a JSON number: True and False are none."""
    return type(value) is int or type(value) is float


def number(wanted: float) -> Test:
    """The same number, however it is written: 300, 300.0 and 3.0e2 are one."""
    return lambda value: is_number(value) and bool(value == wanted)


def constant(wanted: bool | None) -> Test:  # noqa: FBT001 - a value of JSON, not a switch
    """null, true or false."""
    return lambda value: value is wanted


def prefix(wanted: str) -> Test:
    """Text that begins so."""
    return lambda value: type(value) is str and value.startswith(wanted)


def suffix(wanted: str) -> Test:
    """Text that ends so."""
    return lambda value: type(value) is str and value.endswith(wanted)


def exists(_: Any) -> bool:
    """Any value: null, empty text and false exist."""
    return True


def equal_ignoring_case(wanted: str) -> Test:
    """The same text but for case, letter by letter, as Unicode maps each to upper and lower case."""
    if wanted.isascii():
        lower = wanted.lower()
        return lambda value: type(value) is str and value.isascii() and value.lower() == lower
    found = re.compile(_any_case(wanted), re.DOTALL).fullmatch
    return lambda value: type(value) is str and found(value) is not None


def prefix_ignoring_case(wanted: str) -> Test:
    """Text that begins so, but for case."""
    found = re.compile(_any_case(wanted), re.DOTALL).match
    return lambda value: type(value) is str and found(value) is not None


def suffix_ignoring_case(wanted: str) -> Test:
    """Text that ends so, but for case."""
    most = sum(max(len(char.lower()), len(char.upper())) for char in wanted)
    found = re.compile(f"(?:{_any_case(wanted)})\\Z", re.DOTALL).search
    return lambda value: type(value) is str and found(value, max(len(value) - most, 0)) is not None


def _any_case(wanted: str) -> str:
    return "".join(map(_cases, wanted))


def _cases(char: str) -> str:
    """Beyond the basic plane event-ruler sees halves of a letter, which have no case."""
    lower, upper = char.lower(), char.upper()
    if lower == upper or ord(char) > _BEYOND_THE_BASIC_PLANE:
        return re.escape(char)
    return f"(?:{re.escape(lower)}|{re.escape(upper)})"


def wildcard(pieces: Sequence[str]) -> Test:
    """Text made of these pieces, in order, with anything between two of them: ``a*c`` is ``["a", "c"]``."""
    if len(pieces) == 1:
        (whole,) = pieces
        return lambda value: bool(value == whole)
    first, *middle, last = pieces
    if not first and not last and len(middle) <= 1:
        part = "".join(middle)
        return lambda value: type(value) is str and part in value
    least = len(first) + len(last)

    def test(value: Any) -> bool:
        if type(value) is not str or len(value) < least or not value.startswith(first) or not value.endswith(last):
            return False
        at, end = len(first), len(value) - len(last)
        for piece in middle:
            at = value.find(piece, at, end)
            if at < 0:
                return False
            at += len(piece)
        return True

    return test


def in_range(limits: Sequence[tuple[str, float]]) -> Test:
    """A number within all limits, each an operator (``=``, ``>``, ``>=``, ``<``, ``<=``) and a number."""
    if limits[0][0] == "=":
        return number(limits[0][1])
    if len(limits) == 1:
        ((sign, limit),) = limits
        compare = _COMPARISONS[sign]
        return lambda value: is_number(value) and -MOST <= value <= MOST and compare(value, limit)
    (above, bottom), (below, top) = limits
    over, under = _COMPARISONS[above], _COMPARISONS[below]
    return lambda value: is_number(value) and -MOST <= value <= MOST and over(value, bottom) and under(value, top)


def within(network: IPv4Network | IPv6Network) -> Test:
    """An address in the network; one of the other version is not."""
    version = network.version

    def test(value: Any) -> bool:
        address = address_of(value) if type(value) is str else None
        return address is not None and address.version == version and address in network

    return test


def same_address(wanted: IPv6Address) -> Test:
    """The same address, however it is written."""
    return lambda value: type(value) is str and ":" in value and address_of(value) == wanted


@lru_cache(maxsize=4096)
def address_of(text: str) -> IPv4Address | IPv6Address | None:
    """The address that the text is, None if it is none. An IPv4 address mapped into IPv6 is the IPv4 address."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return None if address.scope_id else address.ipv4_mapped or address
    return address


def anything_but(tests: Sequence[Test]) -> Test:
    """Any value for which none of the tests holds."""
    if len(tests) == 1:
        (test,) = tests
        return lambda value: not test(value)
    return lambda value: not any(test(value) for test in tests)


def one_of(texts: frozenset[str]) -> Test:
    """One of these texts."""
    return lambda value: type(value) is str and value in texts
