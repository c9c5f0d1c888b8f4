"""The decisions about groups, run by hand: items by name, a clock that goes on when told, and what was decided as words.

An event is written ``SECOND NAME WHAT field=value …``: ``0 disk fires``, ``90 disk ends``, ``5 note happens severity=LOW``. What
was decided is read as ``SECOND REASON NAME …``, what is over as ``-NAME``; what is held as ``SECOND held REASON NAME …``; what
fires on behind ``still``.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from consumers import palette
from consumers.notifier.groups.decide import decide
from consumers.notifier.groups.kept import Kept, Overlay
from consumers.notifier.groups.state import Group, Hold, Member, Send
from consumers.notifier.item import Item, Turn
from consumers.notifier.notice import Cause
from consumers.notifier.routing import matchers, text
from consumers.notifier.routing.tree import Policies, Silence
from pipeline.log.port import Position
from schemas.identity import derived_id

BEGIN_US = 1_700_000_000_000_000
SECOND_US = 1_000_000
WORDS = [tone.word for tone in palette.SEVERITIES]
TURNS = {"fires": Turn.FIRING, "ends": Turn.RESOLVED, "acked": Turn.ACKNOWLEDGED, "happens": Turn.MOMENT}
ONE = "routes: {channel: ops}"
"""One group for everything, with the intervals that hold by default."""


@dataclass(frozen=True)
class Arrival:
    """An item and the second at which it comes."""

    second: int
    item: Item


def arrival(line: str, number: int) -> Arrival:
    """The ``number``th event, as ``line`` writes it. ``at=SECOND`` says that it happened at another time than it came."""
    second, name, what, *rest = line.split()
    given = dict(pair.split("=", 1) for pair in rest)
    happened = BEGIN_US + int(given.pop("at", second)) * SECOND_US
    return Arrival(int(second), item(name, TURNS[what], happened, number, given))


def item(name: str, turn: Turn, at_us: int, number: int, fields: dict[str, str]) -> Item:
    fields = {"type": "finding.observed", "severity": "HIGH", "subject": name, **fields}
    event_id = derived_id(at_us, "test", name, str(number))
    severity, over = WORDS.index(fields["severity"]), turn is Turn.RESOLVED
    cause = Cause(event_id, Position("s", number), severity, "generic", name, over)
    return Item(event_id if turn is Turn.MOMENT else name, turn, cause, at_us, fields)


def silence(text_of_it: str, since: int, until: int) -> Silence:
    few = matchers.read_all(text_of_it.split())
    return Silence("s1", few, BEGIN_US + since * SECOND_US, BEGIN_US + until * SECOND_US, "moving house", "")


def policies(routing: str = ONE, *silences: Silence) -> Policies:
    return Policies(text.read(routing), silences)


class Machine:
    """The state machine with a memory that is committed step by step; ``restart`` is what a new process finds."""

    def __init__(self, given: Policies) -> None:
        self.policies = given
        self.kept = Kept()
        self.second = 0
        self.known: set[str] = set()
        self.outcomes: list[tuple[int, Send | Hold]] = []

    @property
    def now_us(self) -> int:
        return BEGIN_US + self.second * SECOND_US

    def batch(self, items: Iterable[Item]) -> Overlay:
        """What a batch makes of the world, and then the time; not committed."""
        overlay = Overlay(self.kept)
        for one in items:
            if one.cause.event_id not in self.known | named_by(overlay):
                overlay.apply(decide(overlay, self.policies, one, self.now_us))
        while change := decide(overlay, self.policies, None, self.now_us):
            overlay.apply(change)
        return overlay

    def take(self, *items: Item) -> None:
        """Take items in, look at what is due, and commit."""
        overlay = self.batch(items)
        self.known |= named_by(overlay)
        self.outcomes += [(self.second, outcome) for outcome in overlay.change.outcomes]
        self.kept.apply(overlay.change)

    def until(self, second: int) -> None:
        """Let time go on, and be there whenever a group is to be looked at."""
        while (next_us := self.kept.next_us) is not None and (due := -(-(next_us - BEGIN_US) // SECOND_US)) <= second:
            self.second = max(self.second, due)
            self.take()
        self.second = second

    def restart(self) -> None:
        """Go on with what a new process loads."""
        self.kept = Kept(groups_of(self.kept))

    def run(self, arrivals: Sequence[Arrival], second: int) -> None:
        """Let everything come at its time, then time go on until ``second``."""
        for one in arrivals:
            self.until(one.second)
            self.take(one.item)
        self.until(second)


def named_by(overlay: Overlay) -> set[str]:
    """The events that what was decided names: what a ledger knows once that is committed."""
    return {
        cause.event_id
        for outcome in overlay.change.outcomes
        for cause in (outcome.news if isinstance(outcome, Send) else outcome.causes)
    }


def groups_of(kept: Kept) -> list[tuple[Group, list[Member]]]:
    return [(group, list(kept.members(key).values())) for key, group in kept._groups.items()]


def script(lines: str) -> list[Arrival]:
    """Events with semicolons between them."""
    return [arrival(line.strip(), number) for number, line in enumerate(filter(str.strip, lines.split(";")))]


def told(given: Policies, lines: str, second: int) -> list[str]:
    """What is decided until ``second``, as words."""
    machine = Machine(given)
    machine.run(script(lines), second)
    return [in_words(at, outcome) for at, outcome in machine.outcomes]


def in_words(second: int, outcome: Send | Hold) -> str:
    if isinstance(outcome, Hold):
        return " ".join([str(second), "held", outcome.reason, *map(name_of, outcome.causes)])
    still = ["still", *map(name_of, outcome.still)] if outcome.still else []
    return " ".join([str(second), outcome.reason, *map(name_of, outcome.news), *still])


def name_of(cause: Cause) -> str:
    return f"{'-' if cause.resolved else ''}{cause.resource}"
