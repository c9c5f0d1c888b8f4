"""The documents tell the truth: their examples run, their links lead somewhere, their commands exist.

Blocks of a document marked ``python`` or ``bash`` run from top to bottom, in one namespace and one empty folder; bash finds
``findstream`` on its PATH and ``FINDSTREAM_HOME`` set. Blocks marked ``console`` or ``text`` are for reading only. A block that
cannot run in a test is skipped by ``<!-- skip: next -->`` before it.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("infra/**/*.md"), *ROOT.glob("localstack/*.md")])
BLOCK_SECONDS = 120


def run_bash(example: Example) -> None:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", str(example.parsed)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=BLOCK_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{example.path}:{example.line} ended with {done.returncode}:\n{done.stdout}{done.stderr}"


def run_document(path: Path) -> int:
    """Run the examples of a document; returns how many there were."""
    examples = list(Sybil([SkipParser(), PythonCodeBlockParser(), CodeBlockParser("bash", run_bash)]).parse(path).examples())
    for example in examples:
        example.evaluate()
    return len(examples)


@pytest.fixture
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    command = tmp_path / "bin" / "findstream"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m consumers.cli "$@"\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("FINDSTREAM_HOME", str(tmp_path / "var"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.usefixtures("empty_folder")
@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_the_examples_of_a_document_run(path: Path) -> None:
    run_document(path)


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_the_links_of_a_document_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", path.read_text()):
        if not re.match(r"[a-z]+:", target):
            assert (path.parent / target).exists(), f"{name(path)} links to {target}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_the_make_targets_that_a_document_names_exist(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|^\s*(?:\$ )?)make ([a-z-]+)", path.read_text(), re.MULTILINE))

    assert named - targets == set()


def test_every_decision_is_in_the_index() -> None:
    index = (ROOT / "docs/decisions/README.md").read_text()

    for path in sorted(ROOT.glob("docs/decisions/[0-9]*.md")):
        number, _, title = path.read_text().partition("\n")[0].removeprefix("# ").partition(". ")
        assert f"| [{number}]({path.name}) | {title} |" in index


@pytest.mark.parametrize("block", ["```python\nassert 1 == 2\n```", "```bash\nfalse | true\n```"])
def test_a_wrong_example_would_be_noticed(block: str, empty_folder: Path) -> None:
    document = empty_folder / "wrong.md"
    document.write_text(f"# Wrong\n\n{block}\n")

    with pytest.raises(AssertionError):
        run_document(document)


def test_a_skipped_or_quoted_example_is_left_alone(empty_folder: Path) -> None:
    document = empty_folder / "skipped.md"
    document.write_text("<!-- skip: next -->\n\n```bash\nfalse\n```\n\n```console\n$ false\n```\n")

    assert run_document(document) == 2
