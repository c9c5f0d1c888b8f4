"""Examples and hints: what an author learns before a rule is published. And the starter set, held to its own examples."""

from pathlib import Path
from typing import Any

import pytest

from consumers.rules import checking, reading, shelf, text
from consumers.rules.checking import document_of
from consumers.rules.compiled import compile_rule
from consumers.rules.errors import ExampleUnreadable
from consumers.rules.judge import make_judge
from consumers.rules.rule import Example, Rule, Threshold, Version
from consumers.rules.shelf import Written
from pipeline.sources.kinds import BY_SOURCE
from tests.rules.batches import batch, sample

GOOD: dict[str, Any] = {"source": "aws.test", "detail": {"state": "FAILED", "user": "maria"}}


def rule(**more: Any) -> Rule:
    given: dict[str, Any] = {
        "id": "a-rule",
        "title": "Of {{ detail.user }}",
        "severity": 3,
        "match": {"source": ["aws.test"], "detail": {"state": ["FAILED"]}},
    }
    return Rule(**(given | more))


def fault(one: Rule) -> str:
    (outcome,) = checking.run(one)
    return outcome.fault


def test_an_example_that_matches_shows_its_title() -> None:
    (outcome,) = checking.run(rule(matching=(Example("good", GOOD),)))

    assert (outcome.example.name, outcome.should_match, outcome.fault, outcome.title) == ("good", True, "", "Of maria")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"matching": (Example("x", GOOD | {"detail": {}}),)}, "does not match, but should"),
        ({"not_matching": (Example("x", GOOD),)}, "matches, but should not"),
        ({"not_matching": (Example("x", GOOD | {"detail": {}}),)}, ""),
        ({"matching": (Example("x", GOOD),), "where": "detail.a.b == 1"}, 'NOT_FOUND: Key not found in map : "a"'),
        (
            {"matching": (Example("x", GOOD),), "group_by": ("detail.a",)},
            "matches, but would not count: a path of group_by (detail.a)",
        ),
        (
            {"matching": (Example("x", GOOD),), "threshold": Threshold(2, 60, 60, "detail.a")},
            "matches, but would not count: detail.a has",
        ),
        ({"matching": (Example("x", GOOD),), "threshold": Threshold(2, 60, 60, "detail.user")}, ""),
        ({"matching": (Example("x", {"foo": 1}),)}, "the item has no known shape"),
        ({"matching": (Example("x", GOOD | {"account": "12"}),)}, "account '12' is not 12 digits"),
        ({"matching": (Example("x", GOOD),)}, ""),
    ],
)
def test_an_example_is_at_fault_for_a_reason(given: Any, message: str) -> None:
    assert fault(rule(**given)).startswith(message)


def test_an_example_may_be_a_document_as_rules_see_it() -> None:
    document = document_of({"source": "aws.test", "detail": {"a": 1}, "finding": {"severity": 4, "facts": {"x": "y"}}})

    assert (document["finding"]["severity"], document["finding"]["kind"], document["account"]) == (4, "generic", "111122223333")


def test_an_example_may_come_from_a_source_of_ones_own() -> None:
    assert document_of({"source": "our.source", "detail": {}})["source"] == "our.source"


def test_an_example_is_exactly_one_finding() -> None:
    lines = {
        "messageType": "DATA_MESSAGE",
        "owner": "111122223333",
        "logGroup": "/x",
        "logStream": "y",
        "logEvents": [{"id": str(n), "timestamp": 1_714_564_800_000, "message": "ERROR x"} for n in range(2)],
    }

    with pytest.raises(ExampleUnreadable, match="gives 2 findings"):
        document_of(lines)
    with pytest.raises(ExampleUnreadable, match="gives 0 findings"):
        document_of({"source": "monitoring.agent", "detail-type": "Agent Heartbeat", "detail": {"version": "1.0.0"}})


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ({"match": {"source": ["aws.test"], "account": [111122223333]}}, "match.account has a number, but account is text"),
        ({"resolve": {"source": ["aws.test"], "region": ["x", 1]}}, "resolve.region has a number, but region is text"),
        ({"match": {"detail": {"a": ["x"]}}}, "match names neither source nor detail-type"),
        ({"resolve": {"detail": {"a": ["x"]}}}, "resolve names neither source nor detail-type"),
        (
            {"where": "detail.user == 'maria'"},
            "where reads detail.user, which may be missing, and is a fault then: write has(detail",
        ),
        ({"matching": ()}, "there is no example that must match"),
        ({"not_matching": ()}, "there is no example that must not match"),
        ({"threshold": Threshold(2, 60, 60)}, "threshold without group_by counts over all accounts together"),
        ({"group_by": ("account",)}, "group_by without threshold or resolve has no effect"),
    ],
)
def test_what_was_most_likely_not_meant_is_hinted_at(given: Any, hint: str) -> None:
    examples = {"matching": (Example("x", GOOD),), "not_matching": (Example("x", GOOD),)}

    (found,) = checking.hints(rule(**(examples | given)))

    assert found.startswith(hint)


