"""The writers of the generations that serve, as they change: one a projection."""

from collections.abc import Sequence

from projections.projection import Projection
from projections.stores.port import GenerationInfo, Store
from projections.writer import Writer


class Writers:
    """Makes a writer on first sight of a generation, and another after a switch. ``token`` is no other process's."""

    def __init__(self, store: Store, projections: Sequence[Projection], token: str) -> None:
        self._store = store
        self._projections = projections
        self._token = token
        self._writers: dict[str, Writer] = {}
        self._stopped: set[GenerationInfo] = set()

    def outdated(self) -> list[Projection]:
        """Projections whose serving generation was built by another version of the fold: they are not folded, but rebuilt."""
        serving = self._store.serving()
        return [p for p in self._projections if (info := serving.get(p.name)) and info.version != p.version]

    def current(self) -> list[Writer]:
        """A writer for each projection's serving generation, but those outdated or stopped. What serves nothing yet is made."""
        serving = self._store.serving()
        writers = []
        for projection in self._projections:
            info = serving.get(projection.name) or self._store.create(projection.name, projection.version, serving=True)
            if info.version == projection.version and info not in self._stopped:
                writers.append(self._writer(projection, info))
        return writers

    def stop(self, writer: Writer) -> None:
        """Leave a generation out from now on."""
        self._stopped.add(writer.generation.info)

    def renew(self, writer: Writer) -> Writer:
        """Another writer for the same generation, which knows nothing of what this one did."""
        self._forget(writer.projection.name)
        return self._writer(writer.projection, writer.generation.info)

    def remembered(self) -> int:
        """How many ids all writers have in memory."""
        return sum(writer.remembered for writer in self._writers.values())

    def close(self) -> None:
        """Close all generations."""
        for name in list(self._writers):
            self._forget(name)

    def _writer(self, projection: Projection, info: GenerationInfo) -> Writer:
        known = self._writers.get(projection.name)
        if known is not None and known.generation.info.number == info.number:
            return known
        self._forget(projection.name)
        writer = self._writers[projection.name] = Writer(projection, self._store.open(info), self._token)
        return writer

    def _forget(self, name: str) -> None:
        if writer := self._writers.pop(name, None):
            writer.generation.close()
