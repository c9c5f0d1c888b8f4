"""From a recipe to a zip, and what is known of it."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from infra.package import tree
from infra.package.archive import archive, sha256, sizes
from infra.package.errors import PackageTooLarge
from infra.package.recipe import Recipe
from infra.package.target import Target

UNPACKED_LIMIT: Final = 250 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Built:
    """A zip. ``inputs`` is a hash of what went in. Sizes are in bytes; ``parts`` are those of its entries, largest first."""

    name: str
    python: str
    architecture: str
    sha256: str
    inputs: str
    zipped: int
    unpacked: int
    compiled: bool
    parts: dict[str, int]

    def told(self) -> str:
        """A line for people, and one for each of the largest entries."""
        compiled = "" if self.compiled else f"; not compiled, as there is no Python {self.python} here"
        head = (
            f"{self.name}.zip  {_mb(self.zipped)}, unpacked {_mb(self.unpacked)}, for Python {self.python} on {self.architecture}"
        )
        return "\n".join([head + compiled, *(f"    {_mb(size):>9}  {name}" for name, size in list(self.parts.items())[:6])])


def build(name: str, recipe: Recipe, target: Target, folder: Path) -> Built:
    """Build ``folder/name.zip``. Raises ``PackageError``."""
    with TemporaryDirectory(prefix=f"findstream-{name}-") as scratch:
        room = Path(scratch)
        tree.install(recipe, target, room)
        tree.copy_code(recipe, room)
        tree.prune(recipe, room)
        compiled = tree.compile_all(target, room)
        parts = sizes(room)
        if sum(parts.values()) > UNPACKED_LIMIT:
            raise PackageTooLarge(_mb(sum(parts.values())))
        zipped = folder / f"{name}.zip"
        archive(room, zipped)
    unpacked = sum(parts.values())
    named = (name, target.python, target.architecture, sha256(zipped), tree.inputs(recipe))
    return Built(*named, zipped.stat().st_size, unpacked, compiled, parts)


def _mb(size: int) -> str:
    return f"{size / 1_000_000:.1f} MB"
