"""``parked redrive`` beside a projector that takes its generation back."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.log.port import Batch
from projections.errors import Fenced
from projections.projection import Changes, Rows
from projections.redrive import redrive
from projections.stores.port import Store
from tests.support.diary import Diary, noted
from tests.support.memory_log import MemoryLog
from tests.support.spine import Spine

EVENTS = [noted(number, "one") for number in range(600)]


class Disturbed(Diary):
    """A projector takes the generation back whenever ``comes`` says so of the number of the fold."""

    def __init__(self, store: Store, comes: Callable[[int], bool]) -> None:
        super().__init__()
        self._store = store
        self._comes = comes

    def fold(self, rows: Rows, batch: Batch) -> Changes:
        if self._comes(len(self.folded)):
            with closing(self._store.open(self._store.serving()["diary"])) as generation:
                generation.claim("projector", generation.checkpoints())
        return super().fold(rows, batch)


@pytest.fixture
def spine(tmp_path: Path) -> Iterator[Spine]:
    """A diary of which all events are parked."""
    log = MemoryLog(shards=1)
    log.append(EVENTS)
    with Spine(tmp_path, log, projections=(Diary({EVENTS[0].id}),), batch_events=1_000) as spine:
        spine.fold()
        yield spine


def test_it_goes_on_where_the_projector_took_over(spine: Spine) -> None:
    outcome = redrive(spine.store, Disturbed(spine.store, {300, 800}.__contains__), None, lambda: "redrive")

    assert outcome == (600, 0)
    rows = spine.rows()["diary"]
    assert rows["documents"]["one"]["noted"] == [event.id for event in EVENTS]
    assert len(rows["entries"]) == 600


def test_it_ends_if_it_comes_to_nothing(spine: Spine) -> None:
    with pytest.raises(Fenced):
        redrive(spine.store, Disturbed(spine.store, lambda _: True), None, lambda: "redrive")

    assert len(spine.catalog.parked("diary")) == 600


def test_what_cannot_be_folded_still_is_told(spine: Spine) -> None:
    diary = Diary({EVENTS[400].id})

    assert redrive(spine.store, diary, ["one"], lambda: "redrive") == (400, 200)
    assert [parked.error != "" for parked in spine.catalog.parked("diary")] == [True] + [False] * 199
    assert [parked.position.sequence for parked in spine.catalog.parked("diary")] == sorted(
        parked.position.sequence for parked in spine.catalog.parked("diary")
    )

    diary.poison.clear()
    assert redrive(spine.store, diary, None, lambda: "redrive") == (200, 0)
    assert spine.rows()["diary"]["documents"]["one"]["noted"] == [event.id for event in EVENTS]
