"""What wakes the notifier on AWS at a time that no event tells of: a delayed message of SQS.

One:   while a message is under way that comes in time, no other is sent. One that comes too early, since SQS delays by 900
       seconds at most, or for nothing, makes the notifier look, and arm the timer again.
Lost:  no message is: the queue keeps it for a fortnight, and has it delivered again until the notifier has ended well. That is
       half an hour later, the queue's visibility time-out, so an outage arms the timer anew.
Source: Amazon SQS Developer Guide, "Amazon SQS delay queues"; AWS Lambda Developer Guide, "Using Lambda with Amazon SQS".
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from consumers.notifier.errors import LedgerUnavailable
from pipeline.errors import LogUnavailable
from schemas.identity import MICROSECONDS

LONGEST_SECONDS: Final = 900
AGAIN_US: Final = 60 * MICROSECONDS
"""After how long what an outage broke off is tried again."""


class Timer:
    """Sends messages to the queue at ``queue_url``. ``clock``: microseconds since the epoch, UTC."""

    def __init__(self, client: Any, queue_url: str, clock: Callable[[], int]) -> None:
        self._client = client
        self._queue_url = queue_url
        self._clock = clock
        self._armed_us = 0

    def wake_at(self, moment_us: int | None) -> None:
        """See that the notifier is woken at ``moment_us`` or earlier; None: no need."""
        now_us = self._clock()
        if moment_us is None or now_us < self._armed_us <= max(moment_us, now_us) + MICROSECONDS:
            return
        seconds = min(max(-(-(moment_us - now_us) // MICROSECONDS), 0), LONGEST_SECONDS)
        self._client.send_message(QueueUrl=self._queue_url, MessageBody="wake", DelaySeconds=seconds)
        self._armed_us = now_us + seconds * MICROSECONDS

    @contextmanager
    def outlasting(self) -> Iterator[None]:
        """Whatever an outage breaks off in here is tried again in a minute. The error goes on."""
        try:
            yield
        except (LedgerUnavailable, LogUnavailable):
            self.wake_at(self._clock() + AGAIN_US)
            raise

    def wake(self) -> None:
        """See that the notifier is woken now: somebody changed what it delivers."""
        self._client.send_message(QueueUrl=self._queue_url, MessageBody="wake")
