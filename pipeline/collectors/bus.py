"""The way onto the central event bus.

Batches: at most 10 entries and 256 KB a call.
Retries: the entries of a call that were refused for a reason that passes are put again, and only these; a call that failed as a
         whole may have been taken, and is put again as a whole: the events' ids make that harmless.
Order:   none is promised.
Source:  Amazon EventBridge User Guide, "Sending events with PutEvents", "Amazon EventBridge quotas".
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from pipeline.collectors import backoff, faults
from pipeline.collectors.bus_events import LARGEST_CALL, BusEvent

ENTRIES: Final = 10
TRIES: Final = 5


class EventsClient(Protocol):
    """What is needed of boto3's ``events`` client."""

    def put_events(self, *, Entries: Any) -> Any:  # noqa: N803  # boto3's name
        """Put entries; see the API reference."""
        ...


@dataclass(slots=True)
class Put:
    """What became of events: ``taken`` by the bus, or ``refused``, and why the first one was."""

    taken: list[BusEvent] = field(default_factory=list)
    refused: list[BusEvent] = field(default_factory=list)
    reason: str = ""

    def add(self, other: "Put") -> None:
        """Count what became of further events."""
        self.taken += other.taken
        self.refused += other.refused
        self.reason = self.reason or other.reason


class Bus:
    """The bus at ``arn``. No call is begun after ``until``, on ``clock``, in seconds: what is left by then is refused."""

    def __init__(
        self,
        client: EventsClient,
        arn: str,
        *,
        until: float,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        random: Callable[[], float],
    ) -> None:
        self._client = client
        self._arn = arn
        self._until = until
        self._clock = clock
        self._sleep = sleep
        self._random = random

    def put(self, events: Iterable[BusEvent]) -> Put:
        """Put all of ``events``. Never raises for what AWS answers."""
        done = Put()
        for batch in _batches(events):
            done.add(self._put(batch))
        return done

    def _put(self, batch: Sequence[BusEvent]) -> Put:
        done, left, reason = Put(), list(batch), "no time was left"
        for tries in range(TRIES):
            if tries:
                self._sleep(backoff.wait_seconds(tries, self._random))
            if self._clock() >= self._until:
                break
            left, reason = self._once(left, done)
            if not left:
                return done
        done.add(Put(refused=left, reason=reason))
        return done

    def _once(self, events: list[BusEvent], done: Put) -> tuple[list[BusEvent], str]:
        """Put these in one call; returns those to put again, and why."""
        try:
            answer = self._client.put_events(Entries=[event.entry(self._arn) for event in events])
        except faults.AwsFault as fault:
            if faults.passes(fault):
                return events, str(fault)
            done.add(Put(refused=events, reason=str(fault)))
            return [], ""
        left, why = [], ""
        for event, entry in zip(events, answer["Entries"], strict=True):
            code = entry.get("ErrorCode")
            reason = f"{code}: {entry.get('ErrorMessage', '')}"
            if not code:
                done.taken.append(event)
            elif faults.code_passes(code):
                left.append(event)
                why = why or reason
            else:
                done.add(Put(refused=[event], reason=reason))
        return left, why


def _batches(events: Iterable[BusEvent]) -> Iterator[list[BusEvent]]:
    batch: list[BusEvent] = []
    held = 0
    for event in events:
        size = event.size
        if batch and (len(batch) == ENTRIES or held + size >= LARGEST_CALL):
            yield batch
            batch, held = [], 0
        batch.append(event)
        held += size
    if batch:
        yield batch
