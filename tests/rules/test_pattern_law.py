"""The compiled pattern means what the plain one does, for patterns and events that resemble each other."""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from consumers.rules.errors import PatternRefused
from consumers.rules.pattern import compiled
from tests.rules.reference import matches

pytestmark = pytest.mark.long

KEYS = st.sampled_from("abc")
TEXTS = st.sampled_from(
    ["", "x", "X", "xy", "x*y", "yx", "ß", "SS", "Σ", "ς", "K", "k", "10.0.0.1", "10.0.0.200", "::1", "0::1", "x\\y"]
)
NUMBERS = st.sampled_from([0, 1, -1, 1.0, 1.5, 300, 3.0e2, 6_000_000_000, 123456789012])
SMALL = st.sampled_from([0, 1, 1.5, 300])
SCALARS = st.one_of(TEXTS, NUMBERS, st.sampled_from([None, True, False]))
WILD = st.sampled_from(["*", "x*", "*x", "x*y", "*y*", "x\\*y", "x\\\\y", "", "*x*y*", "x"])
FILLED = TEXTS.filter(bool)


def one(operator: str, of: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return of.map(lambda value: {operator: value})


def one_or_more(of: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return of | st.lists(of, min_size=1, max_size=3)


ANY_CASE = one("equals-ignore-case", TEXTS)
RANGES = st.one_of(
    st.tuples(st.sampled_from(["=", "<", "<=", ">", ">="]), SMALL).map(list),
    st.tuples(
        st.sampled_from([">", ">="]), st.sampled_from([-1, 0]), st.sampled_from(["<", "<="]), st.sampled_from([1, 300])
    ).map(list),
)
BUT = st.one_of(
    one_or_more(TEXTS),
    one_or_more(SMALL),
    one("prefix", one_or_more(FILLED)),
    one("suffix", one_or_more(FILLED)),
    one("equals-ignore-case", one_or_more(TEXTS)),
    one("wildcard", one_or_more(WILD)),
)
MATCH_VALUES = st.one_of(
    SCALARS,
    one("prefix", TEXTS | ANY_CASE),
    one("suffix", TEXTS | ANY_CASE),
    ANY_CASE,
    one("wildcard", WILD),
    one("numeric", RANGES),
    one("cidr", st.sampled_from(["10.0.0.0/25", "0.0.0.0/0", "::/64", "10.0.0.7/31"])),
    one("anything-but", BUT),
    one("exists", st.booleans()),
    one("exactly", TEXTS),
)
LEAVES = st.lists(MATCH_VALUES, min_size=1, max_size=3)
EXISTENCE = st.lists(one("exists", st.just(value=False)) | st.just("x"), min_size=1, max_size=2)


def nodes(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    fields = st.dictionaries(KEYS, children, min_size=1, max_size=3)
    objects = fields.filter(bool)
    return fields | st.tuples(st.dictionaries(KEYS, children, max_size=2), st.lists(objects, min_size=2, max_size=3)).map(
        lambda both: {**both[0], "$or": both[1]}
    )


PATTERNS = nodes(st.recursive(LEAVES | EXISTENCE, nodes, max_leaves=5))
EVENTS = st.dictionaries(
    KEYS,
    st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=12),
    max_size=3,
)


@given(PATTERNS, st.lists(EVENTS, min_size=1, max_size=4))
def test_a_compiled_pattern_matches_what_the_reference_does(pattern: Any, events: list[Any]) -> None:
    try:
        compile_time = compiled(pattern)
    except PatternRefused:
        assume(False)  # noqa: FBT003 - two branches of $or that both must hold at one path
    for event in events:
        assert compile_time(event) is matches(pattern, event), (pattern, event)
