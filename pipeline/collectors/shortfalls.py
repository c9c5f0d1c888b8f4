"""What is missing after a run, as findings for people: which log groups, which stretch of time, why, and what to do."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from pipeline.collectors import bus_events
from pipeline.collectors.bus_events import BusEvent
from pipeline.collectors.insights import Chunk, Unfinished, Why, Window
from pipeline.collectors.place import Place

_REASONS: Final = {
    Why.TIMED_OUT: "the query took too long",
    Why.NO_TIME_LEFT: "the run was short of time",
    Why.FAILED: "the query failed",
}
_AGAIN: Final = "The next runs look again while it lies in their window; later, start the agent with since and until."


def told(
    place: Place, unfinished: Sequence[Unfinished], beyond: int, too_many: Sequence[Chunk], window: Window
) -> Iterator[BusEvent]:
    """A finding a reason; none if nothing is missing."""
    for why, reason in _REASONS.items():
        short = [answer for answer in unfinished if answer.why is why]
        if short:
            said = next((f" ({answer.told})" for answer in short if answer.told), "")
            groups = _names(answer.chunk for answer in short)
            text = f"Not looked through for error lines {_between(window)}: {reason}{said}. {_AGAIN}"
            yield bus_events.shortfall(place, f"{len(groups)} log groups not looked through", text, groups, window.until * 1000)
    if beyond:
        text = f"{beyond:,} error lines {_between(window)} were more than one run collects. {_AGAIN}"
        yield bus_events.shortfall(place, f"{beyond:,} error lines not collected", text, _names(too_many), window.until * 1000)


def _names(chunks: Iterable[Chunk]) -> set[str]:
    return {name for chunk in chunks for name in chunk}


def _between(window: Window) -> str:
    return f"between {_moment(window.since)} and {_moment(window.until)}"


def _moment(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
