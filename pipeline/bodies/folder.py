"""Bodies in a folder: an object a file, for one machine, and for tests."""

import os
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path

import zstandard

from pipeline.bodies import objects
from pipeline.errors import BodiesUnavailable
from pipeline.log.port import Batch, Position, Record


class FolderBodies:
    """The port on a folder, made if it is absent."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, batch: Batch) -> None:
        """Keep a batch, as the port says: written aside, synced, then renamed."""
        if not len(batch):
            return
        path = self._folder / objects.name(batch)
        aside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with aside.open("wb") as file:
                file.write(objects.encode(batch))
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
            _sync(path.parent)
        except OSError as failure:
            raise BodiesUnavailable(str(failure)) from failure

    def fetch(self, positions: Sequence[Position]) -> list[Record | None]:
        """The events at these positions, as the port says."""
        return objects.fetch(positions, self._find)

    def _find(self, position: Position) -> Batch | None:
        folder = self._folder / position.shard
        try:
            names = sorted(path.name for path in folder.glob("[!.]*"))
            after = bisect_right(names, objects.place(position))
            return objects.decode(position.shard, (folder / names[after]).read_bytes()) if after < len(names) else None
        except (OSError, zstandard.ZstdError) as failure:
            raise BodiesUnavailable(str(failure)) from failure


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
