"""The indexed judge finds what asking every rule about every finding finds, asks as little as it can, and stops for no rule."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.rules import document
from consumers.rules import judge as judging
from consumers.rules.compiled import CompiledRule, compile_rule
from consumers.rules.document import of_envelope
from consumers.rules.errors import RuleThrew
from consumers.rules.judge import make_judge
from consumers.rules.matching import Document, Fault, Hit
from consumers.rules.rule import Rule, Version
from schemas.envelope import Envelope
from tests.rules.batches import batch, event, of_item, sample
from tests.rules.reference import matches

FINDINGS = 300


def rule(match: Any, number: int = 0, **more: Any) -> CompiledRule:
    return compile_rule(Version(Rule(id=f"rule-{number}", title="A rule", severity=3, match=match, **more), number=1))


def no_fault(fault: Fault) -> None:
    pytest.fail(str(fault))


def found(
    rules: Sequence[Any], events: Sequence[Envelope], indices: Sequence[int] | None = None
) -> list[tuple[int, str, bool, bool]]:
    hits = make_judge(rules, no_fault).hits(batch(events), indices)
    return [(hit.place, hit.rule.version.rule.id, hit.matched, hit.resolved) for hit in hits]


def by_asking_all(rules: Sequence[CompiledRule], events: Sequence[Envelope]) -> list[tuple[int, str, bool, bool]]:
    hits = []
    for place, one in enumerate(events):
        if one.type == "finding.observed":
            for each in rules:
                document = of_envelope(one)
                if (matched := each.matches(document)) | (resolved := each.resolves(document)):
                    hits.append((place, each.version.rule.id, matched, resolved))
    return hits


def paths(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, (*path, key))
    elif isinstance(value, list):
        for inner in value:
            yield from paths(inner, path)
    else:
        yield path, value


LEAVES = sorted(
    {
        (path, value)
        for one in sample(FINDINGS)
        if one.type == "finding.observed"
        for path, value in paths(of_envelope(one))
        if isinstance(value, str) and len(value) < 60 and "$or" not in path
    }
)
HEADS = sorted(
    {leaf for leaf in LEAVES if leaf[0] in {("source",), ("detail-type",), ("account",), ("region",), ("finding", "kind")}}
)


def wanted(value: str, how: int) -> Any:
    return (
        value,
        value,
        {"prefix": value[:3]},
        {"anything-but": value},
        {"wildcard": f"{value[:2].replace('*', '').replace(chr(92), '')}*"},
        {"exists": False},
    )[how]


def nested(path: Sequence[str], leaf: Any) -> dict[str, Any]:
    return {path[0]: nested(path[1:], leaf) if len(path) > 1 else leaf}


def merged(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    out = dict(first)
    for key, value in second.items():
        there = out.get(key)
        out[key] = merged(there, value) if isinstance(there, dict) and isinstance(value, dict) else there or value
    return out


FIELDS = st.tuples(st.sampled_from(HEADS) | st.sampled_from(LEAVES), st.integers(0, 5), st.sampled_from(LEAVES)).map(
    lambda drawn: nested(drawn[0][0], [wanted(drawn[0][1], drawn[1]), drawn[2][1]])
)
SEVERITY = st.integers(0, 4).map(lambda level: {"finding": {"severity": [{"numeric": [">=", level]}]}})
PATTERNS = st.lists(FIELDS | SEVERITY, min_size=1, max_size=3).map(
    lambda parts: merged(parts[0], merged(*(parts[1:] * 2)[:2]) if parts[1:] else {})
)
RULES = st.lists(st.tuples(PATTERNS, st.none() | PATTERNS), min_size=1, max_size=12)


@pytest.mark.long
@given(RULES, st.integers(0, FINDINGS - 20))
def test_hits_are_those_of_the_reference_asked_for_every_rule_and_finding(drawn: Any, begin: int) -> None:
    rules = [rule(match, number, resolve=resolve) for number, (match, resolve) in enumerate(drawn)]
    events = sample(FINDINGS)[begin : begin + 20]
    expected = []
    for place, one in enumerate(events):
        document = of_envelope(one) if one.type == "finding.observed" else {}
        for number, (match, resolve) in enumerate(drawn if document else ()):
            matched, resolved = matches(match, document), bool(resolve and matches(resolve, document))
            expected += [(place, f"rule-{number}", matched, resolved)] if matched or resolved else []

    assert found(rules, events) == expected


def test_many_rules_with_one_field_in_common_are_found_by_their_texts() -> None:
    rules = [rule({"detail": {"eventName": [f"Call{number}"]}}, number) for number in range(20)]
    rules.append(rule({"detail": {"eventName": [{"prefix": "Call"}]}}, 20))
    events = [event(detail={"eventName": name}) for name in ("Call3", ["Call4", "Call5"], 7, {"a": "Call6"}, None)]

    assert [(place, name) for place, name, *_ in found(rules, events)] == [
        (0, "rule-3"),
        (0, "rule-20"),
        (1, "rule-4"),
        (1, "rule-5"),
        (1, "rule-20"),
    ]
    assert found(rules, events) == by_asking_all(rules, events)


def test_many_rules_with_a_field_further_in_are_found_where_the_way_leads_elsewhere() -> None:
    rules = [rule({"detail": {"user": {"name": [f"u{number}"]}}}, number) for number in range(5)]
    rules += [
        rule({"detail": {"user": {"name": [{"exists": True}]}, "n": [{"numeric": [">", number]}]}}, number)
        for number in range(5, 8)
    ]
    users: Sequence[Any] = ("u1", {"name": "u1"}, [{"name": "u1"}, {"name": "u2"}], {"name": {"x": "u1"}}, {"name": 6}, None)
    events = [event(detail={"user": user, "n": 6.5}) for user in users]

    assert found(rules, events) == by_asking_all(rules, events)
    assert found(rules, events)


def test_a_judge_judges_batch_after_batch() -> None:
    judge = make_judge([rule({"source": ["aws.test"]})], no_fault)

    assert [len(list(judge.hits(batch([event(), event(source="aws.other")])))) for _ in range(2)] == [1, 1]


def test_indices_choose_findings_and_their_order_is_kept() -> None:
    events = [event(id=str(number)) for number in range(5)]

    assert [place for place, *_ in found([rule({"source": ["aws.test"]})], events, [1, 3, 4])] == [1, 3, 4]


def test_other_types_of_event_are_passed_over() -> None:
    others = [one for one in sample(FINDINGS) if one.type != "finding.observed"]

    assert others
    assert found([rule({"source": [{"exists": True}]})], others) == []


def test_a_rule_that_matches_and_resolves_by_one_finding_is_one_hit() -> None:
    both = rule({"source": ["aws.test"]}, resolve={"detail": {"state": ["OK"]}})

    assert found([both], [event(detail={"state": "OK"}), event()]) == [(0, "rule-0", True, True), (1, "rule-0", True, False)]


class Untouched(Sequence[bytes]):
    """Bodies that nobody may ask for."""

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: Any) -> Any:
        pytest.fail("a body was asked for")


def test_no_body_is_touched_where_the_header_decides() -> None:
    findings = replace(batch([event()]), bodies=Untouched())
    rules = [
        rule({"source": ["aws.other"]}),
        rule({"account": [{"anything-but": "111122223333"}]}),
        rule({"region": [{"prefix": "us-"}]}),
        rule({"finding": {"severity": [4]}}),
    ]

    assert list(make_judge(rules, no_fault).hits(findings)) == []


def test_no_body_is_parsed_where_its_beginning_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = [rule({"detail-type": ["Other"]}), rule({"finding": {"kind": ["guardduty"]}}), rule({"finding": {"form": ["asff"]}})]
    monkeypatch.setattr(document, "of_body", lambda *_: pytest.fail("a document was made"))

    assert found(rules, [event()]) == []


@pytest.mark.parametrize(
    "order", [("facts", "raw", "kind", "form", "detail_type"), ("kind", "form", "facts", "raw", "detail_type")]
)
def test_a_body_that_begins_otherwise_is_read_as_well(order: Sequence[str]) -> None:
    one = event(detail={"a": "b"})
    body = orjson.loads(one.body)
    turned = replace(one, body=orjson.dumps({name: body[name] for name in order}))

    assert found([rule({"detail-type": ["Test"], "detail": {"a": ["b"]}}), rule({"detail-type": ["Other"]}, 1)], [turned]) == [
        (0, "rule-0", True, False)
    ]


def test_a_body_without_a_detail_type_has_an_empty_one() -> None:
    one = event()
    body = orjson.loads(one.body)
    del body["detail_type"]

    assert found([rule({"detail-type": [""]})], [replace(one, body=orjson.dumps(body))]) == [(0, "rule-0", True, False)]


def test_what_is_remembered_of_headers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "REMEMBERED", 3)
    judge = make_judge([rule({"source": [{"prefix": "aws.test"}], "detail-type": [{"prefix": "T"}]})], no_fault)
    events = [event(source=f"aws.test{number}", detail_type=f"T{number}") for number in range(10)]

    assert len(list(judge.hits(batch(events)))) == 10
    assert max(*map(len, judge._heads.values()), len(judge._beginnings), len(judge._plans), len(judge._answers)) <= 3


class Clock:
    """CPU time that passes when somebody works."""

    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns


def test_a_condition_that_throws_is_a_fault_and_no_match() -> None:
    faults: list[Fault] = []
    bad = rule({"source": ["aws.test"]}, where="detail.missing.x == 1")
    good = rule({"source": ["aws.test"]}, 1)
    one = event()

    hits = list(make_judge([bad, good], faults.append).hits(batch([one])))

    assert [hit.rule for hit in hits] == [good]
    assert faults == [Fault(bad, one.id, "threw", 'NOT_FOUND: Key not found in map : "missing"')]


def slow(rule_of: CompiledRule, clock: Clock, cost_ns: int) -> CompiledRule:
    def condition(_: Document) -> bool:
        clock.now_ns += cost_ns
        return True

    return replace(rule_of, conditions=(condition,))


def test_a_condition_over_its_budget_is_a_fault_and_no_match() -> None:
    clock = Clock()
    faults: list[Fault] = []
    late = slow(rule({"source": ["aws.test"]}), clock, judging.BUDGET_NS + 30_000_000)
    just = slow(rule({"source": ["aws.test"]}, 1), clock, judging.BUDGET_NS)

    hits = list(make_judge([late, just], faults.append, cpu_ns=clock).hits(batch([event()])))

    assert [hit.rule for hit in hits] == [just]
    assert [(fault.rule, fault.reason, fault.detail) for fault in faults] == [
        (late, "too_slow", "80 ms for one finding; 50 ms are allowed")
    ]


def test_a_version_that_is_too_slow_again_and_again_is_given_up() -> None:
    clock = Clock()
    faults: list[Fault] = []
    late = slow(rule({"source": ["aws.test"]}), clock, judging.BUDGET_NS + 1)
    events = [event(detail={"number": number}) for number in range(20)]

    judge = make_judge([late], faults.append, cpu_ns=clock, most_slow=3)
    for _ in range(3):
        assert list(judge.hits(batch(events[:2]))) == []
    assert len(faults) == 6, "two findings are not three, however often they are judged"
    assert list(judge.hits(batch(events[2:]))) == []

    assert len(faults) == 7
    assert clock.now_ns == 7 * (judging.BUDGET_NS + 1)


class ByHand:
    """A rule that is compiled by nobody."""

    version = Version(Rule(id="by-hand", title="By hand", severity=1, match={}), number=1)

    def matches(self, document: Document) -> bool:
        if document["detail"].get("bad"):
            message = "no"
            raise RuleThrew(message)
        return bool(document["detail"].get("match"))

    def resolves(self, document: Document) -> bool:
        return bool(document["detail"].get("resolve"))


def test_rules_made_by_hand_are_asked_about_every_finding() -> None:
    faults: list[Fault] = []
    events = [event(detail=detail) for detail in ({"match": 1}, {"resolve": 1}, {"match": 1, "resolve": 1}, {}, {"bad": 1})]

    hits: list[Hit] = list(make_judge([ByHand()], faults.append).hits(batch(events)))  # type: ignore[list-item]

    assert [(hit.place, hit.matched, hit.resolved) for hit in hits] == [(0, True, False), (1, False, True), (2, True, True)]
    assert [(fault.event_id, fault.reason) for fault in faults] == [(events[4].id, "threw")]


def test_a_finding_of_any_form_is_judged_by_its_document() -> None:
    bare = {
        "eventVersion": "1.09",
        "eventName": "X",
        "eventSource": "iam.amazonaws.com",
        "eventTime": "2024-05-01T12:00:00Z",
        "awsRegion": "us-east-1",
        "recipientAccountId": "111122223333",
        "eventID": "1",
    }

    assert found([rule({"finding": {"kind": ["cloudtrail"]}, "detail": {"eventName": ["X"]}})], [of_item(bare)]) == [
        (0, "rule-0", True, False)
    ]
