"""The locks hold what is asked for, with hashes, and say nothing about where to get it."""

import re
import tomllib
from itertools import chain
from pathlib import Path

import orjson
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
EMULATORS = ROOT / "tests/aws/emulators"
LOCKS = {"ours": ROOT / "requirements.lock", "emulators": EMULATORS / "requirements.lock"}


def pins(lock: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==([^\s;]+)", lock, re.MULTILINE))


def wanted() -> list[tuple[str, str]]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    optional = project["project"]["optional-dependencies"].values()
    ours = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"], *project["build-system"]["requires"]]
    theirs = re.findall(r"^[a-z][^\s#]*", (EMULATORS / "requirements.in").read_text(), re.MULTILINE)
    return [("ours", r) for r in chain(ours, *optional)] + [("emulators", r) for r in theirs]


@pytest.mark.parametrize(("lock", "requirement"), wanted())
def test_every_dependency_is_pinned_as_was_asked(lock: str, requirement: str) -> None:
    """If this fails: ``make lock``."""
    asked = Requirement(requirement)

    assert asked.specifier.contains(pins(LOCKS[lock].read_text())[canonicalize_name(asked.name)])


@pytest.mark.parametrize("lock", LOCKS.values(), ids=LOCKS)
def test_every_pin_has_a_hash(lock: Path) -> None:
    text = lock.read_text()
    entries = re.split(r"\n(?! )", text.strip())

    assert len(entries) == len(pins(text))
    assert all("--hash=sha256:" in entry for entry in entries)


@pytest.mark.parametrize("lock", LOCKS.values(), ids=LOCKS)
def test_a_lock_names_no_address(lock: Path) -> None:
    assert not re.search(r"://|--(extra-)?index-url|--find-links|@ ", lock.read_text())


def test_the_javascript_lock_has_hashes_and_no_addresses() -> None:
    lock = orjson.loads((EMULATORS / "package-lock.json").read_bytes())
    packages = [package for path, package in lock["packages"].items() if path]

    assert all(package["integrity"].startswith("sha512-") and "resolved" not in package for package in packages)
    assert lock["packages"][""]["dependencies"].keys() <= {path.removeprefix("node_modules/") for path in lock["packages"]}
