"""Titles and labels: values of the document, and nothing that could do anything."""

from typing import Any

import pytest

from consumers.rules import templates
from consumers.rules.checking import document_of
from consumers.rules.errors import ExpressionRefused, RuleThrew

DETAIL: dict[str, Any] = {
    "user": "maria",
    "count": 3,
    "ratio": 0.5,
    "yes": True,
    "nothing": None,
    "list": ["a", "b"],
    "objects": [{"name": "first"}, {"name": "second"}],
    "status-details": {"status": "FAILED"},
    "lines": "one\n\ttwo\x1b[31m",
    "items": "a key that dicts have a method for",
    "__class__": "a key as any other",
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("plain text", "plain text"),
        ("{{ detail.user }} in {{ account }} ({{ region }})", "maria in 111122223333 (eu-central-1)"),
        ("{{ detail_type }} {{ finding.kind }}", "Test generic"),
        ("{{ detail.count }} {{ detail.ratio }} {{ detail.yes }} [{{ detail.nothing }}]", "3 0.5 true []"),
        ("{{ detail.list }} {{ detail.list.0 }} {{ detail.list | last }} [{{ detail.list[7] }}]", "a, b a b []"),
        ("{{ detail.objects.1.name }} {{ detail.objects }}", 'second [{"name":"first"},{"name":"second"}]'),
        ('{{ detail["status-details"].status | lower }}', "failed"),
        ("[{{ detail.a.b.c }}] {{ detail.a.b or detail.user }}", "[] maria"),
        ('{{ detail.a | default("nobody") }} {{ detail.user | upper | truncate(3) }}', "nobody MARIA"),
        ("{{ detail.list | join('-') }} {{ detail.list | length }}", "a-b 2"),
        ("{{ detail.lines }}", "one two [31m"),
        ("{{ detail.items }} {{ detail.__class__ }}", "a key that dicts have a method for a key as any other"),
        ("[{{ detail.keys }}] [{{ detail.user.upper }}] [{{ detail.list.append }}] [{{ detail.user.__len__ }}]", "[] [] [] []"),
        ("  {{ detail.user }}  ", "maria"),
        ("{{ detail.user['x'] }}{{ detail['user'] }}", "maria"),
    ],
)
def test_a_template_tells_values(template: str, text: str) -> None:
    document = document_of({"source": "aws.test", "detail-type": "Test", "detail": DETAIL})

    assert templates.compiled(template)(document) == text


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ detail.user() }}", "call is not accepted in a template; only names, members"),
        ("{% for x in detail %}{{ x }}{% endfor %}", "for is not accepted in a template"),
        ("{% set x = 1 %}", "assign is not accepted in a template"),
        ("{% include 'x' %}", "include is not accepted in a template"),
        ("{{ 1 + detail.count }}", "add is not accepted in a template"),
        ("{{ 'x' * 999999999 }}", "mul is not accepted in a template"),
        ("{{ detail.list[0:1] }}", "slice is not accepted in a template"),
        ("{{ detail.a if detail.b }}", "condexpr is not accepted in a template"),
        ("{{ detail is defined }}", "test is not accepted in a template"),
        ("{{ [detail] }}", "list is not accepted in a template"),
        ("{{ detail.list[-1] }}", "neg is not accepted in a template"),
        ("{{ foo.bar }}", "no such name: foo; there are source, account"),
        ("{{ self }}", "no such name: self"),
        ("{{ detail | tojson }}", "no such filter: tojson; there are default, first"),
        ("{{ detail | attr('x') }}", "no such filter: attr; there are default, first"),
        ("{{ detail.a ", "the template cannot be read"),
        ("{{ detail.user | truncate(length=5) }}", "keyword is not accepted in a template"),
        ("x" * 1001, "a template has at most 1,000 characters"),
    ],
)
def test_a_template_that_could_do_more_is_refused(template: str, message: str) -> None:
    with pytest.raises(ExpressionRefused) as refused:
        templates.compiled(template)

    assert str(refused.value).startswith(message)


@pytest.mark.parametrize(
    "template", ["{{ detail.count | join }}", "{{ detail.count | length }}", "{{ detail.user | truncate('x') }}"]
)
def test_a_filter_that_does_not_fit_the_value_is_told(template: str) -> None:
    document = document_of({"source": "aws.test", "detail-type": "Test", "detail": DETAIL})

    with pytest.raises(RuleThrew, match="the template failed: TypeError"):
        templates.compiled(template)(document)


def test_what_is_joined_stays_about_as_long_as_the_finding() -> None:
    document = document_of({"source": "aws.test", "detail-type": "Test", "detail": {"text": "x" * 20_000}})

    told = templates.compiled("{{ detail.text | join(detail.text) | join(detail.text) }}")(document)

    assert len(told) < 200_000


def test_members_are_joined() -> None:
    document = document_of({"source": "aws.test", "detail-type": "Test", "detail": DETAIL})

    assert templates.compiled("{{ detail.objects | join(', ', 'name') }}")(document) == "first, second"
