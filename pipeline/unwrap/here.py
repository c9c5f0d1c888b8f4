"""One thing of the input, where it stood, and the bytes to keep if it cannot become an event.

Those bytes are the input *narrowed*: its wrapper with this one thing in it, without receipt handles and receive counts. So a
redelivered message gives the same bytes again, what the wrapper tells (topic, attributes) is not lost, and the bytes can be
ingested again as they are.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import orjson

from pipeline.errors import Fault
from pipeline.unwrap.documents import Document
from pipeline.unwrap.packing import Budget


class Unit(NamedTuple):
    """One thing of the input. ``raw`` is its bytes if it came on one line of its own; ``line`` and ``place`` are where it stood.

    With a ``fault`` there is no item. ``payload`` gives the bytes to keep if it cannot become an event.
    """

    item: Any
    raw: bytes | None
    line: int
    place: str
    payload: Callable[[], bytes]
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Here:
    """Where unwrapping stands: in which document, the path to here, how deep, and how bytes here become a narrowed input."""

    document: Document
    budget: Budget
    place: str = ""
    depth: int = 0
    narrowed: Callable[[bytes], bytes] = bytes

    def at(self, step: str, narrowed: Callable[[bytes], bytes] | None = None) -> "Here":
        """One step further in; without ``narrowed`` what is there stands for itself."""
        place = f"{self.place}{step}" if step.startswith("[") or not self.place else f"{self.place}.{step}"
        if narrowed is None:
            return replace(self, place=place, depth=self.depth + 1)
        outer = self.narrowed
        return replace(self, place=place, depth=self.depth + 1, narrowed=lambda inner: outer(narrowed(inner)))

    def unit(self, item: Any, raw: bytes | None = None) -> Unit:
        """An item that stands here."""
        return Unit(item, raw, self.document.line, self.place, partial(self._kept, item, raw))

    def faulty(self, value: Any, reason: str, field: str | None = None) -> Unit:
        """What stands here and is no item: bytes, or a JSON value."""
        raw = value if isinstance(value, bytes) else None
        fault = Fault(self.place if field is None else field, reason)
        return Unit(None, None, self.document.line, self.place, partial(self._kept, value, raw), fault)

    def _kept(self, value: Any, raw: bytes | None) -> bytes:
        try:
            return self.narrowed(orjson.dumps(value) if raw is None else raw)
        except TypeError:  # nested too deep to be written
            return self.document.raw
