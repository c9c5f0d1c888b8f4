"""``rules test`` and ``rules lint``: without a server, without data."""

import io
from pathlib import Path

import pytest

from tests.cli.shell import Findstream

RULE = """\
id: a-rule
title: Of {user}
severity: high
match: {{source: [aws.test], detail: {{state: [FAILED]}}}}
examples:
  matching: [{{name: it failed, event: {{source: aws.test, detail: {{state: {matching}, user: maria}}}}}}]
  not_matching: [{{name: it is good, event: {{source: aws.test, detail: {{state: OK}}}}}}]
"""
GOOD = RULE.format(user='"{{ detail.user }}"', matching="FAILED").replace('Of "{{ detail.user }}"', '"Of {{ detail.user }}"')
WRONG = GOOD.replace("state: FAILED", "state: GONE")
FLAWED = GOOD.replace("severity: high", "severity: very")


def written(folder: Path, content: str, name: str = "rules.yaml") -> str:
    (folder / name).write_text(content, encoding="utf-8")
    return str(folder / name)


def test_examples_as_they_should_be_end_well(findstream: Findstream, tmp_path: Path) -> None:
    answer = findstream("rules", "test", written(tmp_path, GOOD))

    assert (answer.code, answer.out) == (0, "rules.yaml: a-rule: 2 examples, all as they should be\n")


def test_an_example_that_is_otherwise_ends_with_3(findstream: Findstream, tmp_path: Path) -> None:
    answer = findstream("rules", "test", written(tmp_path, WRONG))

    assert (answer.code, answer.out) == (3, "rules.yaml: a-rule: 2 examples\n  it failed: does not match, but should\n")


def test_a_flaw_is_told_with_its_file_and_line(findstream: Findstream, tmp_path: Path) -> None:
    path = written(tmp_path, FLAWED)

    for command in ("test", "lint"):
        answer = findstream("rules", command, path)
        assert (answer.code, answer.out.splitlines()) == (
            3,
            ["rules.yaml: line 3, severity: one of unknown, low, medium, high, critical, or 0 to 4"],
        )


def test_lint_hints_at_what_is_likely_not_meant(findstream: Findstream, tmp_path: Path) -> None:
    answer = findstream("rules", "lint", written(tmp_path, GOOD.split("examples")[0]))

    assert answer.code == 0
    assert answer.out.splitlines() == [
        "rules.yaml: a-rule: good, but:",
        "  there is no example that must match",
        "  there is no example that must not match",
    ]


def test_lint_says_that_a_rule_is_good(findstream: Findstream, tmp_path: Path) -> None:
    assert findstream("rules", "lint", written(tmp_path, GOOD)).out == "rules.yaml: a-rule: good\n"


def test_answers_in_json(findstream: Findstream, tmp_path: Path) -> None:
    path = written(tmp_path, f"{WRONG}---\n{FLAWED}")
    flaw = {"line": 11, "field": "severity", "reason": "one of unknown, low, medium, high, critical, or 0 to 4"}

    tested = findstream("rules", "test", path, "--json")
    linted = findstream("rules", "lint", path, "--json")

    assert (tested.code, linted.code) == (3, 3)
    assert tested.json == {
        "rules": [
            {
                "place": "rules.yaml",
                "line": 1,
                "id": "a-rule",
                "flaws": [],
                "examples": [
                    {
                        "name": "it failed",
                        "should_match": True,
                        "good": False,
                        "fault": "does not match, but should",
                        "title": "",
                    },
                    {"name": "it is good", "should_match": False, "good": True, "fault": "", "title": ""},
                ],
            },
            {"place": "rules.yaml", "line": 8, "id": None, "flaws": [flaw], "examples": []},
        ],
        "failed": 2,
    }
    assert [one["hints"] for one in linted.json["rules"]] == [[], []]
    assert linted.json["failed"] == 1


def test_the_starter_set_and_folders_can_be_tried(findstream: Findstream, tmp_path: Path) -> None:
    written(tmp_path, GOOD)

    assert findstream("rules", "test", "--starter").code == 0
    assert findstream("rules", "test", str(tmp_path)).out.startswith("rules.yaml: a-rule")


def test_a_rule_may_come_from_standard_input(findstream: Findstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(GOOD.encode())))

    assert findstream("rules", "lint", "-").out == "standard input: a-rule: good\n"


def test_what_names_no_rule_is_wrong_usage(findstream: Findstream, tmp_path: Path) -> None:
    nothing = findstream("rules", "test")
    both = findstream("rules", "test", "--starter", "x.yaml")
    empty = findstream("rules", "lint", str(tmp_path))
    missing = findstream("rules", "lint", str(tmp_path / "missing.yaml"))

    assert (nothing.code, both.code, empty.code, missing.code) == (2, 2, 2, 2)
    assert "name files of rules, or say --starter" in nothing.err
    assert f"there is no rule in {tmp_path}" in empty.err
    assert "missing.yaml" in missing.err
