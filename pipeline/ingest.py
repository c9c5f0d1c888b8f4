"""From raw input to the log: every item becomes an accepted event, a duplicate, or an entry of the quarantine with its reason.

Counting:   the units are the items after unwrapping (``pipeline.unwrap``), and ``accepted + duplicate + quarantined == read``.
            Blank input has none. A control message and an empty array, batch or log payload are one unit each and go to the
            quarantine: nothing is dropped in silence.
Durability: when a call returns, each unit is durable on the log or in the quarantine. When it raises ``LogUnavailable``, some
            may be: give the whole input again, what is there already counts as a duplicate.
Order:      events are appended in the order of the input.
Memory:     bounded by 1,000 units (or 8 MiB of bodies) and one document, 64 MiB at most; gzip in ``take`` by 256 MiB.
"""

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import BinaryIO, Final, Protocol

from pipeline import recognise
from pipeline.errors import InputRejected, LogUnavailable, NotUnpacked, QuarantineItemUnknown, RejectedItem
from pipeline.log.port import Outcome, Position, Receipt
from pipeline.quarantine.port import Quarantine, Reject, Status
from pipeline.recognise import UNPACKED, Refused
from pipeline.unwrap import documents, packing
from pipeline.unwrap.packing import MEBIBYTE, Budget
from schemas import codec
from schemas.envelope import Envelope

BATCH: Final = 1_000
MOST_ACCEPTED: Final = 10_000
"""Most items of one ``accept``, which holds them all until it knows that all are good."""

_BATCH_BYTES: Final = 8 * MEBIBYTE
_UNPACKED_IN_A_REQUEST: Final = 32 * MEBIBYTE
_BODIES_IN_A_REQUEST: Final = 64 * MEBIBYTE
"""Most bytes of all bodies of one ``accept``: what stands around many items of a wrapper is repeated in each of their bodies."""
_TRIES: Final = 3


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of an input. ``positions`` is the last one of each shard that holds its events: read behind them to see all.

    ``took_us`` is the time it took, in microseconds.
    """

    read: int = 0
    accepted: int = 0
    duplicate: int = 0
    quarantined: int = 0
    positions: tuple[Position, ...] = ()
    took_us: int = 0


@dataclass(frozen=True, slots=True)
class Accepted:
    """The answer to input that was good in full: the tally, and a receipt an event in the order of the input."""

    tally: Tally
    receipts: tuple[Receipt, ...]


class Appends(Protocol):
    """What ingest needs of a log (``pipeline.log.port.Log``)."""

    def append(self, events: Sequence[Envelope]) -> list[Receipt]:
        """Append events, each to its subject's shard; see the port."""
        ...


