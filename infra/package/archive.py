"""A folder as a zip whose bytes depend on names and contents only."""

import hashlib
import zipfile
from pathlib import Path
from typing import Final

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can tell."""
_READABLE: Final = 0o100644 << 16


def archive(folder: Path, into: Path) -> None:
    """Write ``folder`` to ``into``, which is replaced when all is written."""
    part = into.with_suffix(".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as zipped:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _EPOCH)
            entry.external_attr = _READABLE
            entry.create_system = 3  # Unix, wherever it is built
            zipped.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED, 9)
    part.replace(into)


def sha256(path: Path) -> str:
    """The hash that names a zip, in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def sizes(folder: Path) -> dict[str, int]:
    """Bytes of each of the folder's entries, largest first."""
    found = {each.name: sum(path.stat().st_size for path in each.rglob("*") if path.is_file()) for each in folder.iterdir()}
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))
