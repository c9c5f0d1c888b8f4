"""What EventBridge refuses (event-ruler, ``JsonRuleCompiler``) is refused; the message names the place and the accepted form."""

from typing import Any

import pytest

from consumers.rules.errors import PatternRefused
from consumers.rules.pattern import compiled, read

REFUSED: dict[str, tuple[Any, str]] = {
    "no object": (["x"], "the pattern: a pattern is an object"),
    "an empty pattern": ({}, "the pattern: an empty object matches nothing"),
    "an empty object": ({"a": {}}, "a: an empty object matches nothing"),
    "an empty array": ({"a": {"b": []}}, "a.b: an empty array matches nothing"),
    "a bare value": ({"source": "aws.ec2"}, 'source: a field has an array of match values, as ["running"]'),
    "null for an array": ({"a": None}, "a: a field has an array of match values"),
    "an array in an array": ({"a": [["x"]]}, "a.0: a match value is text, a number, true, false, null"),
    "an unknown operator": (
        {"a": [{"regex": ".*"}]},
        "a.0: unknown operator 'regex'; there are anything-but, cidr, equals-ignore-case",
    ),
    "two operators": ({"a": [{"prefix": "x", "suffix": "y"}]}, "a.0: an object here has exactly one operator, not 2"),
    "no operator": ({"a": [{}]}, "a.0: an object here has exactly one operator, not 0"),
    "a prefix that is no text": ({"a": [{"prefix": 1}]}, "a.0.prefix: text is needed"),
    "a suffix that is no text": ({"a": [{"suffix": None}]}, "a.0.suffix: text is needed"),
    "another operator in prefix": ({"a": [{"prefix": {"wildcard": "*"}}]}, "a.0.prefix: prefix takes text, or"),
    "exactly a number": ({"a": [{"exactly": 1}]}, "a.0.exactly: text is needed"),
    "no text but for case": ({"a": [{"equals-ignore-case": ["x"]}]}, "a.0.equals-ignore-case: text is needed"),
    "wildcards in a row": ({"a": [{"wildcard": "x**y"}]}, "a.0.wildcard: two wildcards in a row at character 2"),
    "a needless escape": ({"a": [{"wildcard": "x\\y"}]}, "a.0.wildcard: a backslash at character 2 escapes neither"),
    "an escape of nothing": ({"a": [{"wildcard": "x\\"}]}, "a.0.wildcard: a backslash at character 2 escapes neither"),
    "a wildcard that is no text": ({"a": [{"wildcard": 1}]}, "a.0.wildcard: text is needed"),
    "a network of one address": ({"a": [{"cidr": "10.0.0.1/32"}]}, "a.0.cidr: a network of IPv4 has at most 31 bits"),
    "a network of one address of version 6": ({"a": [{"cidr": "::1/128"}]}, "a.0.cidr: a network of IPv6 has at most 127 bits"),
    "a network without bits": ({"a": [{"cidr": "10.0.0.1"}]}, "a.0.cidr: cidr takes an address, a slash"),
    "a mask": ({"a": [{"cidr": "10.0.0.0/255.0.0.0"}]}, "a.0.cidr: cidr takes an address, a slash"),
    "negative bits": ({"a": [{"cidr": "10.0.0.0/-1"}]}, "a.0.cidr: cidr takes an address, a slash"),
    "no address": ({"a": [{"cidr": "10.0.0/8"}]}, "a.0.cidr: cidr takes an address, a slash"),
    "exists that is no truth": ({"a": [{"exists": "yes"}]}, "a.0.exists: exists takes true or false"),
    "exists that is a number": ({"a": [{"exists": 0}]}, "a.0.exists: exists takes true or false"),
    "a comparison without a number": ({"a": [{"numeric": [">"]}]}, "a.0.numeric: numeric takes one of"),
    "a comparison with text": ({"a": [{"numeric": [">", "1"]}]}, "a.0.numeric.1: a number is needed, without quotes"),
    "a comparison with a truth": ({"a": [{"numeric": [">", True]}]}, "a.0.numeric.1: a number is needed"),
    "an unknown comparison": ({"a": [{"numeric": ["!=", 1]}]}, "a.0.numeric.0: unknown comparison '!='"),
    "a comparison that is no text": ({"a": [{"numeric": [1, 1]}]}, "a.0.numeric.0: unknown comparison 1"),
    "no array of comparisons": ({"a": [{"numeric": "> 1"}]}, "a.0.numeric: numeric takes one of"),
    "limits the wrong way": ({"a": [{"numeric": ["<", 5, ">", 1]}]}, "a.0.numeric: two comparisons are a lower limit"),
    "two lower limits": ({"a": [{"numeric": [">", 1, ">", 5]}]}, "a.0.numeric: two comparisons are a lower limit"),
    "an inside-out range": ({"a": [{"numeric": [">", 5, "<", 1]}]}, "a.0.numeric: the lower limit must be less"),
    "an empty range": ({"a": [{"numeric": [">=", 5, "<=", 5]}]}, "a.0.numeric: the lower limit must be less"),
    "three comparisons": ({"a": [{"numeric": [">", 1, "<", 5, "<", 6]}]}, "a.0.numeric: numeric takes one of"),
    "a number too large": ({"a": [{"numeric": ["=", 5_000_000_001]}]}, "a.0.numeric.1: numbers are compared from -5.0e9"),
    "a number too small": ({"a": [{"anything-but": -5_000_000_001}]}, "a.0.anything-but: numbers are compared from -5.0e9"),
    "anything but text and numbers": (
        {"a": [{"anything-but": ["x", 1]}]},
        "a.0.anything-but: anything-but takes text or a number",
    ),
    "anything but null": ({"a": [{"anything-but": None}]}, "a.0.anything-but: anything-but takes text or a number"),
    "anything but true": ({"a": [{"anything-but": [True]}]}, "a.0.anything-but: anything-but takes text or a number"),
    "anything but nothing": ({"a": [{"anything-but": []}]}, "a.0.anything-but: anything-but takes text or a number"),
    "anything but numeric": (
        {"a": [{"anything-but": {"numeric": [">", 1]}}]},
        "a.0.anything-but: anything-but takes text, numbers, or",
    ),
    "anything but two": (
        {"a": [{"anything-but": {"prefix": "x", "suffix": "y"}}]},
        "a.0.anything-but: an object here has exactly one",
    ),
    "anything but no prefix": (
        {"a": [{"anything-but": {"prefix": []}}]},
        "a.0.anything-but.prefix: an empty array excludes nothing",
    ),
    "anything but the empty prefix": (
        {"a": [{"anything-but": {"prefix": ""}}]},
        "a.0.anything-but.prefix: every text has the empty prefix",
    ),
    "anything but the empty suffix": (
        {"a": [{"anything-but": {"suffix": ["x", ""]}}]},
        "a.0.anything-but.suffix: every text has the empty",
    ),
    "anything but a numeric prefix": ({"a": [{"anything-but": {"prefix": 1}}]}, "a.0.anything-but.prefix: text is needed"),
    "anything but a bad wildcard": (
        {"a": [{"anything-but": {"wildcard": ["*", "**"]}}]},
        "a.0.anything-but.wildcard: two wildcards in a row",
    ),
    "$or of one": ({"$or": [{"a": ["x"]}]}, "$or: $or takes an array of at least two objects"),
    "$or of an object": ({"$or": {"a": ["x"]}}, "$or: $or takes an array of at least two objects"),
    "$or of texts": ({"$or": ["a", "b"]}, "$or.0: only objects stand in the array of $or"),
    "$or of nothing": ({"$or": [{}, {"a": ["x"]}]}, "$or.0: an empty object matches nothing"),
    "$or over operators": ({"$or": [{"prefix": ["x"]}, {"a": ["x"]}]}, "$or.0.prefix: 'prefix' is an operator"),
    "$or over operators further in": (
        {"$or": [{"a": {"numeric": [1]}}, {"a": ["x"]}]},
        "$or.0.a.numeric: 'numeric' is an operator",
    ),
    "a path beside $or and in it": ({"a": ["x"], "$or": [{"a": ["y"]}, {"b": ["y"]}]}, "a: the path a stands in two places"),
    "a path inside of both": (
        {"a": {"b": ["x"]}, "$or": [{"a": {"b": ["y"]}}, {"c": ["y"]}]},
        "a.b: the path a.b stands in two places",
    ),
    "a name that is no text": ({1: ["x"]}, "1: the name of a field is text"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_pattern_is_refused_with_place_and_form(name: str) -> None:
    pattern, message = REFUSED[name]

    with pytest.raises(PatternRefused) as refused:
        read(pattern)

    assert str(refused.value).startswith(message)


def test_more_than_a_thousand_combinations_are_refused() -> None:
    ten = [{"a": [number]} for number in range(10)]
    just = {"x": {"$or": ten}, "y": {"$or": ten}, "z": {"$or": ten}}

    assert compiled(just)({name: {"a": 9} for name in "xyz"})
    with pytest.raises(PatternRefused, match="make 1,100 combinations; at most 1,000"):
        read({**just, "z": {"$or": [*ten, {"b": [1]}]}})


def test_alternatives_that_multiply_too_many_fields_are_refused() -> None:
    many: dict[str, Any] = {f"f{number}": ["x"] for number in range(200)}
    beside = [{"k": [str(number)], "f0": {"y": ["x"]}} for number in range(600)]

    assert read({**many, "$or": [{"k": ["1"]}, {"l": ["1"]}]}), "nothing is multiplied out where no field stands twice"
    assert read({**many, "$or": beside[:400]})
    with pytest.raises(PatternRefused, match="come to more than 100,000; name fewer fields"):
        read({**many, "$or": beside})


def test_too_deep_a_pattern_is_refused() -> None:
    pattern: dict[str, Any] = {"a": ["x"]}
    for _ in range(101):
        pattern = {"a": pattern}

    with pytest.raises(PatternRefused, match="nested more than 100 deep"):
        read(pattern)
