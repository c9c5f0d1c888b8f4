"""Documents as events: what each unit in them became, in order, one answer a unit.

An answer is an event, checked and ready for the log, or a refusal with its faults and the bytes to keep. Nothing is stored here.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from pipeline.errors import Fault, ItemRejected, NotUnpacked
from pipeline.sources import forms
from pipeline.unwrap import packing, wrappers
from pipeline.unwrap.documents import Document, in_bytes
from pipeline.unwrap.here import Unit
from pipeline.unwrap.packing import MEBIBYTE, PACKED, Budget
from schemas.envelope import Envelope

UNPACKED: Final = 256 * MEBIBYTE
"""Most bytes that may come out of the packed parts of one document."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A unit that cannot become an event, and all that is wrong with it."""

    unit: Unit
    faults: tuple[Fault, ...]

    @property
    def reason(self) -> str:
        """The faults in one sentence for people."""
        return "; ".join(fault.reason for fault in self.faults)


def documents(raw: bytes, budget: Budget) -> Iterator[Document]:
    """The documents in ``raw``, which may be gzip; gzip that cannot be opened is one bad document."""
    if raw.startswith(PACKED):
        try:
            raw = packing.unpacked(raw, budget)
        except NotUnpacked as broken:
            yield Document(None, raw, 1, str(broken))
            return
    yield from in_bytes(raw)


def events(found: Iterable[Document], custom: frozenset[str], budget: Budget | None = None) -> Iterator[Envelope | Refused]:
    """The answers for documents. ``custom`` are registered sources; ``budget`` bounds unpacking over all, else of each."""
    for document in found:
        value = document.value
        if type(value) is dict and "detail-type" in value and not wrappers.several_findings(value):  # nearly all: straight on
            raw = document.raw
            try:
                yield forms.event(value, None if b"\n" in raw else raw, custom)
                continue
            except ItemRejected:
                pass  # again below, where a refusal gets its place
        for unit in wrappers.units(document, budget or Budget(UNPACKED)):
            yield _answer(unit, custom)


def _answer(unit: Unit, custom: frozenset[str]) -> Envelope | Refused:
    if unit.fault:
        return Refused(unit, (unit.fault,))
    try:
        return forms.event(unit.item, unit.raw, custom)
    except ItemRejected as rejected:
        return Refused(unit, rejected.faults)
