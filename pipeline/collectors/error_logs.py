"""The error lines of an account's logs, put on the bus once each.

Once:   windows overlap, so a line is found several times. Its event has the same id each time; a run in the same process leaves
        out what the bus has taken before (``Known``), the central log or its projections drop the rest.
Lost:   nothing in silence. What could not be looked through or was too much is told in a finding, and looked through again by the
        next runs while it lies in their windows; what the bus refused is counted, and fails the run.
Order:  none is promised. Chunks take turns in being the first, so that a run that is short of time does not starve the same ones.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from pipeline.collectors import bus_events, shortfalls
from pipeline.collectors.bus import Bus, Put
from pipeline.collectors.bus_events import BusEvent
from pipeline.collectors.insights import Chunk, Found, Insights, Unfinished, Why, Window
from pipeline.collectors.place import Place

_TURN_SECONDS: Final = 300


class Known:
    """The ids that the bus has taken, while their lines can still be found again."""

    def __init__(self) -> None:
        self._times: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._times)

    def new(self, events: Iterable[BusEvent]) -> list[BusEvent]:
        """Those of ``events`` that are not known."""
        return [event for event in events if event.id not in self._times]

    def add(self, events: Iterable[BusEvent]) -> None:
        """The bus took these."""
        self._times.update((event.id, event.time_ms) for event in events)

    def forget(self, before_ms: int) -> None:
        """Forget the lines of before that time."""
        self._times = {name: time for name, time in self._times.items() if time >= before_ms}


@dataclass(slots=True)
class Collected:
    """What a run found: ``lines`` in all, ``beyond`` that were too many, ``unfinished`` chunks, and what became of the events."""

    lines: int = 0
    beyond: int = 0
    put: Put = field(default_factory=Put)
    unfinished: list[Unfinished] = field(default_factory=list)
    too_many: list[Chunk] = field(default_factory=list)

    @property
    def timed_out(self) -> int:
        """How many chunks were too slow."""
        return sum(answer.why is Why.TIMED_OUT for answer in self.unfinished)


class ErrorLogs:
    """The collector."""

    def __init__(self, insights: Insights, bus: Bus, place: Place, known: Known) -> None:
        self._insights = insights
        self._bus = bus
        self._place = place
        self._known = known

    def collect(self, chunks: Sequence[Chunk], window: Window, *, until: float) -> Collected:
        """Look through ``chunks`` and put what is found. Raises what ``Insights.ask`` raises."""
        done = Collected()
        self._known.forget(window.since * 1000)
        for answer in self._insights.ask(in_turn(chunks, window), window, until=until):
            if isinstance(answer, Found):
                self._put(answer, done)
            else:
                done.unfinished.append(answer)
        done.put.add(self._bus.put(shortfalls.told(self._place, done.unfinished, done.beyond, done.too_many, window)))
        return done

    def _put(self, found: Found, done: Collected) -> None:
        put = self._bus.put(self._known.new(bus_events.of_lines(self._place, found.lines)))
        self._known.add(put.taken)
        done.put.add(put)
        done.lines += len(found.lines)
        done.beyond += found.beyond
        if found.beyond:
            done.too_many.append(found.chunk)


def in_turn(chunks: Sequence[Chunk], window: Window) -> Sequence[Chunk]:
    """``chunks``, beginning with another one each five minutes."""
    turned = deque(chunks)
    turned.rotate(-(window.until // _TURN_SECONDS))
    return tuple(turned)
