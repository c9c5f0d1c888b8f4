"""Patterns are asked about as little of a body as tells; what comes of it is what the whole document says."""

import json
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any
from unittest import mock

import orjson
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from consumers.rules import asking, document, excerpt
from consumers.rules import judge as judging
from consumers.rules.compiled import CompiledRule, compile_rule
from consumers.rules.document import of_envelope
from consumers.rules.errors import PatternRefused
from consumers.rules.judge import IndexedJudge, make_judge
from consumers.rules.pattern import read
from consumers.rules.rule import Rule, Version
from schemas.envelope import Envelope
from tests.rules.batches import batch, event
from tests.rules.reference import matches
from tests.rules.test_pattern_law import EVENTS, PATTERNS

pytestmark = pytest.mark.long

HITS = list[tuple[int, str]]


def rule(match: Any, number: int = 0, **more: Any) -> CompiledRule:
    return compile_rule(Version(Rule(id=f"rule-{number}", title="A rule", severity=3, match=match, **more), number=1))


def judge_of(*patterns: Any) -> IndexedJudge:
    return make_judge([rule(match, number) for number, match in enumerate(patterns)], lambda fault: pytest.fail(str(fault)))


def hits(judge: IndexedJudge, events: Sequence[Envelope]) -> HITS:
    return [(hit.place, hit.rule.version.rule.id) for hit in judge.hits(batch(events))]


def of_text(detail: str) -> Envelope:
    """A finding whose detail is spelt so."""
    mark = "the detail"
    one = event(detail={"here": mark})
    return replace(one, body=one.body.replace(orjson.dumps({"here": mark}), detail.encode()))


def spelt(value: Any, dice: Random) -> str:
    """One of the ways to spell it: members told twice, texts escaped, numbers with a fraction or an exponent."""
    if isinstance(value, dict):
        members = [f"{spelt(key, dice)}:{spelt(inner, dice)}" for key, inner in value.items()]
        told_twice = [f"{spelt(key, dice)}:{spelt(dice.choice([1, 'x', {'a': 1}, [True]]), dice)}" for key in value]
        return "{" + ",".join(told_twice * dice.choice([0, 0, 1]) + members) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(spelt(inner, dice) for inner in value) + "]"
    if isinstance(value, str) and dice.random() < 0.3:
        return '"' + "".join(f"\\u{ord(char):04x}" for char in value) + '"'
    if type(value) is int and 0 < abs(value) < 1000 and dice.random() < 0.3:
        return dice.choice([f"{value}.0", f"{value}e0", f"{value}00E-2"])
    return json.dumps(value, ensure_ascii=dice.random() < 0.5)


def wrapped(pattern: Any, how: int) -> Any:
    return (
        {"detail": pattern},
        {"detail": pattern, "resources": [{"exists": False}]},
        {"detail": pattern, "finding": {"summary": [{"exists": True}]}},
        {"$or": [{"detail": pattern}, {"source": ["aws.other"]}]},
        {"$or": [{"detail": pattern}, {"id": ["c2"]}]},
    )[how]


POOL = st.lists(
    st.tuples(
        EVENTS | st.fixed_dictionaries({"a": st.sampled_from([0, 1, 0.0, 1.0, True, False, None, [1], [True], 10**30])}),
        st.randoms(),
    ),
    min_size=2,
    max_size=8,
)
RULES = st.lists(st.builds(wrapped, PATTERNS, st.sampled_from([0, 0, 0, 1, 2, 3, 4])), min_size=1, max_size=4)


@given(RULES, POOL)
def test_a_judge_that_remembers_finds_what_the_reference_does(patterns: Any, pool: Any) -> None:
    try:
        judge = judge_of(*patterns)
    except PatternRefused:
        assume(False)  # noqa: FBT003 - two branches of $or that both must hold at one path
    events = [of_text(spelt(detail, dice)) for detail, dice in pool]
    expected = [
        (place, f"rule-{number}")
        for place, one in enumerate(events)
        for number, match in enumerate(patterns)
        if matches(match, of_envelope(one))
    ]

    with mock.patch.object(asking, "WARM", 1):
        for turn in ("whole", "by excerpts", "remembered"):
            assert hits(judge, events) == expected, turn


