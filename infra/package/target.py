"""For which Python and processor a zip is built."""

import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

_GLIBC: Final = ("manylinux_2_28", "manylinux_2_17", "manylinux2014")
"""What Amazon Linux 2023 can load, newest first (AWS Lambda Developer Guide, "Lambda runtimes": glibc 2.34)."""
_ARCHITECTURES: Final = {"x86_64": "x86_64", "arm64": "aarch64"}


@dataclass(frozen=True, slots=True)
class Target:
    """``python`` as ``3.13``; ``architecture`` as Lambda names it, ``x86_64`` or ``arm64``."""

    python: str
    architecture: str

    @classmethod
    def like(cls, interpreter: str) -> Self:
        """What ``interpreter``, on this machine, can run."""
        ask = "import sys; print('%d.%d' % sys.version_info[:2])"
        said = subprocess.run([interpreter, "-c", ask], check=True, capture_output=True, text=True)  # noqa: S603  # the operator's own choice
        machine = platform.machine()
        return cls(said.stdout.strip(), {v: k for k, v in _ARCHITECTURES.items()}.get(machine, machine))

    def pip(self) -> list[str]:
        """How pip is told to fetch for this target, whatever machine it runs on."""
        machine = _ARCHITECTURES[self.architecture]
        platforms = [word for glibc in _GLIBC for word in ("--platform", f"{glibc}_{machine}")]
        return ["--only-binary=:all:", "--implementation", "cp", "--python-version", self.python, *platforms]

    def interpreter(self) -> str | None:
        """A Python of this version on this machine, which can compile for it; None if there is none."""
        if sys.version_info[:2] == tuple(map(int, self.python.split("."))):
            return sys.executable
        name = f"python{self.python}"
        versions = sorted(Path.home().glob(f".pyenv/versions/{self.python}.*/bin/python"))
        candidates = (shutil.which(name), *map(str, versions))
        return next((found for found in candidates if found and self._fits(found)), None)

    def _fits(self, interpreter: str) -> bool:
        """A shim may stand on PATH for a version that is not active: it must answer, not only be there."""
        try:
            return Target.like(interpreter).python == self.python
        except (OSError, subprocess.CalledProcessError):
            return False
