"""A projection's file may be lost or damaged: the log has it all, so a rebuild mends it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from projections.errors import StoreUnavailable
from projections.rebuild import Outcome
from tests.support.diary import Diary, noted
from tests.support.memory_log import MemoryLog
from tests.support.spine import Spine

EVENTS = 20


@pytest.fixture
def diary() -> Diary:
    return Diary()


@pytest.fixture
def log() -> MemoryLog:
    log = MemoryLog(shards=2)
    log.append([noted(number) for number in range(EVENTS)])
    return log


@pytest.fixture
def spine(tmp_path: Path, log: MemoryLog, diary: Diary) -> Iterator[Spine]:
    with Spine(tmp_path, log, projections=[diary]) as spine:
        yield spine


def overwrite(path: Path) -> None:
    path.write_bytes(b"rubbish " * 1024)


@pytest.mark.filterwarnings("ignore:unclosed database:ResourceWarning")
@pytest.mark.parametrize("lose", [Path.unlink, overwrite])
def test_a_rebuild_replaces_a_serving_generation_whose_file_is_lost(
    spine: Spine, diary: Diary, lose: Callable[[Path], None]
) -> None:
    spine.fold()
    rows = spine.rows()
    spine.projector.close()
    lose(spine.folder / "diary-1.db")

    rebuilt = spine.rebuilder().rebuild(diary)

    assert (rebuilt.outcome, rebuilt.folded) == (Outcome.SWITCHED, EVENTS)
    assert spine.rows() == rows


@pytest.mark.filterwarnings("ignore:unclosed database:ResourceWarning")
def test_a_file_that_cannot_be_opened_just_now_is_not_taken_for_lost(spine: Spine, diary: Diary) -> None:
    spine.fold()
    spine.projector.close()
    file = spine.folder / "diary-1.db"
    file.unlink()
    file.mkdir()

    with pytest.raises(StoreUnavailable, match="unable to open"):
        spine.rebuilder().rebuild(diary)

    assert [info.number for info in spine.store.generations("diary")] == [1]
