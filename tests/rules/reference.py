"""What an event pattern means, as plainly as it can be written: the measure for the compiled one.

An event is flattened to values, each with its path and, for every array on the way, the element that it stands in. A pattern is
flattened to combinations, each a set of paths with match values. A combination matches if values can be chosen for its paths so
that no two stand in different elements of one array, and paths that are to be absent have no value that agrees with these.
"""

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address, ip_network
from itertools import count, product
from typing import Any, NamedTuple

Elements = Mapping[int, int]
"""The element, by array."""


class Value(NamedTuple):
    """A scalar of the event."""

    path: tuple[str, ...]
    scalar: Any
    elements: Elements


def matches(pattern: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Whether the pattern, which is a good one, matches."""
    values = list(_flat(event, (), {}, count()))
    return any(_combination_matches(fields, values) for fields in _combinations(pattern, ()))


def _flat(value: Any, path: tuple[str, ...], elements: Elements, arrays: Iterator[int]) -> Iterator[Value]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, (*path, key), elements, arrays)
    elif isinstance(value, list):
        array = next(arrays)
        for index, item in enumerate(value):
            inside = {**elements, array: index} if isinstance(item, dict | list) else elements
            yield from _flat(item, path, inside, arrays)
    else:
        yield Value(path, value, elements)


def _combinations(pattern: Mapping[str, Any], path: tuple[str, ...]) -> list[list[tuple[tuple[str, ...], Sequence[Any]]]]:
    parts = []
    for key, given in pattern.items():
        if key == "$or":
            parts.append([fields for branch in given for fields in _combinations(branch, path)])
        elif isinstance(given, dict):
            parts.append(_combinations(given, (*path, key)))
        else:
            parts.append([[((*path, key), given)]])
    return [[field for fields in chosen for field in fields] for chosen in product(*parts)]


def _combination_matches(fields: Sequence[tuple[tuple[str, ...], Sequence[Any]]], values: Sequence[Value]) -> bool:
    """Each field chooses a value, or to be absent where it may be."""
    choices = []
    for path, given in fields:
        found: list[Value | None] = [
            value for value in values if value.path == path and any(holds(one, value.scalar) for one in given)
        ]
        choices.append(found + ([None] if {"exists": False} in given else []))
    return any(_agree(chosen, [path for path, _ in fields], values) for chosen in product(*choices))


def _agree(chosen: Sequence[Value | None], paths: Sequence[tuple[str, ...]], values: Sequence[Value]) -> bool:
    elements: dict[int, int] = {}
    for value in chosen:
        for array, index in value.elements.items() if value else ():
            if elements.setdefault(array, index) != index:
                return False
    absent = [path for path, value in zip(paths, chosen, strict=True) if value is None]
    return not any(
        value.path in absent and all(elements.get(array, index) == index for array, index in value.elements.items())
        for value in values
    )


def holds(given: Any, value: Any) -> bool:
    """Whether one match value fits a scalar."""
    if isinstance(given, dict):
        ((operator, wanted),) = given.items()
        return _operator(operator, wanted, value)
    if isinstance(given, str) and isinstance(value, str):
        return given == value or (_address(given) is not None and ":" in given and _address(given) == _address(value))
    if _is_number(given) and _is_number(value):
        return bool(given == value)
    return given is value


def _operator(operator: str, wanted: Any, value: Any) -> bool:  # noqa: PLR0911 - an operator each
    text = value if isinstance(value, str) else None
    if operator == "exists":
        return bool(wanted)
    if operator == "anything-but":
        if isinstance(wanted, dict):
            ((inner, several),) = wanted.items()
            return not any(_operator(inner, one, value) for one in (several if isinstance(several, list) else [several]))
        return not any(holds(one, value) for one in (wanted if isinstance(wanted, list) else [wanted]))
    if operator == "numeric":
        return (
            _is_number(value)
            and abs(value) <= 5e9
            and all(
                {"=": value == limit, "<": value < limit, "<=": value <= limit, ">": value > limit, ">=": value >= limit}[sign]
                for sign, limit in zip(wanted[::2], wanted[1::2], strict=True)
            )
        )
    if text is None:
        return False
    if operator == "cidr":
        address = _address(text)
        return address is not None and address in ip_network(wanted, strict=False)
    if operator in ("prefix", "suffix") and isinstance(wanted, dict):
        begins = operator == "prefix"
        ends = range(len(text) + 1)
        return any(_same(wanted["equals-ignore-case"], text[:end] if begins else text[end:]) for end in ends)
    if operator == "equals-ignore-case":
        return _same(wanted, text)
    if operator == "wildcard":
        return _wild(wanted, text)
    tests: dict[str, bool] = {"prefix": text.startswith(wanted), "suffix": text.endswith(wanted), "exactly": text == wanted}
    return tests[operator]


def _same(wanted: str, text: str) -> bool:
    """Letter by letter in either case; one letter may be several in the other case."""
    if not wanted:
        return not text
    first, rest = wanted[0], wanted[1:]
    spellings = {first} if ord(first) > 0xFFFF else {first.lower(), first.upper()}
    return any(text.startswith(one) and _same(rest, text[len(one) :]) for one in spellings)


def _wild(wanted: str, text: str) -> bool:
    if not wanted:
        return not text
    if wanted[0] == "*":
        return any(_wild(wanted[1:], text[at:]) for at in range(len(text) + 1))
    if wanted[0] == "\\":
        return text[:1] == wanted[1] and _wild(wanted[2:], text[1:])
    return text[:1] == wanted[0] and _wild(wanted[1:], text[1:])


def _address(text: str) -> Any:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
