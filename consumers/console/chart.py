"""The geometry of a stacked bar chart, in units that the page scales: one bar a unit wide, 100 units high. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from consumers.api.figures import Slot
from consumers.palette import SEVERITIES

HEIGHT: Final = 100.0

_BAR: Final = 0.72
_ROUND: Final = (1.0, 1.2, 1.6, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a bar. ``y`` counts from the top."""

    severity: int
    word: str
    count: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """One bucket, gravest severity at the bottom."""

    start_us: int
    count: int
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars side by side under a top that is a round number."""

    bars: tuple[Bar, ...]
    top: int

    @property
    def width(self) -> int:
        """In units."""
        return len(self.bars)

    @property
    def count(self) -> int:
        """All that is shown."""
        return sum(bar.count for bar in self.bars)


def chart(slots: Sequence[Slot]) -> Chart:
    """The chart of slots that are split by severity."""
    top = round_up(max((slot.count for slot in slots), default=0))
    return Chart(tuple(_bar(place, slot, top) for place, slot in enumerate(slots)), top)


def round_up(number: int) -> int:
    """The next even number that reads well on an axis: 4, 6, 8, 10, 12, 16, 20, 30, 40; at least 4."""
    size = 1.0
    while True:
        for step in _ROUND:
            top = round(step * size)
            if top >= max(4, number) and top % 2 == 0:
                return top
        size *= 10


def _bar(place: int, slot: Slot, top: int) -> Bar:
    pieces = []
    y = HEIGHT
    for severity in reversed(range(len(SEVERITIES))):
        word = SEVERITIES[severity].word
        if count := slot.split.get(word, 0):
            height = HEIGHT * count / top
            y -= height
            pieces.append(Piece(severity, word, count, round(place + (1 - _BAR) / 2, 3), round(y, 3), _BAR, round(height, 3)))
    return Bar(slot.start_us, slot.count, tuple(pieces))
