"""Conditions in CEL: what they may name, how they fail, and what they cost at most."""

from typing import Any

import pytest

from consumers.rules import conditions
from consumers.rules.checking import document_of
from consumers.rules.errors import ExpressionRefused, RuleThrew


def seen(**detail: Any) -> dict[str, Any]:
    return {
        **document_of({"source": "aws.test", "detail-type": "Test", "detail": {}, "resources": ["r1", "r2"]}),
        "detail": detail,
    }


@pytest.mark.parametrize(
    "expression",
    [
        'source == "aws.test" && account == "111122223333" && region.startsWith("eu-")',
        'detail_type == "Test" && "r2" in resources && size(resources) == 2',
        "detail.count == 3 && detail.count == 3.0 && detail.count > 2",
        'detail["a-b"].exists(item, item.name == "x")',
        "!has(detail.missing) && has(detail.count)",
        "!has(detail.missing) || detail.missing == 1",
        "finding.severity >= 0",
        'detail.text.matches("^a.*z$")',
        'timestamp(time) < timestamp("2030-01-01T00:00:00Z")',
        'id != ""',
        'detail["a-b"].map(item, item.name).exists(name, name == "x")',
        "detail.nothing == null",
        'dyn(detail.deep["er"]).all(item, item > 0)',
    ],
)
def test_an_expression_reads_the_document(expression: str) -> None:
    document = seen(
        **{"count": 3, "a-b": [{"name": "y"}, {"name": "x"}], "text": "a to z", "nothing": None, "deep": {"er": [1, 2]}}
    )

    assert conditions.compiled(expression)(document) is True


def test_an_expression_may_not_hold() -> None:
    assert conditions.compiled("detail.count > 3")(seen(count=3)) is False


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("detial.count > 3", "CEL, column 7: undeclared reference to 'detial.count'; names are source, account, region"),
        ("detail.count ==", "CEL, column 16: Syntax error"),
        ("true &&\n nosuch(detail)", "CEL, line 2, column 8: undeclared reference to 'nosuch'"),
        ("1 + 1", "a condition is true or false; this is of type INT"),
        ('source + 1 == "x"', "CEL, column 8: found no matching overload"),
        ("[" * 3000, "CANCELLED: Expression recursion limit exceeded"),
        ("source == '\ud800'", "compile(): incompatible function arguments"),
        ("", "CEL, column 1: Syntax error"),
        ("true && " * 600 + "true", "a condition has at most 4,096 characters"),
        ("[detail.a].map(x, x + x).map(x, x + x).exists(x, x == 1)", "map stands more than once"),
    ],
)
def test_a_bad_expression_is_refused_with_its_place(expression: str, message: str) -> None:
    with pytest.raises(ExpressionRefused) as refused:
        conditions.compiled(expression)

    assert str(refused.value).startswith(message)


@pytest.mark.parametrize(
    ("expression", "detail", "message"),
    [
        ("detail.a.b == 1", {}, 'NOT_FOUND: Key not found in map : "a"'),
        ("detail.a > 1", {"a": "secret"}, "UNKNOWN: No matching overloads found : _>_(string, int64)"),
        ("detail.a", {"a": 1}, "the condition is neither true nor false"),
        ("detail.a", {"a": "secret"}, "the condition is neither true nor false"),
        ("detail.a == 1", {"a": 2**64}, "INVALID_ARGUMENT: Integer value … out of range"),
        ("1 / detail.a == 1", {"a": 0}, "INVALID_ARGUMENT: divide by zero"),
        ("detail.l.all(x, detail.l.all(y, x + y >= 0))", {"l": list(range(200))}, "INTERNAL: Iteration budget exceeded"),
    ],
)
def test_an_expression_that_fails_says_why_without_values(expression: str, detail: Any, message: str) -> None:
    holds = conditions.compiled(expression)

    with pytest.raises(RuleThrew) as threw:
        holds(seen(**detail))

    assert str(threw.value).startswith(message)
    assert "secret" not in str(threw.value)
