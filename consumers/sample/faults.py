"""Input that cannot become an event: what a sample spoils on purpose. Each answer is one line of bytes (not always UTF-8)."""

from collections.abc import Callable
from random import Random
from typing import Final

from consumers.sample.template import Holes, compiled


def spoil(rng: Random, payload: bytes, holes: Holes) -> bytes:
    """Something unreadable, made from a good payload or in its place."""
    return rng.choice(_WAYS)(payload, holes)


def _cut(payload: bytes, _holes: Holes) -> bytes:
    """The end of a payload whose beginning was lost: a line by itself, while a lost end would take the next line along."""
    return b"..." + payload[len(payload) // 3 :].lstrip(b"{[")


def _not_text(payload: bytes, _holes: Holes) -> bytes:
    return payload[:-1] + b',"x":"\xff\xfe"}'


def _plain(_payload: bytes, holes: Holes) -> bytes:
    return b"%b collector: could not write its answer as JSON, request %b" % (holes[b"time"], holes[b"request"])


_DOCUMENT: Final = {
    "version": "0",
    "id": "«id»",
    "detail-type": "Probe Result",
    "source": "monitoring.probes",
    "account": "111122223333",
    "time": "«time»",
    "region": "eu-west-1",
    "resources": [],
    "detail": {"title": "a probe that speaks badly", "number": "«#count»"},
}


def _broken(**changes: object) -> Callable[[bytes, Holes], bytes]:
    """A document with these fields changed, or left out if None."""
    changed = _DOCUMENT | {name.replace("_", "-"): value for name, value in changes.items()}
    template = compiled({name: value for name, value in changed.items() if value is not None})
    return lambda _payload, holes: template % holes


_WAYS: Final[tuple[Callable[[bytes, Holes], bytes], ...]] = (
    _cut,
    _not_text,
    _plain,
    _broken(time="the day before yesterday"),
    _broken(time="2026-13-45T27:61:00Z"),
    _broken(account="12345"),
    _broken(source=""),
    _broken(detail="a text where an object belongs"),
)
