"""A compiled version: what it matches, by what it groups and counts, and what it says."""

from collections.abc import Iterator
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from consumers.rules import compiled
from consumers.rules.checking import document_of
from consumers.rules.compiled import CompiledRule, compile_rule
from consumers.rules.errors import ExpressionRefused, PatternRefused, RuleThrew
from consumers.rules.matching import Compiled, Document
from consumers.rules.rule import Rule, Threshold, Version


def rule(**more: Any) -> CompiledRule:
    given: dict[str, Any] = {"id": "a-rule", "title": "A rule", "severity": 3, "match": {"source": ["aws.test"]}} | more
    return compile_rule(Version(Rule(**given), number=2))


def seen(**detail: Any) -> Document:
    return document_of({"source": "aws.test", "detail-type": "Test", "detail": detail})


def test_a_rule_matches_if_pattern_and_condition_do() -> None:
    made: Compiled = rule(where="detail.count > 2")

    assert made.matches(seen(count=3))
    assert not made.matches(seen(count=2))
    assert not made.matches({**seen(count=3), "source": "aws.other"})
    assert made.version.number == 2


def test_the_condition_is_asked_only_where_the_pattern_matches() -> None:
    assert not rule(match={"source": ["aws.other"]}, where="detail.missing.x == 1").matches(seen())


def test_what_resolves_needs_no_match() -> None:
    made = rule(resolve={"detail": {"state": ["OK"]}})

    assert made.resolves(seen(state="OK"))
    assert not made.resolves(seen(state="ALARM"))
    assert not rule().resolves(seen(state="OK"))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("account", "111122223333"),
        ("detail-type", "Test"),
        ("detail.user.name", "maria"),
        ("detail.count", "3"),
        ("detail.ratio", "0.5"),
        ("detail.yes", "true"),
        ("detail.list", "a"),
        ("detail.list.1", "b"),
        ("detail.objects.name", "first"),
        ("detail.objects.1.name", "second"),
        ("detail.nested", "deep"),
        ("detail.empty", ""),
        ("finding.severity", "0"),
        ("detail.long", "x" * 1000),
    ],
)
def test_a_path_leads_to_a_value_as_text(path: str, value: str) -> None:
    document = seen(
        user={"name": "maria"},
        count=3,
        ratio=0.5,
        yes=True,
        list=["a", "b"],
        nested=[["deep"]],
        empty="",
        long="x" * 1001,
        objects=[{"name": "first"}, {"name": "second"}],
    )

    assert rule(group_by=(path,)).group(document) == (value,)
    assert rule(threshold=Threshold(2, 60, 60, path)).distinct(document) == value


@pytest.mark.parametrize(
    "path", ["detail.missing", "detail.none", "detail.object", "detail.nothing", "detail.list.9", "detail.text.x"]
)
def test_a_path_without_a_value_groups_nothing(path: str) -> None:
    document = seen(none=None, object={"a": 1}, nothing=[], list=["a"], text="x")

    assert rule(group_by=("account", path)).group(document) is None
    assert rule(threshold=Threshold(2, 60, 60, path)).distinct(document) is None


def test_without_paths_there_is_one_group_and_nothing_to_tell_apart() -> None:
    assert rule().group(seen()) == ()
    assert rule().distinct(seen()) is None
    assert rule(threshold=Threshold(2, 60, 60)).distinct(seen()) is None


def test_a_title_is_never_empty_nor_too_long() -> None:
    assert rule(title="{{ detail.user }}").title(seen(user="maria")) == "maria"
    assert rule(title="{{ detail.user }}").title(seen()) == "a-rule"
    assert rule(title="{{ detail.user }}").title(seen(user="x" * 400)) == "x" * 299 + "…"


def test_labels_that_come_out_empty_are_left_out() -> None:
    made = rule(labels={"user": "{{ detail.user }}", "team": "security", "long": "{{ detail.long }}"})

    assert made.labels(seen(long="x" * 2000)) == {"team": "security", "long": "x" * 1000}


def test_what_cannot_be_compiled_is_refused() -> None:
    with pytest.raises(PatternRefused):
        rule(match={"source": "aws.test"})
    with pytest.raises(ExpressionRefused):
        rule(where="nope")


def counts_three(document: Document) -> bool:
    return bool(document["detail"]["count"] == 3)


def throws_on_purpose(_: Document) -> bool:
    message = "on purpose"
    raise RuleThrew(message)


@pytest.fixture
def functions(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    points = [
        EntryPoint(name.replace("_", "-"), f"{__name__}:{name}", compiled.GROUP)
        for name in ("counts_three", "throws_on_purpose", "not_there")
    ]
    monkeypatch.setattr(compiled, "entry_points", lambda group: points if group == "findstream.rules" else [])
    compiled._entry_points.cache_clear()
    yield
    compiled._entry_points.cache_clear()


@pytest.mark.usefixtures("functions")
def test_a_registered_function_decides_after_pattern_and_condition() -> None:
    made = rule(python="counts-three", where='account == "111122223333"')

    assert made.matches(seen(count=3))
    assert not made.matches(seen(count=4))


@pytest.mark.usefixtures("functions")
def test_a_function_that_raises_threw() -> None:
    with pytest.raises(RuleThrew, match="the function raised KeyError"):
        rule(python="counts-three").matches(seen())
    with pytest.raises(RuleThrew, match="on purpose"):
        rule(python="throws-on-purpose").matches(seen())


@pytest.mark.usefixtures("functions")
def test_a_function_that_nobody_registered_is_refused() -> None:
    with pytest.raises(ExpressionRefused, match=r"no function 'other' .* \(counts-three, not-there, throws-on-purpose\)"):
        rule(python="other")


@pytest.mark.usefixtures("functions")
def test_a_function_that_cannot_be_loaded_is_refused() -> None:
    with pytest.raises(ExpressionRefused, match="'not-there' cannot be loaded: AttributeError"):
        rule(python="not-there")


def test_without_any_function_the_refusal_says_so() -> None:
    with pytest.raises(ExpressionRefused, match="none is installed"):
        rule(python="other")
