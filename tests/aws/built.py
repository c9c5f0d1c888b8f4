"""Imports a package as built for Lambda where nothing else can be imported: in an empty virtual environment of its own.

Local servers run functions with their own interpreter, whose packages hide what a built one lacks.
"""

import os
import subprocess
import venv
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson

IMPORT_SECONDS = 60.0

_IMPORT = """
import importlib, json, sys, time
folder, module, name = sys.argv[1:]
sys.path.insert(0, folder)
started = time.perf_counter()
handler = getattr(importlib.import_module(module), name)
seconds = time.perf_counter() - started
assert callable(handler), f"{module}.{name} is not callable"
print(json.dumps({"seconds": seconds, "modules": sorted(sys.modules)}))
"""


class NotImportable(Exception):
    """The built package lacks something, or its handler cannot be called; says what Python said."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What the import of a handler took and brought in."""

    seconds: float
    modules: frozenset[str]

    def packages(self) -> set[str]:
        """The top-level names of the modules."""
        return {module.partition(".")[0] for module in self.modules}


class Built:
    """A built package, unpacked, and an interpreter that sees nothing beside it and the standard library."""

    def __init__(self, folder: Path, python: Path) -> None:
        self.folder = folder
        self.python = python

    def imported(self, handler: str, environment: Mapping[str, str] | None = None) -> Imported:
        """Import ``module.function``, in a process of its own, which sees ``environment`` too. Raises ``NotImportable``."""
        module, _, name = handler.rpartition(".")
        told = subprocess.run(
            [self.python, "-I", "-c", _IMPORT, self.folder, module, name],
            capture_output=True,
            check=False,
            timeout=IMPORT_SECONDS,
            env={"PATH": os.defpath, "AWS_REGION": "eu-central-1", "AWS_DEFAULT_REGION": "eu-central-1", **(environment or {})},
        )
        if told.returncode:
            raise NotImportable(told.stderr.decode())
        answer = orjson.loads(told.stdout.splitlines()[-1])
        return Imported(answer["seconds"], frozenset(answer["modules"]))


@contextmanager
def unpacked(package: Path) -> Iterator[Built]:
    """``package`` (a .zip, or a folder that stays as it is) beside an empty environment of this Python."""
    with TemporaryDirectory(prefix="built-") as name:
        environment = Path(name, "venv")
        venv.create(environment, with_pip=False, symlinks=True)
        folder = package if package.is_dir() else Path(name, "package")
        if not package.is_dir():
            with zipfile.ZipFile(package) as archive:
                archive.extractall(folder)
        yield Built(folder, environment / "bin/python")
