"""The folder that becomes a zip: what is needed, ours, and nothing besides."""

import hashlib
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from infra.package.errors import InstallRefused
from infra.package.recipe import DATA, ROOT, Recipe
from infra.package.target import Target

_NEVER: Final = (
    "bin",
    "boto3/data",
    "boto3/examples",
    "**/tests",
    "**/__pycache__",
    "**/*.pyi",
    "**/*.pyx",
    "**/*.pxd",
    "**/*.md",
    "aws_lambda_powertools/event_handler/openapi/swagger_ui/*.min.*",
    "bazel-project",  # what built cel_expr_python, in some of its wheels
    "cel_expr_python/ext",  # extensions of CEL that conditions do not have
    "zstandard/*cffi*",  # for PyPy
)
_RECORDS: Final = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "WHEEL")
"""Of an installation, not of a package; they hold paths of this machine."""
_RUNS_FROM: Final = "/var/task"


def install(recipe: Recipe, target: Target, folder: Path) -> None:
    """What ``recipe`` needs, for ``target``. Raises ``InstallRefused`` with what pip said."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-compile"]
    asked = [*command, "--require-hashes", *target.pip(), "--target", str(folder), "-r", str(recipe.lock)]
    done = subprocess.run(asked, check=False, capture_output=True, text=True)  # noqa: S603  # our own words
    if done.returncode:
        raise InstallRefused(done.stderr.strip())


def copy_code(recipe: Recipe, folder: Path) -> None:
    """Our code, and a record of its version for ``importlib.metadata``."""
    for path in ours(recipe):
        into = folder / path
        into.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, into)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    metadata = folder / f"{project['name']}-{project['version']}.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n", encoding="utf-8")


def inputs(recipe: Recipe) -> str:
    """A hash of all that a package is made of: it tells whether one that was built is still what would be built."""
    told = hashlib.sha256(f"{sorted(recipe.services)} {_NEVER}".encode())
    for path in (recipe.lock, *(ROOT / each for each in ours(recipe))):
        told.update(f"{path.name}\n{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return told.hexdigest()


def prune(recipe: Recipe, folder: Path) -> None:
    """Take away what no function reads."""
    for pattern in _NEVER:
        for path in list(folder.glob(pattern)):
            _remove(path)
    for path in folder.glob("*.dist-info/*"):
        if path.name in _RECORDS:
            path.unlink()
    for path in (folder / "botocore/data").iterdir():
        if path.is_dir() and path.name not in recipe.services:
            _remove(path)


def compile_all(target: Target, folder: Path) -> bool:
    """Put compiled code beside the code, as ``/var/task`` cannot be written to; False if no Python here can.

    The compiled files are bound to the code's hash at build time and never checked again: no time of day enters them.
    """
    interpreter = target.interpreter()
    if interpreter is None:
        return False
    options = ["-q", "-j", "1", "--invalidation-mode", "unchecked-hash", "-s", str(folder), "-p", _RUNS_FROM]
    subprocess.run([interpreter, "-m", "compileall", *options, str(folder)], check=True)  # noqa: S603  # our own words
    return True


def ours(recipe: Recipe) -> Iterator[Path]:
    """The files of ours that go in, as paths in the repository, in order."""
    out = tuple(Path(path) for path in recipe.without)
    for code in recipe.code:
        found = [ROOT / code] if (ROOT / code).is_file() else sorted((ROOT / code).rglob("*"))
        for path in (each.relative_to(ROOT) for each in found if each.is_file()):
            if (path.suffix in DATA or path.name == "HISTORY") and not any(path.is_relative_to(each) for each in out):
                yield path


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    elif path.exists():
        path.unlink()
