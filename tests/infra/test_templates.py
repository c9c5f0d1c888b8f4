"""The templates are sound: by AWS's own rules, before and after SAM's transform, and by common policy."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from infra import policy, transform
from infra.policy import excuses, findings
from infra.transform import TEMPLATES
from tests.infra.conftest import run_tool
from tests.infra.evaluate import Evaluated


def said(done: subprocess.CompletedProcess[str]) -> str:
    return f"{done.stdout}{done.stderr}".strip()


def test_the_templates_are_sound_as_written() -> None:
    assert said(run_tool("cfn-lint", *map(str, TEMPLATES.values()))) == ""


def test_the_templates_are_sound_as_transformed(transformed: Path) -> None:
    assert said(run_tool("cfn-lint", *(str(path) for path in sorted(transformed.glob("*.json"))))) == ""


def test_policy_is_kept_or_its_breach_has_a_reason(transformed: Path) -> None:
    assert said(run_tool("python", "-m", "infra.policy", str(transformed))) == "0 findings"


def test_no_transform_is_left_for_aws_to_do(templates: Mapping[str, Any]) -> None:
    assert [name for name, template in templates.items() if "Transform" in template] == []


def test_the_transform_does_not_depend_on_the_region(transformed: Path, tmp_path: Path) -> None:
    run_tool("python", "-m", "infra.transform", str(tmp_path), "us-west-2")

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        path.name: path.read_bytes() for path in transformed.iterdir()
    }


def test_every_excuse_gives_a_reason(templates: Mapping[str, Any]) -> None:
    reasons = [reason for template in templates.values() for reason in excuses(template).values()]

    assert min(map(len, reasons)) > 40


FOUND = {"file_path": "/x/central.json", "check_id": "CKV_1", "resource": "Bucket", "check_name": "It is encrypted"}


@pytest.mark.parametrize(
    ("failed", "excused", "told"),
    [
        ([FOUND], {"central": {}}, ["central: Bucket: CKV_1 It is encrypted"]),
        ([FOUND], {"central": {"CKV_1": "a reason"}}, []),
        ([], {"central": {"CKV_1": "a reason"}}, ["central: CKV_1 is excused, but not found"]),
        ([], {"central": {}}, []),
    ],
)
def test_a_finding_is_excused_or_told_and_an_excuse_needs_a_finding(
    failed: list[dict[str, str]], excused: dict[str, dict[str, str]], told: list[str]
) -> None:
    assert list(findings([{"results": {"failed_checks": failed}}], excused)) == told


@pytest.mark.parametrize("stage", ["local", "dev", "prod"])
def test_whatever_the_stage_each_name_that_is_referred_to_exists(templates: Mapping[str, Any], stage: str) -> None:
    asked = Evaluated(templates["central"], {"Stage": stage})
    resources = {name: asked[name] for name in asked}

    assert missing(resources, set(asked)) == set()


def missing(value: Any, known: set[str]) -> set[str]:
    """The resources that ``Ref X`` and ``X.Attribute`` words name, which are not known."""
    match value:
        case dict():
            return set().union(*(missing(each, known) for each in value.values()))
        case list():
            return set().union(*(missing(each, known) for each in value))
        case str() if value.startswith("Ref "):
            return {value.removeprefix("Ref ")} - known - {"CodeBucket", "CodeKey"}
        case str() if value.endswith(".Arn"):
            return {value.removesuffix(".Arn")} - known
        case _:
            return set()


def test_the_policy_check_tells_what_it_found_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    report = {"results": {"failed_checks": [FOUND]}}
    checkov = tmp_path / "checkov"
    checkov.write_text(f"#!/bin/sh\necho '{json.dumps(report)}'\n")
    checkov.chmod(0o755)
    for name in TEMPLATES:
        (tmp_path / f"{name}.json").write_text("{}")
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setattr("sys.argv", ["policy", str(tmp_path)])

    assert policy.main() == 1
    assert capsys.readouterr().out == "central: Bucket: CKV_1 It is encrypted\n1 findings\n"


def test_each_template_is_written_as_it_is_transformed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["transform", str(tmp_path / "out"), "us-west-2"])
    monkeypatch.setattr("infra.transform.transformed", lambda template, region: {"of": template.parent.name, "in": region})

    transform.main()

    assert {path.name: json.loads(path.read_bytes()) for path in (tmp_path / "out").iterdir()} == {
        f"{name}.json": {"of": name, "in": "us-west-2"} for name in TEMPLATES
    }
