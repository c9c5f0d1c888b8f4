"""Which channels fail while notices wait for them, as the ledger knows it; and what a person does about that."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from consumers.notifier.ledger.port import Tally
from consumers.notifier.notice import State
from consumers.notifier.retry import Pace
from consumers.notifier.why.sentence import fails


class Book(Protocol):
    """What is asked of the ledger; ``consumers.notifier.ledger.port`` says what the answers are."""

    def tallies(self) -> list[Tally]:
        """How many notices there are, by channel and state."""
        ...

    def pace(self, channel: str) -> Pace:
        """How the channel rests."""
        ...

    def retry(self, channel: str, now_us: int) -> int:
        """Have ``channel`` tried now. Returns how many notices wait for it."""
        ...


@dataclass(frozen=True, slots=True)
class Failing:
    """A channel that fails. ``waiting`` counts the notices that wait for it."""

    channel: str
    pace: Pace
    waiting: int

    @property
    def told(self) -> str:
        """The same for people, without the notices."""
        return fails(self.channel, self.pace)


def failing(ledger: Book, tallies: Iterable[Tally] | None = None) -> list[Failing]:
    """The channels that fail, by name. ``tallies`` are the ledger's, if they are known already. Raises ``LedgerUnavailable``."""
    waiting = [tally for tally in (ledger.tallies() if tallies is None else tallies) if tally.state is State.PENDING]
    found = [Failing(tally.channel, ledger.pace(tally.channel), tally.count) for tally in waiting if tally.count]
    return sorted((each for each in found if each.pace.failures), key=lambda each: each.channel)


@dataclass(frozen=True, slots=True)
class Retried:
    """A channel that a person had tried. ``waiting`` counts its notices; ``until_us`` is until when it asked to be left alone."""

    channel: str
    waiting: int
    until_us: int | None


def retry(ledger: Book, channel: str, now_us: int) -> Retried:
    """Have ``channel`` tried now. Raises ``LedgerUnavailable``."""
    waiting, pace = ledger.retry(channel, now_us), ledger.pace(channel)
    return Retried(channel, waiting, pace.not_before_us if pace.asked and pace.not_before_us > now_us else None)
