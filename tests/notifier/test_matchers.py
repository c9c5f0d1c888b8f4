"""Matchers as text: what they match, and what is answered to what is none."""

import re
from contextlib import suppress
from fnmatch import fnmatchcase
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.notifier.errors import MatcherRefused
from consumers.notifier.routing import matchers


def holds(text: str, value: str | None) -> bool:
    matcher = matchers.read(text)
    return matcher.matches({} if value is None else {matcher.field: value})


@pytest.mark.parametrize(
    ("text", "matched", "others"),
    [
        ("source=aws.s3", ["aws.s3"], ["aws.s3x", "aws_s3", "AWS.S3", "", None]),
        ("source=aws.*", ["aws.s3", "aws."], ["aws", "monitoring.aws.s3"]),
        ("source=*", ["x", "", None, "two\nlines"], []),
        ("source=aws.*|monitoring.?", ["aws.s3", "monitoring.x"], ["monitoring.xy"]),
        ("account=1|2 | 3", ["1", "2", "3"], ["1|2", " 3", "4"]),
        ("account=", ["", None], ["1"]),
        ("account!=", ["1"], ["", None]),
        ("account!=1|2", ["3", "", None], ["1", "2"]),
        ("source!=aws.*", ["x"], ["aws.s3"]),
        (r"resource=a\*b\|c\\", ["a*b|c\\"], ["axb|c\\"]),
        (r"resource=\*\?*", ["*?", "*?x"], ["x?", "*xx"]),
        ("resource=[ab]*", ["[ab]", "[ab]x"], ["a", "ax"]),
        ("resource=!a*", ["!a"], ["b"]),
        (r"resource=\ a ", [" a"], ["a"]),
        ("label.team=core", ["core"], ["infra", None]),
        ("group.detail.user=x=y", ["x=y"], ["x"]),
        ("severity=HIGH", ["HIGH"], ["CRITICAL", "", None]),
        ("severity=high|critical", ["HIGH", "CRITICAL"], ["LOW"]),
        ("severity!=LOW", ["HIGH", "UNKNOWN", None], ["LOW"]),
        ("severity>=HIGH", ["HIGH", "CRITICAL"], ["MEDIUM", "", None]),
        ("severity>high", ["CRITICAL"], ["HIGH"]),
        ("severity<=LOW", ["LOW", "UNKNOWN"], ["MEDIUM", None]),
        ("severity<LOW", ["UNKNOWN"], ["LOW"]),
        ("  severity  >=  HIGH  ", ["HIGH"], ["LOW"]),
    ],
)
def test_a_matcher(text: str, matched: list[str | None], others: list[str | None]) -> None:
    assert [value for value in matched if not holds(text, value)] == []
    assert [value for value in others if holds(text, value)] == []


def test_a_matcher_keeps_the_text_of_its_author_and_equals_another_of_the_same_text() -> None:
    assert matchers.read(" source = aws.* ").text == " source = aws.* "
    assert matchers.read("source=aws.*") == matchers.read("source=aws.*")
    assert [one.field for one in matchers.read_all(["source=a", "label.x=b"])] == ["source", "label.x"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a matcher is FIELD=VALUE or FIELD!=VALUE"),
        ("source", "a matcher is FIELD=VALUE"),
        ("=x", "a matcher is FIELD=VALUE"),
        ("source=" + "x" * 2048, "at most 2,048 characters"),
        ("sevrity=HIGH", "no such field as 'sevrity'; there are type, source, kind, severity,"),
        ("label.=x", "no such field as 'label.'"),
        ("label=x", "no such field as 'label'"),
        ("source=~x", "there is no operator =~"),
        ("source==x", "there is no operator =="),
        ('source="aws.*"', "write the value without them"),
        ("source>=x", "only severity has an order"),
        ("severity=HIHG", "asks for one or more, with | between them, of UNKNOWN, LOW, MEDIUM, HIGH, CRITICAL"),
        ("severity=", "asks for one or more"),
        ("severity=H*", "asks for one or more"),
        ("severity>=HIGH|LOW", "severity>= asks for one of UNKNOWN"),
        ("source=x\\", "the value ends with a backslash"),
    ],
)
def test_what_is_no_matcher_is_answered_with_the_accepted_form(text: str, message: str) -> None:
    with pytest.raises(MatcherRefused, match=re.escape(message)):
        matchers.read(text)


@given(st.lists(st.text("ab*?", max_size=6), min_size=1, max_size=3), st.text("ab", max_size=6))
def test_alternatives_are_shell_patterns(patterns: list[str], value: str) -> None:
    assert holds(f"source={'|'.join(patterns)}", value) is any(fnmatchcase(value, pattern) for pattern in patterns)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_any_text_can_be_matched_as_it_is(value: str) -> None:
    escaped = re.sub(r"(.)", r"\\\1", value, flags=re.DOTALL)

    assert holds(f"source={escaped}", value)
    assert holds(f"source={escaped}*", f"{value}x")
    assert not holds(f"source={escaped}", f"{value}x")


@given(st.text(max_size=40))
def test_any_text_is_a_matcher_or_refused(text: str) -> None:
    with suppress(MatcherRefused):
        matchers.read(text).matches({"source": text})


def test_no_pattern_takes_long() -> None:
    began = perf_counter()

    assert not holds(f"source={'*a' * 1000}b", "a" * 2048)
    assert perf_counter() - began < 5
