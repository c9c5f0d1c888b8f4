"""A generation that fails when it is told to, at the n-th thing asked of it."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from pipeline.log.port import Position
from projections.errors import CommitTooLarge, StoreUnavailable
from projections.event_index import Direction, PackedSegment, Sought
from projections.projection import CountKey, Document, Parked
from projections.stores.port import Commit, Generation, GenerationInfo, GenerationRows, Marker, Store


class FlakyGeneration:
    """Asks ``broken`` before each call on behalf of the writer; where it says so, the call fails and does nothing.

    A commit that is ``too_large`` is refused.
    """

    def __init__(
        self, generation: Generation, broken: Callable[[], bool], too_large: Callable[[Commit], bool] = lambda _: False
    ) -> None:
        self._generation = generation
        self._broken = broken
        self._too_large = too_large

    def _sound(self) -> Generation:
        if self._broken():
            message = "the test has broken the store"
            raise StoreUnavailable(message)
        return self._generation

    @property
    def info(self) -> GenerationInfo:
        return self._generation.info

    def claim(self, token: str, shards: Collection[str]) -> None:
        self._sound().claim(token, shards)

    def checkpoints(self) -> dict[str, Position]:
        return self._sound().checkpoints()

    def segments(self, sought: Sought, direction: Direction) -> Iterator[PackedSegment]:
        return self._sound().segments(sought, direction)

    def counts(self, since_hour: int, until_hour: int) -> Iterator[tuple[CountKey, int]]:
        return self._sound().counts(since_hour, until_hour)

    def documents(self, keys: Collection[str]) -> dict[str, Document]:
        return self._sound().documents(keys)

    def all_documents(self, kind: str = "") -> Iterator[tuple[str, Document]]:
        return self._sound().all_documents(kind)

    def documents_from(self, kind: str, after: str, limit: int) -> list[tuple[str, Document]]:
        return self._sound().documents_from(kind, after, limit)

    def parked(self) -> Sequence[Parked]:
        return self._sound().parked()

    def waiting(self) -> Mapping[str, int]:
        return self._sound().waiting()

    def markers(self, hours: Collection[int], since_day: int) -> Iterator[Marker]:
        yield from self._sound().markers(hours, since_day)
        self._sound()  # or halfway through

    def forget_markers(self, before_day: int) -> None:
        self._sound().forget_markers(before_day)

    def forget_documents(self, kind: str, before: str) -> None:
        self._sound().forget_documents(kind, before)

    def commit(self, token: str, commit: Commit) -> None:
        if self._too_large(commit):
            message = "the test finds it too large"
            raise CommitTooLarge(message)
        self._sound().commit(token, commit)

    def reading(self) -> AbstractContextManager[GenerationRows]:
        return self._generation.reading()

    def close(self) -> None:
        self._generation.close()


class FlakyStore:
    """A store whose generations are flaky."""

    def __init__(self, store: Store, broken: Callable[[], bool], too_large: Callable[[Commit], bool] = lambda _: False) -> None:
        self._store = store
        self._broken = broken
        self._too_large = too_large

    def open(self, info: GenerationInfo) -> Generation:
        return FlakyGeneration(self._store.open(info), self._broken, self._too_large)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)