BOTH = ({"detail": {"a": ["x"]}}, {"detail": {"b": {"c": [{"prefix": "y"}]}}})
SOME = [event(detail=detail) for detail in ({"a": "x", "z": 1}, {"a": "x", "z": 2}, {"b": {"c": "yes"}}, {"b": {"c": "no"}}, {})]
FOUND = [(0, "rule-0"), (1, "rule-0"), (2, "rule-1")]


@pytest.fixture
def warm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "WARM", 1)


def no_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "of_body", lambda *_: pytest.fail("a document was made"))


@pytest.mark.usefixtures("warm")
def test_no_document_is_made_where_an_excerpt_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    judge = judge_of(*BOTH)
    hits(judge, SOME)
    no_documents(monkeypatch)

    assert hits(judge, SOME) == FOUND


@pytest.mark.usefixtures("warm")
def test_no_pattern_is_asked_twice_about_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    judge = judge_of(*BOTH)
    for _ in range(2):
        hits(judge, SOME)
    monkeypatch.setattr(asking.Asking, "_matching", lambda *_: pytest.fail("a pattern was asked"))

    assert hits(judge, [event(detail={"a": "x", "z": 3}), *SOME[1:]]) == FOUND


def test_nothing_is_decoded_where_the_header_tells_all(monkeypatch: pytest.MonkeyPatch) -> None:
    no_documents(monkeypatch)

    assert hits(judge_of({"source": ["aws.test"]}, {"detail-type": ["Other"]}), SOME) == [(n, "rule-0") for n in range(5)]


def test_a_hit_makes_its_document_when_it_is_asked_for_and_once() -> None:
    judge = make_judge(
        [rule({"source": ["aws.test"]}), rule({"detail-type": ["Test"]}, 1)], lambda fault: pytest.fail(str(fault))
    )

    first, second = judge.hits(batch(SOME[:1]))

    assert first.document == of_envelope(SOME[0])
    assert second.document is first.document


@pytest.mark.usefixtures("warm")
def test_conditions_are_asked_about_the_whole_document_of_every_finding() -> None:
    judge = make_judge([rule({"detail": {"a": ["x"]}}, where="detail.z == 2")], lambda fault: pytest.fail(str(fault)))

    for _ in range(3):
        assert hits(judge, SOME) == [(1, "rule-0")]


@pytest.mark.usefixtures("warm")
def test_a_field_that_stands_in_the_header_is_read_there() -> None:
    judge = judge_of(
        {"detail": {"a": ["x"]}, "finding": {"summary": [{"wildcard": "*"}]}}, {"$or": [{"account": ["1"]}, {"id": ["c1"]}]}
    )

    for _ in range(3):
        assert hits(judge, SOME[:1]) == [(0, "rule-0"), (0, "rule-1")]


@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize(
    "detail",
    [
        '{"a": true}',
        '{"a": [["x"]]}',
        '{"z": ' + "[" * 900 + "]" * 900 + ', "a": "x"}',
        '{"a": {"deep": 1}}',
        '{"a": ["x", {"q": 1}, null]}',
        '{"a": 123456789012345678901234567890}',
    ],
)
def test_what_has_no_key_or_no_excerpt_is_judged_all_the_same(detail: str) -> None:
    patterns: tuple[Any, ...] = (
        {"detail": {"a": ["x", True]}},
        {"detail": {"a": [{"anything-but": 5}]}},
        {"detail": {"a": [{"exists": False}]}},
    )
    judge = judge_of(*patterns)
    one = of_text(detail)
    expected = [(0, f"rule-{number}") for number, match in enumerate(patterns) if matches(match, of_envelope(one))]

    for _ in range(3):
        assert hits(judge, [one, *SOME])[: len(expected) + 1][: len(expected)] == expected


