"""Where signing keys are kept: the port, and a file for its owner only. What is kept is read again while a process lives."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from consumers.people.errors import SigningKeysUnusable
from consumers.people.keyring import Keyring, first, parsed
from consumers.people.user import Entropy

MODE: Final = 0o600


class Keys(Protocol):
    """A keyring somewhere. Every method raises ``SigningKeysUnusable``."""

    def read(self) -> Keyring:
        """The keyring as it is now, or was a minute ago at most."""
        ...

    def write(self, keyring: Keyring) -> None:
        """Replace it."""
        ...


class FileKeys:
    """The keyring in a file, made with a first key if it is missing. Of processes that make it at once, one does."""

    def __init__(self, path: Path, *, clock: Callable[[], int], entropy: Entropy) -> None:
        self._path = path
        self._clock = clock
        self._entropy = entropy
        self._seen: tuple[tuple[int, int, int], Keyring] | None = None

    def read(self) -> Keyring:
        """The keyring as it is now: the file is read when it has changed."""
        try:
            if not self._path.exists():
                self._make()
            state = self._path.stat()
            mark = (state.st_mtime_ns, state.st_ino, state.st_size)
            if self._seen is None or self._seen[0] != mark:
                self._seen = (mark, parsed(self._path.read_bytes(), str(self._path)))
        except OSError as broken:
            message = f"{self._path} cannot be read: {broken.strerror}"
            raise SigningKeysUnusable(message) from broken
        return self._seen[1]

    def write(self, keyring: Keyring) -> None:
        """Replace it, whole."""
        try:
            self._aside(keyring).replace(self._path)
        except OSError as broken:
            message = f"{self._path} cannot be written: {broken.strerror}"
            raise SigningKeysUnusable(message) from broken

    def _make(self) -> None:
        aside = self._aside(first(self._clock(), self._entropy))
        try:
            os.link(aside, self._path)
        except FileExistsError:
            pass
        finally:
            aside.unlink()

    def _aside(self, keyring: Keyring) -> Path:
        aside = self._path.with_name(f"{self._path.name}.{os.getpid()}.{self._entropy(4).hex()}")
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE), "wb") as file:
            file.write(keyring.dumped())
            file.flush()
            os.fsync(file.fileno())
        return aside
