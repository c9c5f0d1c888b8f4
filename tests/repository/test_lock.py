"""``requirements.lock`` holds what ``pyproject.toml`` asks for, with hashes, and says nothing about where to get it."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text()
PINS = dict(re.findall(r"^([a-z0-9-]+)==([^\s;]+)", LOCK, re.MULTILINE))


def wanted() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return [*project["project"]["dependencies"], *project["dependency-groups"]["dev"], *project["build-system"]["requires"]]


@pytest.mark.parametrize("requirement", wanted())
def test_every_dependency_is_pinned_as_the_project_allows(requirement: str) -> None:
    """If this fails: ``make lock``."""
    asked = Requirement(requirement)

    assert asked.specifier.contains(PINS[canonicalize_name(asked.name)])


def test_every_pin_has_a_hash() -> None:
    entries = re.split(r"\n(?! )", LOCK.strip())

    assert len(entries) == len(PINS)
    assert all("--hash=sha256:" in entry for entry in entries)


def test_the_lock_names_no_address() -> None:
    assert not re.search(r"://|--(extra-)?index-url|--find-links|@ ", LOCK)
