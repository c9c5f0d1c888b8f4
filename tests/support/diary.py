"""A projection made for tests: each subject's events in order, some of which may be poison."""

from collections.abc import Collection, Mapping
from typing import ClassVar

from pipeline.log.port import Batch
from projections.projection import Changes, CountKey, Rows
from projections.segments import Entries
from schemas.envelope import Envelope
from tests.support.facts import MORNING_US, fact


class Diary:
    """A document a subject lists the ids of its events, in order; counts and entries tell how many there were.

    It raises on the events in ``poison``, halfway through them, until they are taken out of it.
    """

    name: ClassVar[str] = "diary"
    version: ClassVar[int] = 1
    folds: ClassVar[Mapping[str, int]] = {"diary.noted": 2}

    def __init__(self, poison: Collection[str] = ()) -> None:
        self.poison = set(poison)
        self.folded: list[int] = []
        """The sizes of the batches that it was asked to fold."""

    def parking_key(self, batch: Batch, index: int) -> str:
        return batch.columns.subject[index]

    def fold(self, rows: Rows, batch: Batch) -> Changes:
        c = batch.columns
        self.folded.append(len(batch))
        documents = rows.documents(set(c.subject))
        counts: dict[CountKey, int] = {}
        for index, subject in enumerate(c.subject):
            document = documents.setdefault(subject, {"noted": []})
            document["noted"].append(c.id[index])
            if c.id[index] in self.poison:
                message = f"cannot digest {batch.envelope(index).body.decode()}"
                raise ValueError(message)
            key = CountKey(c.time_us[index] // 3_600_000_000, c.source[index], c.severity[index], c.account[index], batch.shard)
            counts[key] = counts.get(key, 0) + 1
        entries = Entries(
            **{name: list(getattr(c, name)) for name in Entries.__slots__[:12] if name != "recorded_us"},
            recorded_us=list(batch.recorded_us),
            shard=[batch.shard] * len(batch),
            sequence=[position.sequence for position in batch.positions],
            sub=[position.sub for position in batch.positions],
        )
        return Changes(entries, counts, documents)


class NewDiary(Diary):
    """A later version of the fold, which lists the newest first."""

    version: ClassVar[int] = 2

    def fold(self, rows: Rows, batch: Batch) -> Changes:
        changes = super().fold(rows, batch)
        for document in changes.documents.values():
            document["noted"].sort(reverse=True)
        return changes


def noted(number: int, subject: str = "", **header: object) -> Envelope:
    """An entry of the diary; without a subject, of one of three."""
    known = {"subject": subject or f"subject-{number % 3}", "body": b'{"n":%d}' % number}
    return fact("diary.noted", MORNING_US + number * 1_000_000, number, **known | header)
