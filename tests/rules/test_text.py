"""A rule's document: what it may say, and how every flaw is told with line, field and accepted form."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.marked import Flaw
from consumers.rules import text
from consumers.rules.compiled import compile_rule
from consumers.rules.errors import RuleRefused
from consumers.rules.rule import Example, Rule, Threshold, Version

MINUTE = 60_000_000
LEAST = """\
id: a-rule
title: A rule
severity: high
match:
  source: [aws.test]
"""
MOST = """\
# Everything that a rule may say.
id: many-failures
title: "Failures of {{ detail.user }}"
description: |
  Two
  lines.
severity: CRITICAL
match:
  source: [aws.test]
  time: [{prefix: 2024-05-01}]
  detail: {state: [FAILED, null, true, 012, 1.5e2, yes]}
where: detail.count > 2
group_by: [account, detail.user]
threshold:
  count: 5
  window: 10m
  every: 2m
  distinct: detail.address
late: 2h
resolve:
  detail: {state: [OK]}
labels:
  user: "{{ detail.user }}"
  team: security
examples:
  matching:
    - name: a failure
      event: {source: aws.test}
  not_matching:
    - name: none
      event: {source: aws.test}
"""


def flaws(document: str) -> list[Flaw]:
    with pytest.raises(RuleRefused) as refused:
        text.read(document)
    return list(refused.value.flaws)


def test_the_least_that_a_rule_says() -> None:
    assert text.read(LEAST) == Rule(id="a-rule", title="A rule", severity=3, match={"source": ["aws.test"]})


def test_the_most_that_a_rule_says() -> None:
    assert text.read(MOST) == Rule(
        id="many-failures",
        title="Failures of {{ detail.user }}",
        severity=4,
        match={
            "source": ["aws.test"],
            "time": [{"prefix": "2024-05-01"}],
            "detail": {"state": ["FAILED", None, True, "012", 150.0, "yes"]},
        },
        description="Two\nlines.\n",
        where="detail.count > 2",
        group_by=("account", "detail.user"),
        threshold=Threshold(5, 10 * MINUTE, 2 * MINUTE, "detail.address"),
        late_us=120 * MINUTE,
        resolve={"detail": {"state": ["OK"]}},
        labels={"user": "{{ detail.user }}", "team": "security"},
        matching=(Example("a failure", {"source": "aws.test"}),),
        not_matching=(Example("none", {"source": "aws.test"}),),
    )


@pytest.mark.parametrize("severity", [0, 1, 2, 3, 4])
def test_a_severity_is_a_number_or_a_word(severity: int) -> None:
    word = text.SEVERITIES[severity]

    assert text.read(LEAST.replace("high", str(severity))).severity == severity
    assert text.read(LEAST.replace("high", word.title())).severity == severity


@pytest.mark.parametrize(
    ("given", "threshold"),
    [
        ("{count: 1, window: 10s}", Threshold(1, 10_000_000, 10_000_000)),
        ("{count: 1000, window: 1d}", Threshold(1000, 1440 * MINUTE, 1440 * MINUTE)),
        ("{count: 2, window: 24h, every: 1h}", Threshold(2, 1440 * MINUTE, 60 * MINUTE)),
    ],
)
def test_a_threshold_tumbles_unless_it_says_how_often(given: str, threshold: Threshold) -> None:
    assert text.read(f"{LEAST}threshold: {given}").threshold == threshold


def test_no_lateness_is_a_zero() -> None:
    assert text.read(f"{LEAST}late: 0").late_us == 0


ONE_FLAW: dict[str, tuple[str, int, str, str]] = {
    "an id with capitals": (LEAST.replace("a-rule", "A-Rule"), 1, "id", "3 to 64 lower-case letters"),
    "an id that is a number": (LEAST.replace("a-rule", "1234"), 1, "id", "3 to 64 lower-case letters"),
    "no id": (LEAST.replace("id: a-rule\n", ""), 1, "id", "is missing: 3 to 64"),
    "a short title": (LEAST.replace("A rule", "A"), 2, "title", "3 to 200 characters"),
    "a long title": (LEAST.replace("A rule", "A" * 201), 2, "title", "3 to 200 characters"),
    "an object for a title": (LEAST.replace("A rule", "{{ x }}"), 2, "title", "the name of a field is text; text with {{ braces"),
    "braces and more for a title": (
        LEAST.replace("A rule", "{{ x }} failed"),
        2,
        "",
        "no YAML: did not find expected key; text with {{",
    ),
    "no title": (LEAST.replace("title: A rule\n", ""), 1, "title", "is missing: 3 to 200"),
    "a title that calls": (LEAST.replace("A rule", '"{{ detail() }}"'), 2, "title", "call is not accepted"),
    "a severity that is none": (
        LEAST.replace("high", "urgent"),
        3,
        "severity",
        "one of unknown, low, medium, high, critical, or 0 to 4",
    ),
    "a severity too high": (LEAST.replace("high", "5"), 3, "severity", "one of unknown"),
    "a true severity": (LEAST.replace("high", "true"), 3, "severity", "one of unknown"),
    "no severity": (LEAST.replace("severity: high\n", ""), 1, "severity", "is missing: one of"),
    "no pattern": (LEAST.split("match", maxsplit=1)[0], 1, "match", "is missing: an event pattern"),
    "a bad pattern": (
        LEAST + "  detail:\n    a:\n      - x\n      - prefix: 1\n",
        9,
        "match.detail.a.1.prefix",
        "text is needed",
    ),
    "an empty pattern": (LEAST.split("match", maxsplit=1)[0] + "match: {}", 4, "match", "an empty object matches nothing"),
    "a pattern of null": (LEAST.split("match", maxsplit=1)[0] + "match:", 4, "match", "a pattern is an object"),
    "a bad resolve": (LEAST + "resolve: {source: x}", 6, "resolve.source", "a field has an array"),
    "a bad condition": (LEAST + "where: nope", 6, "where", "CEL, column 1: undeclared reference to 'nope'"),
    "a condition that is no text": (LEAST + "where: true", 6, "where", "a CEL expression"),
    "an empty condition": (LEAST + "where: ''", 6, "where", "a CEL expression"),
    "an unknown function": (LEAST + "python: nope", 6, "python", "no function 'nope' is registered under findstream.rules"),
    "a long description": (LEAST + f"description: {'x' * 4001}", 6, "description", "text of at most 4,000"),
    "groups that are no array": (LEAST + "group_by: account", 6, "group_by", "an array of at most 8 paths"),
    "too many groups": (LEAST + f"group_by: {[f'detail.{n}' for n in range(9)]}", 6, "group_by", "an array of at most 8"),
    "a path from nowhere": (
        LEAST + "group_by:\n- account\n- foo.bar",
        8,
        "group_by.1",
        "a path of names with dots, as detail.source",
    ),
    "a path with a gap": (LEAST + "group_by: [detail..x]", 6, "group_by.0", "a path of names"),
    "a path twice": (LEAST + "group_by: [account, account]", 6, "group_by", "a path stands twice"),
    "a threshold that is a number": (LEAST + "threshold: 5", 6, "threshold", "an object: {count: 5, window: 10m}"),
    "a count of none": (LEAST + "threshold: {count: 0, window: 1m}", 6, "threshold.count", "a whole number from 1 to 1,000"),
    "no count": (LEAST + "threshold: {window: 1m}", 6, "threshold.count", "a whole number"),
    "no window": (
        LEAST + "threshold: {count: 1}",
        6,
        "threshold.window",
        "is missing: a number and s, m, h or d, as 10m; from 10s to 1d",
    ),
    "a short window": (LEAST + "threshold: {count: 1, window: 9s}", 6, "threshold.window", "a number and s, m, h or d"),
    "a long window": (LEAST + "threshold: {count: 1, window: 25h}", 6, "threshold.window", "a number and s, m, h or d"),
    "a window without a unit": (LEAST + "threshold: {count: 1, window: 10}", 6, "threshold.window", "a number and s, m, h or d"),
    "an odd hop": (
        LEAST + "threshold:\n  count: 1\n  window: 10m\n  every: 3m",
        9,
        "threshold.every",
        "the window, or a part of it",
    ),
    "a hop too short": (
        LEAST + "threshold: {count: 1, window: 10m, every: 20s}",
        6,
        "threshold.every",
        "the window, or a part of it",
    ),
    "an unknown part": (
        LEAST + "threshold: {count: 1, window: 1m, over: 1}",
        6,
        "threshold.over",
        "no such field; there are count",
    ),
    "distinct from nowhere": (
        LEAST + "threshold: {count: 1, window: 1m, distinct: x}",
        6,
        "threshold.distinct",
        "a path of names",
    ),
    "lateness too long": (LEAST + "late: 8d", 6, "late", "a number and s, m, h or d, as 10m; from 0s to 7d"),
    "labels that are no object": (LEAST + "labels: [x]", 6, "labels", "an object of at most 32 names"),
    "too many labels": (LEAST + "labels:\n" + "".join(f"  l{n}: x\n" for n in range(33)), 6, "labels", "an object of at most 32"),
    "a label that is a number": (LEAST + "labels: {a: 1}", 6, "labels.a", "text, in quotes"),
    "a bad label": (LEAST + 'labels: {a: "{{ x }}"}', 6, "labels.a", "no such name: x"),
    "a bad name of a label": (LEAST + 'labels: {"a b": x}', 6, "labels.a b", "a name is letters, digits"),
    "examples that are an array": (LEAST + "examples: []", 6, "examples", "an object with the arrays matching"),
    "unknown examples": (LEAST + "examples: {good: []}", 6, "examples.good", "no such field; there are matching, not_matching"),
    "examples that are an object": (LEAST + "examples: {matching: {}}", 6, "examples.matching", "an array of examples"),
    "an example that is text": (
        LEAST + "examples:\n  matching:\n  - x",
        8,
        "examples.matching.0",
        "an example has a name and an event",
    ),
    "an example without an event": (
        LEAST + "examples: {matching: [{name: x}]}",
        6,
        "examples.matching.0",
        "an example has a name",
    ),
    "an example without a name": (
        LEAST + "examples: {not_matching: [{name: 1, event: {}}]}",
        6,
        "examples.not_matching.0.name",
        "text that says",
    ),
    "an unknown field": (LEAST + "matches: {}", 6, "matches", "no such field; there are id, title, description, severity, match"),
    "a field twice": (LEAST + "id: b-rule", 6, "id", "the field stands twice"),
    "an array": ("- x", 1, "", "a rule is an object with the fields id, title"),
    "nothing": ("", 1, "", "a rule is an object"),
    "no YAML": (LEAST + "where: [", 7, "", "no YAML: "),
    "no text": ("id: \x00", 0, "", "no YAML: "),
    "half a character": (LEAST + "description: \ud800", 0, "", "the text holds what is no Unicode character"),
    "an anchor": (LEAST + "late: &x 1h", 6, "", "anchors and aliases are not accepted"),
    "an alias": ("a: &x 1\nb: *x", 1, "", "anchors and aliases are not accepted"),
    "a tag": (LEAST + "late: !!str 1h", 6, "", "tags are not accepted"),
    "a tagged object": ("!!python/object:os.system {}", 1, "", "tags are not accepted"),
    "a nest": (LEAST + "where: " + "[" * 101, 6, "", "nested more than 100 levels deep"),
    "a huge number": (LEAST + f"late: {'9' * 5000}", 6, "late", "the number is too large"),
    "a huge whole number": (LEAST + "late: 9223372036854775808", 6, "late", "the number is too large"),
    "an endless number": (LEAST + "late: 1e999", 6, "late", "the number is too large"),
    "too long a document": (LEAST + "#" * 65_536, 0, "", "a rule has at most 65,536 characters"),
    "two documents": (LEAST + "---\n" + LEAST, 6, "", "no YAML: "),
}


@pytest.mark.parametrize("name", ONE_FLAW)
def test_a_flaw_names_line_field_and_form(name: str) -> None:
    document, line, field, reason = ONE_FLAW[name]

    (flaw,) = flaws(document)

    assert (flaw.line, flaw.field) == (line, field), flaw
    assert flaw.reason.startswith(reason), flaw


def test_all_flaws_are_told_at_once_in_order_of_their_lines() -> None:
    found = flaws("severity: 9\nid: A\nwhere: 1 +\ntitle: x\nnope: 1\n")

    assert [(flaw.line, flaw.field) for flaw in found] == [
        (1, "match"),
        (1, "severity"),
        (2, "id"),
        (3, "where"),
        (4, "title"),
        (5, "nope"),
    ]


def test_a_flaw_reads_as_a_sentence() -> None:
    with pytest.raises(RuleRefused, match=r"^line 1, id: 3 to 64 lower-case"):
        text.read(LEAST.replace("a-rule", "A"))
    assert str(Flaw(0, "", "it is wrong")) == "the document: it is wrong"
    assert str(Flaw(3, "", "it is wrong")) == "line 3: it is wrong"
    assert str(Flaw(0, "late", "it is wrong")) == "late: it is wrong"


@pytest.mark.parametrize("value", [{}, {"a": 1}, []])
def test_an_event_of_an_example_may_be_any_object(value: Any) -> None:
    document = f"{LEAST}examples: {{matching: [{{name: x, event: {value}}}]}}"
    if isinstance(value, dict):
        assert text.read(document).matching[0].event == value
    else:
        assert flaws(document)


WORDS = st.sampled_from(
    [
        *MOST.split("\n"),
        "- x",
        "? y",
        "{",
        "[",
        "]",
        "}",
        ":",
        "'",
        '"',
        "&a",
        "*a",
        "!!str",
        "---",
        "\t",
        "  ",
        "1e999",
        "~",
        "{{",
        "\x85",
    ]
)


@given(st.text(max_size=200) | st.lists(WORDS, max_size=30).map("\n".join) | st.lists(WORDS, max_size=12).map(" ".join))
def test_whatever_the_text_is_it_is_a_rule_or_refused(document: str) -> None:
    with suppress(RuleRefused):
        compile_rule(Version(text.read(document), number=1))
