"""A backup as it lies on disk: a folder, or a tar of it, with a manifest and one file a part.

Manifest: ``manifest.json`` names each file with its bytes and SHA-256, and what was in it; nothing else is read from a backup.
Whole:    it is written aside and renamed when it is on disk; an interrupted backup leaves no bundle. Nothing is overwritten.
Checked:  ``unpack`` compares every byte with the manifest before it returns.
"""

import hashlib
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.errors import BackupFailed, BackupRejected

MANIFEST: Final = "manifest.json"
TAR_SUFFIXES: Final = (".tar", ".tar.gz", ".tgz")
_CHUNK_BYTES: Final = 1 << 20
_MANIFEST_BYTES: Final = 1 << 20

Moved = Callable[[str, int, int], None]
"""Told the name of the file, its bytes done, and its bytes in all."""


class Entry(BaseModel):
    """One file of a backup. ``holds`` is what was in it, for people: counts, heads, marks."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(pattern=r"^[a-z]{1,32}$")
    file: str = Field(pattern=r"^[a-z]{1,32}\.db$")
    bytes: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    holds: Mapping[str, Any]


class Manifest(BaseModel):
    """What a backup is. ``created_us`` is microseconds since the epoch, when its parts were pinned."""

    model_config = ConfigDict(frozen=True)

    product: Literal["findstream"] = "findstream"
    format: Literal[1] = 1
    created_us: int = Field(ge=0)
    parts: tuple[Entry, ...]


def digest(path: Path) -> tuple[int, str]:
    """The bytes of a file and its SHA-256."""
    with path.open("rb") as file:
        sha = hashlib.file_digest(file, "sha256")
        return file.tell(), sha.hexdigest()


def pack(folder: Path, manifest: Manifest, target: Path) -> None:
    """Make the files in ``folder``, which lies beside ``target``, the bundle ``target``. Raises ``BackupFailed``."""
    with _failing(f"the backup cannot be written to {target}"):
        (folder / MANIFEST).write_bytes(orjson.dumps(manifest.model_dump(), option=orjson.OPT_INDENT_2))
        names = [MANIFEST, *(entry.file for entry in manifest.parts)]
        for name in names:
            synced(folder / name)
        synced(folder)
        if is_tar(target):
            packed = folder / "bundle"
            packed.touch(mode=0o600)  # it holds hashes of passwords, and outlives the folder, which is closed to others
            with tarfile.open(packed, "w:gz" if target.name.endswith("gz") else "w") as tar:
                for name in names:
                    tar.add(folder / name, arcname=name)
            synced(packed)
            packed.rename(target)
        else:
            folder.rename(target)
        synced(target.parent)


def unpack(source: Path, folder: Path, known: Mapping[str, str], moved: Moved = lambda *_: None) -> Manifest:
    """Copy the files of the bundle ``source`` into ``folder``, each checked. ``known`` is part name -> file name.

    Raises ``BackupRejected`` if it is no backup, or not as it was when it was made.
    """
    with _opened(source) as members:
        manifest = _manifest(source, members)
        strange = [entry.name for entry in manifest.parts if known.get(entry.name) != entry.file]
        if strange:
            message = f"{source} holds parts that this build does not know: {', '.join(strange)}"
            raise BackupRejected(message)
        for entry in manifest.parts:
            _copy(source, members, entry, folder / entry.file, moved)
    synced(folder)
    return manifest


def is_tar(path: Path) -> bool:
    """Whether a path of this name is a tar file."""
    return path.name.endswith(TAR_SUFFIXES)


def is_folder(path: Path) -> bool:
    """Whether a path of this name is a folder: it has no suffix but a number, as of a date or a version."""
    return not path.suffix or path.suffix[1:].isdigit()


def synced(path: Path) -> None:
    """Have a file or folder on disk before returning."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


Open = Callable[[str], IO[bytes] | None]


@contextmanager
def _opened(source: Path) -> Iterator[Open]:
    """A function that opens a file of the bundle by name; None if it is not there."""
    try:
        if source.is_dir():
            yield lambda name: (source / name).open("rb") if (source / name).is_file() else None
        else:
            with tarfile.open(source) as tar:
                members = {member.name: member for member in tar if member.isfile()}
                yield lambda name: tar.extractfile(members[name]) if name in members else None
    except (OSError, tarfile.TarError, EOFError, zlib.error) as broken:
        raise _unreadable(source, broken) from broken


def _manifest(source: Path, members: Open) -> Manifest:
    file = members(MANIFEST)
    if file is None:
        message = f"{source} is no backup: it has no {MANIFEST}"
        raise BackupRejected(message)
    with file:
        raw = file.read(_MANIFEST_BYTES)
    try:
        return Manifest.model_validate_json(raw)
    except ValidationError as broken:
        first: Mapping[str, Any] = broken.errors(include_url=False, include_input=False)[0]
        message = f"{source}: {MANIFEST}: {_dotted(first['loc'])}: {first['msg']}"
        raise BackupRejected(message) from broken


def _dotted(place: Sequence[object]) -> str:
    return ".".join(map(str, place)) or "the whole"


def _copy(source: Path, members: Open, entry: Entry, target: Path, moved: Moved) -> None:
    file = members(entry.file)
    if file is None:
        message = f"{source} is incomplete: {entry.file} is missing"
        raise BackupRejected(message)
    sha = hashlib.sha256()
    done = 0
    with file, _failing(f"{target} cannot be written"), target.open("xb") as copy:
        while chunk := _read(source, file):
            sha.update(chunk)
            copy.write(chunk)
            done += len(chunk)
            moved(entry.name, done, entry.bytes)
        target.chmod(0o600)
        copy.flush()
        os.fsync(copy.fileno())
    if (done, sha.hexdigest()) != (entry.bytes, entry.sha256):
        message = f"{source} is damaged: {entry.file} is not what the manifest says (bytes or SHA-256 differ)"
        raise BackupRejected(message)


def _read(source: Path, file: IO[bytes]) -> bytes:
    try:
        return file.read(_CHUNK_BYTES)
    except (OSError, EOFError, zlib.error) as broken:
        raise _unreadable(source, broken) from broken


def _unreadable(source: Path, broken: Exception) -> BackupRejected:
    message = f"{source} cannot be read as a backup: {broken}"
    return BackupRejected(message)


@contextmanager
def _failing(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as broken:
        message = f"{what}: {broken.strerror or broken}"
        raise BackupFailed(message) from broken