@pytest.mark.parametrize(
    ("where", "read"),
    [
        ('detail.state == "x"', []),
        ("detail.a == 1 && detail.a < 2 && detail.b == 1", ["detail.a", "detail.b"]),
        ("has(detail.a) && detail.a == 1", []),
        ("!has(detail.a) || detail.a.b == 1", ["detail.a.b"]),
        ("has(detail.a.b) && detail.a.b == 1", ["detail.a"]),
        ("has(detail.a) && has(detail.a.b) && detail.a.b > 1", []),
        ('detail["a-b"].c == "detail.x"', ["detail.a-b"]),
        ('detail.state.matches("has(detail.x)")', []),
        ("detail.list.exists(x, x == 1)", ["detail.list"]),
        ("detail.deep.er == 1", []),
        ("detail.deep.not == 1", ["detail.deep.not"]),
        ("detail.gone == 1", ["detail.gone"]),
        ("detail.either == 1", ["detail.either"]),
        ("detail.both == 1", []),
        ("detail.both.x == 1", ["detail.both.x"]),
        ('source == "aws.x" && finding.severity > 2', []),
    ],
)
def test_what_a_condition_reads_without_asking_for_it(where: str, read: list[str]) -> None:
    match = {
        "detail": {
            "state": ["x"],
            "deep": {"er": [{"exists": True}]},
            "gone": [{"exists": False}, 1],
            "$or": [{"either": [1], "both": {"x": [1]}}, {"or": [2], "both": [2]}],
        }
    }

    assert reading.unguarded(where, match) == read


STARTER = list(shelf.starter())


@pytest.mark.parametrize("written", STARTER, ids=lambda written: f"{written.place}:{written.line}")
def test_a_starter_rule_is_good_and_is_as_its_examples_say(written: Written) -> None:
    assert written.rule, written.flaws
    assert [outcome for outcome in checking.run(written.rule) if outcome.fault] == []
    assert list(checking.hints(written.rule)) == []


def test_the_starter_set_has_a_rule_for_every_source_and_no_id_twice() -> None:
    sources: set[str] = set()
    for written in STARTER:
        assert written.rule
        for example in written.rule.matching:
            sources.add(document_of(example.event)["source"])

    assert sources >= BY_SOURCE.keys() - {"monitoring.agent"} | {"aws.signin", "aws.ecs", "aws.rds"}
    ids = [written.rule.id for written in STARTER if written.rule]
    assert len(set(ids)) == len(ids)


def test_the_starter_set_judges_the_sample_without_a_fault() -> None:
    rules = [compile_rule(Version(written.rule, number=1)) for written in STARTER if written.rule]
    faults: list[Any] = []

    hits = list(make_judge(rules, faults.append).hits(batch(sample(3000))))

    assert faults == []
    assert len({hit.rule.version.rule.id for hit in hits}) > len(rules) / 2
    for hit in hits:
        assert hit.rule.group(hit.document) is not None, hit.rule.version.rule.id
        assert hit.rule.title(hit.document)
        assert hit.rule.labels(hit.document)


LEAST = "id: {}\ntitle: A rule\nseverity: high\nmatch: {{source: [aws.test]}}\n"


def test_a_file_holds_several_rules_and_flaws_count_its_lines() -> None:
    content = f"# two\n---\n{LEAST.format('rule-a')}--- # the second\n\n{LEAST.format('rule-b').replace('high', 'x')}---\n"

    first, second = shelf.of_text(content.encode(), "two.yaml")

    assert (first.rule and first.rule.id, first.line, text.read(first.text)) == ("rule-a", 1, first.rule)
    assert (second.rule, [(flaw.line, flaw.field) for flaw in second.flaws]) == (None, [(11, "severity")])


def test_one_file_has_no_rule_twice() -> None:
    first, second = shelf.of_text(f"{LEAST.format('rule-a')}---\n{LEAST.format('rule-a')}".encode(), "x")

    assert first.rule
    assert [str(flaw) for flaw in second.flaws] == ["line 5, id: another rule of this file is named rule-a"]


def test_a_file_in_another_encoding_is_a_flaw() -> None:
    (written,) = shelf.of_text(f"{LEAST.format('rule-a')}description: über\n".encode("latin-1"), "x")

    assert [str(flaw) for flaw in written.flaws] == ["line 5: the file is not in UTF-8"]


def test_a_folder_stands_for_its_files(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yml", "c.txt"):
        (tmp_path / name).write_text(LEAST.format(f"rule-{name[0]}"), encoding="utf-8")

    assert [written.place for written in shelf.of_files([tmp_path])] == ["a.yml", "b.yaml"]
