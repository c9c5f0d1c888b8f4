r"""What stands in the array of a field: match values, each a scalar or an object with one operator, read into tests.

Refused as EventBridge does: unknown operators, operators with a value of another type or with a second key, wildcards in a row,
escapes of anything but ``*`` and ``\``, numbers beyond five thousand million, ranges without inside, networks of one address.
Source: Amazon EventBridge User Guide, "Comparison operators for use in event patterns"; event-ruler, ``JsonRuleCompiler``.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Address, ip_network
from typing import Any, Final, TypeAlias

from consumers.rules.errors import PatternRefused
from consumers.rules.pattern import values
from consumers.rules.pattern.tree import Leaf, Test

Path: TypeAlias = tuple[str | int, ...]
Reader: TypeAlias = Callable[[Any, Path], Test]

_RANGES: Final = 'one of ["=", n], [">", n], [">=", n], ["<", n], ["<=", n], or a lower and an upper one, as [">", 0, "<=", 5]'


def leaf(given: Sequence[Any], path: Path) -> Leaf:
    """The leaf that an array of match values is. Raises ``PatternRefused``."""
    if not given:
        raise PatternRefused(
            path, 'an empty array matches nothing; give at least one value, as ["running"], or {"exists": false}'
        )
    texts: set[str] = set()
    tests: list[Test] = []
    absent = False
    for index, value in enumerate(given):
        at = (*path, index)
        if isinstance(value, str):
            texts.add(value)
            if isinstance(address := values.address_of(value), IPv6Address):
                tests.append(values.same_address(address))
        elif value is None or isinstance(value, bool):
            tests.append(values.constant(value))
        elif values.is_number(value):
            tests.append(values.number(value))
        elif value == {"exists": False} and value["exists"] is False:
            absent = True
        elif isinstance(value, Mapping):
            _operator(value, at, texts, tests)
        else:
            raise PatternRefused(at, "a match value is text, a number, true, false, null, or an object with one operator")
    return Leaf(frozenset(texts), tuple(tests), absent, json.dumps(given, sort_keys=True))


def _operator(given: Mapping[str, Any], path: Path, texts: set[str], tests: list[Test]) -> None:
    name, value = _single(given, path)
    if name == "exactly":
        texts.add(_text(value, (*path, name)))
        return
    if name not in _OPERATORS:
        raise PatternRefused(path, f"unknown operator {name!r}; there are {', '.join(sorted([*_OPERATORS, 'exactly']))}")
    tests.append(_OPERATORS[name](value, (*path, name)))


def _single(given: Mapping[str, Any], path: Path) -> tuple[str, Any]:
    if len(given) != 1:
        raise PatternRefused(
            path, f"an object here has exactly one operator, not {len(given)}; write several objects for several"
        )
    ((name, value),) = given.items()
    return name, value


def _text(value: Any, path: Path) -> str:
    if not isinstance(value, str):
        raise PatternRefused(path, "text is needed, in quotes")
    return value


def _cased(name: str, exact: Callable[[str], Test], any_case: Callable[[str], Test]) -> Reader:
    def read(value: Any, path: Path) -> Test:
        if not isinstance(value, Mapping):
            return exact(_text(value, path))
        inner, wanted = _single(value, path)
        if inner != "equals-ignore-case":
            raise PatternRefused(path, f'{name} takes text, or {{"equals-ignore-case": "text"}}, not {inner!r}')
        return any_case(_text(wanted, (*path, inner)))

    return read


def _ignoring_case(value: Any, path: Path) -> Test:
    return values.equal_ignoring_case(_text(value, path))


def _wildcard(value: Any, path: Path) -> Test:
    return values.wildcard(_pieces(_text(value, path), path))


def _pieces(text: str, path: Path) -> list[str]:
    """What stands between the wildcards, escapes resolved."""
    pieces = [""]
    characters = iter(enumerate(text))
    for at, char in characters:
        if char == "*":
            if text[at + 1 : at + 2] == "*":
                raise PatternRefused(path, f"two wildcards in a row at character {at + 1}; one * stands for any text")
            pieces.append("")
        elif char == "\\":
            _, escaped = next(characters, (0, ""))
            if escaped not in {"*", "\\"}:
                raise PatternRefused(path, f"a backslash at character {at + 1} escapes neither * nor \\; write \\* or \\\\")
            pieces[-1] += escaped
        else:
            pieces[-1] += char
    return pieces


def _numeric(value: Any, path: Path) -> Test:
    if not isinstance(value, list) or len(value) not in (2, 4):
        raise PatternRefused(path, f"numeric takes {_RANGES}")
    limits = [(value[at], _number(value[at + 1], (*path, at + 1))) for at in range(0, len(value), 2)]
    first = limits[0][0]
    if first not in ("=", ">", ">=", "<", "<=") or not isinstance(first, str):
        raise PatternRefused((*path, 0), f"unknown comparison {first!r}; numeric takes {_RANGES}")
    if len(limits) == 2:  # noqa: PLR2004 - a lower and an upper limit
        if first not in (">", ">=") or limits[1][0] not in ("<", "<="):
            raise PatternRefused(path, f"two comparisons are a lower limit and then an upper one; numeric takes {_RANGES}")
        if limits[0][1] >= limits[1][1]:
            raise PatternRefused(path, "the lower limit must be less than the upper one")
    return values.in_range(limits)


def _number(value: Any, path: Path) -> float:
    if not values.is_number(value):
        raise PatternRefused(path, "a number is needed, without quotes")
    if not -values.MOST <= value <= values.MOST:
        raise PatternRefused(path, "numbers are compared from -5.0e9 to 5.0e9")
    return float(value) if isinstance(value, float) else int(value)


def _cidr(value: Any, path: Path) -> Test:
    form = 'cidr takes an address, a slash and the number of bits, as "10.0.0.0/24" or "2001:db8::/32"'
    address, slash, bits = _text(value, path).partition("/")
    if not slash or not (bits.isascii() and bits.isdigit()):
        raise PatternRefused(path, form)
    try:
        network = ip_network(f"{address}/{int(bits)}", strict=False)
    except ValueError:
        raise PatternRefused(path, form) from None
    if network.prefixlen == network.max_prefixlen:
        most = network.max_prefixlen - 1
        kind = "IPv4" if isinstance(network, IPv4Network) else "IPv6"
        raise PatternRefused(path, f"a network of {kind} has at most {most} bits; write a single address as text")
    return values.within(network)


def _exists(value: Any, path: Path) -> Test:
    if value is not True:
        raise PatternRefused(path, "exists takes true or false")
    return values.exists


def _anything_but(value: Any, path: Path) -> Test:
    if not isinstance(value, Mapping):
        return values.anything_but(_plain(value, path))
    name, wanted = _single(value, path)
    if name not in _BUT:
        raise PatternRefused(path, f"anything-but takes text, numbers, or one of {', '.join(sorted(_BUT))}, not {name!r}")
    at = (*path, name)
    several = wanted if isinstance(wanted, list) else [wanted]
    if not several:
        raise PatternRefused(at, "an empty array excludes nothing; give at least one text")
    for item in several:
        if not _text(item, at) and name in ("prefix", "suffix"):
            raise PatternRefused(at, f"every text has the empty {name}; give a longer one")
    return values.anything_but([_BUT[name](item, at) for item in several])


def _plain(value: Any, path: Path) -> list[Test]:
    several = value if isinstance(value, list) else [value]
    if several and all(isinstance(item, str) for item in several):
        return [values.one_of(frozenset(several))]
    if several and all(map(values.is_number, several)):
        return [values.number(_number(item, path)) for item in several]
    raise PatternRefused(path, "anything-but takes text or a number, an array of only texts or only numbers, or an object")


_OPERATORS: Final[Mapping[str, Reader]] = {
    "anything-but": _anything_but,
    "cidr": _cidr,
    "equals-ignore-case": _ignoring_case,
    "exists": _exists,
    "numeric": _numeric,
    "prefix": _cased("prefix", values.prefix, values.prefix_ignoring_case),
    "suffix": _cased("suffix", values.suffix, values.suffix_ignoring_case),
    "wildcard": _wildcard,
}
_BUT: Final[Mapping[str, Reader]] = {
    "equals-ignore-case": _ignoring_case,
    "prefix": _cased("prefix", values.prefix, values.prefix_ignoring_case),
    "suffix": _cased("suffix", values.suffix, values.suffix_ignoring_case),
    "wildcard": _wildcard,
}
RESERVED: Final = frozenset(
    (
        *_OPERATORS,
        *("exactly", "=", "<", "<=", ">", ">=", "regex", "not-wildcard", "not-equals-ignore-case"),
        *("date-after", "date-on-or-after", "date-before", "date-on-or-before", "in-date-range"),
        *("ip-address-in-range", "ip-address-not-in-range"),
    )
)
"""Names that no field in an object of ``$or`` may have. Source: event-ruler, ``Constants``."""
