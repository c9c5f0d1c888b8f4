"""Folders for the many examples of a property test: in memory where the machine has such a place, for they are synced a lot."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

IN_MEMORY = Path("/dev/shm")  # noqa: S108  # TemporaryDirectory makes a private folder in it


@contextmanager
def scratch() -> Iterator[Path]:
    """An empty folder, deleted afterwards."""
    with TemporaryDirectory(prefix="findstream-", dir=IN_MEMORY if IN_MEMORY.is_dir() else None) as folder:
        yield Path(folder)