@pytest.mark.usefixtures("warm")
def test_one_and_true_are_told_apart() -> None:
    judge = judge_of({"detail": {"a": [1]}}, {"detail": {"a": [True]}})
    events = [event(detail={"a": value}) for value in (1, True, 1.0, False, 0)]

    for _ in range(3):
        assert hits(judge, events) == [(0, "rule-0"), (1, "rule-1"), (2, "rule-0")]


@pytest.mark.usefixtures("warm")
def test_a_body_that_is_no_json_is_refused_as_without_excerpts() -> None:
    judge = judge_of(*BOTH)
    hits(judge, SOME)

    for _ in range(2):
        with pytest.raises(orjson.JSONDecodeError):
            hits(judge, [of_text('{"a": "\\ud800"}')])


@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb", "ä", "", "a.b"])
def test_a_member_may_have_any_name(name: str) -> None:
    judge = judge_of({"detail": {name: ["x"]}})

    for _ in range(3):
        assert hits(judge, [event(detail={name: "x"}), event(detail={name: "y"})]) == [(0, "rule-0")]


@pytest.mark.usefixtures("warm")
def test_keys_are_given_up_where_they_are_mostly_new(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "TRIED", 5)
    judge = judge_of(*BOTH)
    for number in range(10):
        hits(judge, [event(detail={"a": f"{number}"})])
    monkeypatch.setattr(asking.Asking, "_key", lambda *_: pytest.fail("a key was asked for"))
    monkeypatch.setattr(asking.Memory, "remember", lambda *_: pytest.fail("something was remembered"))
    no_documents(monkeypatch)

    assert hits(judge, SOME) == FOUND


@pytest.mark.usefixtures("warm")
def test_keys_are_kept_where_they_are_mostly_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "TRIED", 10)
    judge = judge_of(*BOTH)
    for number in range(20):
        hits(judge, [event(detail={"a": f"{number}"}), *SOME])

    assert hits(judge, SOME) == FOUND
    assert len(judge._memory.answers) == 4 + 19


@pytest.mark.usefixtures("warm")
def test_excerpts_are_given_up_where_most_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "TRIED", 5)
    judge = judge_of(*BOTH)
    for _ in range(20):
        hits(judge, [event(detail={"a": [["x"]]})])
    monkeypatch.setattr(asking.Asking, "_excerpt", lambda *_: pytest.fail("an excerpt was asked for"))

    assert hits(judge, SOME) == FOUND


@pytest.mark.usefixtures("warm")
def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "REMEMBERED", 3)
    judge = judge_of(*BOTH)
    for number in range(10):
        hits(judge, [event(detail={"a": f"{number}"})])
        assert len(judge._memory.answers) <= 3


@pytest.mark.usefixtures("warm")
def test_long_texts_are_not_remembered() -> None:
    judge = judge_of(*BOTH)
    for length in (10, 10, 300, 300):
        hits(judge, [event(detail={"a": "x" * length})])

    assert len(judge._memory.answers) == 1


def test_findings_are_judged_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "PORTION_BYTES", 600)

    assert hits(judge_of(*BOTH), SOME) == FOUND


@pytest.mark.parametrize(
    "pattern", [{"finding": {"subject": ["x"]}}, {"source": {"a": ["x"]}}, {"$or": [{"id": ["1"]}, {"region": ["x"]}]}]
)
def test_a_pattern_that_looks_at_more_than_the_event_has_no_excerpt(pattern: Any) -> None:
    assert excerpt.looked_at([read(pattern)]) is None


def test_what_is_looked_at_is_the_same_in_any_order() -> None:
    first, second = (
        {"detail": {"a": ["x"], "$or": [{"b": ["y"]}, {"c": {"d": ["z"]}}]}},
        {"detail": {"c": {"d": [1]}, "b": [2], "a": [3]}},
    )

    assert excerpt.looked_at([read(first)]) == excerpt.looked_at([read(second)])
    assert excerpt.looked_at([read(first)]) == (("detail", (("a", ()), ("b", ()), ("c", (("d", ()),)))),)
