"""The relay: brings the desks' facts onto the log, in the order in which they were stored.

Once:  an event's id derives from aggregate and version, so that what is relayed again counts once.
Order: of notifications. Whoever relays begins behind a mark before which all is on the log, and moves it forward only; so the
       first occurrences of an aggregate's facts stand on the log in order, however many relays there are, wherever they die.
Lost:  nothing. The mark moves after the log has accepted; what the log did not accept is told again, and nothing is passed over.
Log:   one that was replaced, cut off, or put back from an older copy lacks what the mark says it has. Where it can be asked for
       an id, and refuses known ones (the embedded log), ``mend`` notices, and tells it all again from the first on.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event
from typing import Final

from eventsourcing.persistence import IntegrityError, Notification, PersistenceError, Tracking

from pipeline.desks.desk import COMMAND
from pipeline.desks.errors import DesksUnavailable, RelayStuck
from pipeline.desks.fact import FactMapper
from pipeline.desks.recorder.port import Recorders
from pipeline.errors import LogUnavailable
from pipeline.log.port import Log, Outcome, Receipt

MARK: Final = "log"
"""The mark's name in the recorder."""

_BATCH: Final = 500
_WAIT_SECONDS: Final = 1.0
_PATIENCE_SECONDS: Final = 0.5
_logger = logging.getLogger(__name__)


class Relay:
    """From one recorder to one log. Several may run at once; one is enough."""

    def __init__(self, recorders: Recorders, log: Log, *, batch: int = _BATCH) -> None:
        self._recorders = recorders
        self._log = log
        self._batch = batch
        self._mapper = FactMapper()

    def position(self) -> int:
        """The notification up to which all is on the log. Raises ``DesksUnavailable``."""
        with _translated():
            return self._recorders.events.max_tracking_id(MARK) or 0

    def step(self) -> int:
        """Relay what is there, up to a batch; returns how many notifications were done.

        Raises ``LogUnavailable`` or ``DesksUnavailable``, to be tried again; ``RelayStuck``, which a person must mend.
        """
        seen = self.position()
        with _translated():
            found = self._recorders.events.select_notifications(seen, self._batch, inclusive_of_start=False)
        if [notification.id for notification in found] != list(range(seen + 1, seen + 1 + len(found))):
            message = f"notifications behind {seen} are missing from the desks' recorder"
            raise RelayStuck(message)
        done = self._appended(found)
        if done:
            self._advance(seen + done)
        if done < len(found):
            message = f"the log did not take the facts behind notification {seen + done}"
            raise LogUnavailable(message)
        return done

    def mend(self, find: Callable[[str], object]) -> int:
        """Tell a log all that was relayed and that it lacks; returns how many facts it lacked. ``find`` is None for unknown ids.

        Looks for the last fact that was relayed: a log that has it has all before. Raises as ``step`` does.
        """
        seen = self.position()
        last = self._last_fact(seen)
        if last is None or find(self._mapper.to_domain_event(last).envelope().id) is not None:
            return 0
        found = lacked = 0
        while found < seen:
            with _translated():
                some = self._recorders.events.select_notifications(found, self._batch, stop=seen, inclusive_of_start=False)
            lacked += self._accepted([notification for notification in some if notification.topic != COMMAND])
            found = some[-1].id
        return lacked

    def run(self, stop: Event) -> None:
        """Relay as facts come, until told to stop. Outages are waited for. Raises ``RelayStuck``."""
        while not stop.is_set():
            try:
                if not self.step():
                    self._recorders.wait(self.position(), _WAIT_SECONDS)
            except (LogUnavailable, DesksUnavailable) as broken:
                _logger.warning("waiting: %s", broken)
                stop.wait(_PATIENCE_SECONDS)

    def _last_fact(self, seen: int) -> Notification | None:
        """The last fact up to a notification; behind it may stand any number of keys, of commands that changed nothing."""
        while seen:
            begin = max(seen - self._batch, 0)
            with _translated():
                some = self._recorders.events.select_notifications(begin, self._batch, stop=seen, inclusive_of_start=False)
            if facts := [notification for notification in some if notification.topic != COMMAND]:
                return facts[-1]
            seen = begin
        return None

    def _appended(self, notifications: Sequence[Notification]) -> int:
        """How many of these, from the first on, need not be told again."""
        places = [place for place, notification in enumerate(notifications) if notification.topic != COMMAND]
        events = [self._mapper.to_domain_event(notifications[place]).envelope() for place in places]
        for place, receipt in zip(places, self._log.append(events) if events else [], strict=True):
            if receipt.outcome is Outcome.REFUSED and not place:
                self._refuse(receipt)
            if receipt.outcome in (Outcome.REFUSED, Outcome.FAILED):
                return place  # what stands before is marked, lest it be told at each attempt
        return len(notifications)

    def _accepted(self, facts: Sequence[Notification]) -> int:
        """Tell these; how many of them the log did not have. Raises ``LogUnavailable``, ``RelayStuck``."""
        receipts = self._log.append([self._mapper.to_domain_event(fact).envelope() for fact in facts]) if facts else []
        for receipt in receipts:
            if receipt.outcome is Outcome.REFUSED:
                self._refuse(receipt)
        if any(receipt.outcome is Outcome.FAILED for receipt in receipts):
            message = "the log did not take what it lacks"
            raise LogUnavailable(message)
        return sum(receipt.outcome is Outcome.ACCEPTED for receipt in receipts)

    @staticmethod
    def _refuse(receipt: Receipt) -> None:
        message = f"the log refuses {receipt.id}: {receipt.reason}"
        raise RelayStuck(message)

    def _advance(self, to: int) -> None:
        """Move the mark; another relay may have moved it further."""
        with _translated():
            try:
                self._recorders.events.insert_tracking(Tracking(MARK, to))
            except IntegrityError:
                _logger.info("another relay has come to %d already", to)


@contextmanager
def _translated() -> Iterator[None]:
    """A recorder's errors as ours."""
    try:
        yield
    except PersistenceError as broken:
        raise DesksUnavailable(str(broken)) from broken