class Ingest:
    """The way in. ``clock`` gives microseconds since the epoch and only measures; ``custom_sources`` are registered ones."""

    def __init__(
        self,
        log: Appends,
        quarantine: Quarantine,
        *,
        clock: Callable[[], int],
        custom_sources: AbstractSet[str] = frozenset(),
    ) -> None:
        self._log = log
        self._quarantine = quarantine
        self._clock = clock
        self._custom = frozenset(custom_sources)

    def take(self, raw: bytes, *, origin: str) -> Tally:
        """Take all of ``raw``: JSON in any arrangement and wrapping, perhaps gzip. Never raises for what it holds.

        ``origin`` is where it comes from (a file's name, ``stdin``); a reject's origin adds line and place: ``a.ndjson:7``.
        Raises ``LogUnavailable``.
        """
        return self._take(self._answers(raw, UNPACKED), lambda refused: _at(origin, refused)).tally()

    def take_lines(self, lines: Iterable[bytes], *, origin: str) -> Tally:
        """Take lines one after the other, with as little memory as one document and one batch need. Raises ``LogUnavailable``."""
        answers = recognise.events(documents.in_lines(lines), self._custom)
        return self._take(answers, lambda refused: _at(origin, refused)).tally()

    def take_stream(self, stream: BinaryIO, *, origin: str) -> Tally:
        """Take a file or stdin of any size, plain or gzip, as ``take_lines`` does.

        Raises ``LogUnavailable``, and ``InputRejected`` where gzip turns out damaged or a bomb; what came before is taken.
        """
        return self.take_lines(documents.lines_of(packing.chunks(stream)), origin=origin)

    def accept(self, raw: bytes, *, origin: str = "http") -> Accepted:
        """Take ``raw`` if all of it is good, all or nothing; nothing goes to the quarantine, for the sender hears what is wrong.

        Raises ``InputRejected`` naming item, field and reason of everything bad (also blank and empty input, more than 10,000
        items, and bodies of more than 64 MiB); then nothing was kept, but where the log refuses an event as too large for it: its
        ``taken`` counts the others. Raises ``LogUnavailable``.
        """
        batch = _Batch(self._clock)
        bad: list[RejectedItem] = []
        size = 0
        several = False
        for index, answer in enumerate(self._answers(raw, _UNPACKED_IN_A_REQUEST)):
            if index == MOST_ACCEPTED:
                raise InputRejected([RejectedItem(index, "", f"more than {MOST_ACCEPTED:,} items at once; send fewer")])
            several |= index > 0
            if isinstance(answer, Refused):
                several |= answer.unit.place.startswith("[")
                bad += [RejectedItem(index, fault.field, fault.reason) for fault in answer.faults]
            else:
                batch.events.append(answer)
                size += len(answer.body)
                if size > _BODIES_IN_A_REQUEST:
                    most = _BODIES_IN_A_REQUEST // MEBIBYTE
                    raise InputRejected([RejectedItem(index, "", f"the events make more than {most} MiB; send fewer at once")])
        if not (batch.events or bad):
            bad = [RejectedItem(0, "", f"the input from {origin} is blank: expected JSON")]
        if bad:
            raise InputRejected(bad, several=several)
        receipts = self._append(batch.events)  # in one call: a log that is full or cannot be reached takes all of them or none
        batch.stored(receipts)
        if too_large := [RejectedItem(i, "", r.reason) for i, r in enumerate(receipts) if r.outcome is Outcome.REFUSED]:
            tally = batch.tally()
            taken = (tally.read, tally.accepted, tally.duplicate, tally.quarantined)
            raise InputRejected(too_large, taken, several=len(receipts) > 1)
        return Accepted(batch.tally(), tuple(receipts))

    def reingest(self, item_id: str) -> Tally:
        """Take a held item of the quarantine again, after code or settings were mended.

        It is released once its events are on the log. If it still fails it stays held, with the new reason. Parts of it that
        fail for themselves become items of their own. Raises ``QuarantineItemUnknown``, ``LogUnavailable``.
        """
        item = self._quarantine.get(item_id)
        if item is None:
            raise QuarantineItemUnknown(item_id)
        batch = self._take(self._answers(item.reject.payload, UNPACKED), lambda _: item.reject.origin)
        if item_id not in batch.held:
            self._quarantine.mark(item_id, Status.RELEASED)
        return batch.tally()

    def _answers(self, raw: bytes, most: int) -> Iterable[Envelope | Refused]:
        budget = Budget(most)
        return recognise.events(recognise.documents(raw, budget), self._custom, budget)

    def _take(self, answers: Iterable[Envelope | Refused], at: Callable[[Refused], str]) -> "_Batch":
        batch = _Batch(self._clock)
        events, rejects, size = batch.events, batch.rejects, 0
        try:
            for answer in answers:
                if isinstance(answer, Envelope):
                    events.append(answer)
                    size += len(answer.body)
                else:
                    rejects.append(_reject(answer, at(answer)))
                    size += len(rejects[-1].payload)
                if len(events) + len(rejects) >= BATCH or size >= _BATCH_BYTES:
                    self._store(batch)
                    size = 0
        except NotUnpacked as broken:  # the stream itself; what came before counts
            self._store(batch)
            tally = batch.tally()
            taken = (tally.read, tally.accepted, tally.duplicate, tally.quarantined)
            item = RejectedItem(batch.read, "", f"the input {broken}; what came before was taken")
            raise InputRejected([item], taken) from None
        self._store(batch)
        return batch

    def _store(self, batch: "_Batch") -> None:
        if batch.events:
            receipts = self._append(batch.events)
            batch.rejects += [
                Reject(codec.encode(event), receipt.reason, origin="log")
                for event, receipt in zip(batch.events, receipts, strict=True)
                if receipt.outcome is Outcome.REFUSED
            ]
            batch.stored(receipts)
        if batch.rejects:
            batch.kept(self._quarantine.put(batch.rejects))

    def _append(self, events: Sequence[Envelope]) -> list[Receipt]:
        """Append all; what the log failed to store is tried again. Raises ``LogUnavailable`` if it still fails."""
        receipts = self._log.append(events)
        tries = 1
        while failed := [index for index, receipt in enumerate(receipts) if receipt.outcome is Outcome.FAILED]:
            if tries == _TRIES:
                message = (
                    f"{len(failed)} of {len(events)} events were not stored, the first because: {receipts[failed[0]].reason}"
                )
                raise LogUnavailable(message)
            tries += 1
            for index, receipt in zip(failed, self._log.append([events[index] for index in failed]), strict=True):
                receipts[index] = receipt
        return receipts


class _Batch:
    """What is under way, and the counts of what is done."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self.events: list[Envelope] = []
        self.rejects: list[Reject] = []
        self.held: set[str] = set()
        self._accepted = self._duplicate = self._quarantined = 0
        self._last: dict[str, Position] = {}
        self._clock = clock
        self._began = clock()

    @property
    def read(self) -> int:
        """How many units were stored."""
        return self._accepted + self._duplicate + self._quarantined

    def stored(self, receipts: Sequence[Receipt]) -> None:
        """Count the events as stored."""
        last = self._last
        for receipt in receipts:
            self._accepted += receipt.outcome is Outcome.ACCEPTED
            self._duplicate += receipt.outcome is Outcome.DUPLICATE
            at = receipt.position
            if at and (at.shard not in last or last[at.shard] < at):
                last[at.shard] = at
        self.events.clear()

    def kept(self, ids: Sequence[str]) -> None:
        """Count the rejects as kept in the quarantine."""
        self._quarantined += len(ids)
        self.held.update(ids)
        self.rejects.clear()

    def tally(self) -> Tally:
        """The counts."""
        positions = tuple(self._last[shard] for shard in sorted(self._last))
        return Tally(self.read, self._accepted, self._duplicate, self._quarantined, positions, self._clock() - self._began)


def _reject(refused: Refused, at: str) -> Reject:
    return Reject(refused.unit.payload(), refused.reason, refused.faults[0].field, at)


def _at(origin: str, refused: Refused) -> str:
    """Where a refused unit stood. A file's name may be bytes that are no text; those are spelled out."""
    return f"{origin}:{refused.unit.line} {refused.unit.place}".rstrip().encode(errors="backslashreplace").decode()
