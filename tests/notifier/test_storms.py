"""Storms, and channels that fail in them, by a clock that the test moves: nothing is lost, nothing floods."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import pytest

from consumers.notifier.channels.port import Answer, Delivered, Payload, Rate, RateLimited, Refused, Unavailable
from consumers.notifier.ledger.port import Tally, Wanted
from consumers.notifier.notice import DIGEST, Notice, State
from consumers.notifier.notifier import Notifier
from consumers.notifier.routing.tree import Route
from schemas.envelope import Envelope
from tests.notifier.world import ScriptedChannel, World, at_once, event, world

pytestmark = pytest.mark.long

SLACK = Rate(per_second=1.0, burst=1)
BY_ACCOUNT = Route("all", "ops", ("all",), group_by=("account",))


class Paced(ScriptedChannel):
    """A channel that writes down when it was asked and with what; ``answer`` decides, given the time, what it says."""

    def __init__(self, clock: Callable[[], int], answer: Callable[[], Answer] = Delivered) -> None:
        super().__init__(pace=SLACK)
        self.asked_us: list[int] = []
        self.arrived: list[Notice] = []
        self._clock = clock
        self._answer = answer

    def send(self, payload: Payload) -> Answer:
        super().send(payload)
        self.asked_us.append(self._clock())
        answer = self._answer()
        if isinstance(answer, Delivered):
            assert self._message is not None
            self.arrived.append(self._message.notice)
        return answer


def storm(count: int, seed: int) -> list[Envelope]:
    """Findings, one in a hundred of them CRITICAL, of ten accounts."""
    dice = Random(seed)
    return [
        event(number, severity=4 if dice.random() < 0.01 else 3, account=f"{number % 10:012}", subject=f"log/{number}")
        for number in range(count)
    ]


def play(here: World, notifier: Notifier, events: Sequence[Envelope], *, seconds: float, beyond: float = 3600.0) -> None:
    """Let ``events`` come evenly within ``seconds``; go on until nothing is left to do, or for ``beyond`` seconds more."""
    begun_us, left, waiting = here.clock(), list(events), True
    until_us = begun_us + round((seconds + beyond) * 1e6)
    while waiting and here.clock() < until_us:
        due = round((here.clock() - begun_us) / 1e6 / seconds * len(events)) if seconds else len(events)
        come, left = left[: due - len(events) + len(left)], left[due - len(events) + len(left) :]
        here.log.append(come)
        again_us = worked(notifier)
        if left:
            here.clock.now_us += 250_000
        else:
            waiting = again_us is not None
            here.clock.now_us = max(here.clock() + 1000, again_us or 0)


def worked(notifier: Notifier) -> int | None:
    """Do what there is to do now; returns when to come again."""
    while notifier.step():
        pass
    again = [notifier.next_us]
    for channel in notifier.channels:
        visit = notifier.deliver(channel)
        while visit.notice is not None:
            visit = notifier.deliver(channel)
        again.append(visit.again_us)
    while notifier.relay():
        pass
    return min((moment for moment in again if moment is not None), default=None)


def told(here: World, events: Sequence[Envelope]) -> dict[str, list[Notice]]:
    """For each event the notices that were sent and tell of it, digests instead of what they merged."""
    everything = here.ledger.notices(Wanted(limit=100_000))
    by_key = {notice.key: notice for notice in everything}
    found: dict[str, list[Notice]] = {each.id: [] for each in events}
    for notice in everything:
        last = notice
        while last.merged_into is not None:
            last = by_key[last.merged_into]
        if notice.key.route != DIGEST and last.state is State.SENT:
            for cause in notice.causes:
                found[cause.event_id].append(last)
    return found


def complete(here: World, events: Sequence[Envelope]) -> None:
    """Every event is in a message or a digest, once; nothing waits; every notice but digests left a fact."""
    assert {event_id: len(notices) for event_id, notices in told(here, events).items()} == {each.id: 1 for each in events}
    states = Counter(notice.state for notice in here.ledger.notices(Wanted(limit=100_000)))
    assert states.keys() <= {State.SENT, State.MERGED}
    assert here.ledger.outbox(1) == []
    assert len(here.facts()) == states.total()


def gaps(channel: Paced) -> list[int]:
    return [after - before for before, after in zip(channel.asked_us, channel.asked_us[1:], strict=False)]


@pytest.mark.parametrize(("route", "count"), [(at_once(), 10_000), (BY_ACCOUNT, 10_000)], ids=["each alone", "by account"])
def test_ten_thousand_findings_in_a_minute_become_a_message_a_second_at_most_and_a_digest(
    tmp_path: Path, route: Route, count: int
) -> None:
    with world(tmp_path, routes=[route]) as here:
        slack = Paced(here.clock)
        here.channels = {"ops": slack}
        events = storm(count, seed=1)

        play(here, here.start(), events, seconds=60)

        complete(here, events)
        assert min(gaps(slack)) >= 1_000_000
        assert len(slack.asked_us) <= 200
        assert all(len(notices) == 1 for notices in told(here, events).values())


def test_what_is_critical_goes_out_first_in_a_storm(tmp_path: Path) -> None:
    with world(tmp_path) as here:
        slack = Paced(here.clock)
        here.channels = {"ops": slack}
        events = [event(number, severity=4 if number % 100 == 0 else 3) for number in range(2000)]

        play(here, here.start(), events, seconds=60)

        complete(here, events)
        single = [notice for notice in slack.arrived if notice.severity == 4 and notice.key.route != DIGEST]
        assert len(single) == 20
        digests = [notice for notice in slack.arrived if notice.key.route == DIGEST]
        assert [notice.severity for notice in digests] == [3] * len(digests)
        assert 1 <= len(digests) <= 3
        waited = [found.changed_us - found.decided_us for notice in single if (found := here.ledger.get(notice.key)) is not None]
        assert max(waited) < 3_000_000


def test_a_storm_beside_something_critical_every_second_is_told_all_the_same(tmp_path: Path) -> None:
    with world(tmp_path) as here:
        slack = Paced(here.clock)
        here.channels = {"ops": slack}
        notifier, seconds = here.start(), 150
        for second in range(seconds):
            numbers = range(4 * second, 4 * second + 4)
            here.log.append([event(number, severity=4 if number % 4 == 0 else 3) for number in numbers])
            notifier.step()
            for _ in range(4):
                notifier.deliver("ops")
                here.clock.advance(0.25)

        digests = [notice for notice in slack.arrived if notice.key.route == DIGEST]
        assert [len(notice.causes) for notice in digests] == [183, 183]
        assert len(slack.arrived) == seconds


def moody(dice: Random) -> Answer:
    """A Slack that answers at random: well, 429, 500, a time-out, a reset."""
    chance = dice.random()
    if chance < 0.4:
        return Delivered()
    if chance < 0.6:
        return RateLimited(dice.choice([None, 1, 5, 30]))
    return Unavailable(dice.choice(["500 rollup_error", "TimeoutError", "ConnectionResetError"]), unsure=chance > 0.8)


@pytest.mark.parametrize(("seed", "count"), [(0, 10_000), (1, 1000), (2, 1000), (3, 1000)])
def test_a_storm_at_a_slack_that_fails_at_random_loses_nothing(tmp_path: Path, seed: int, count: int) -> None:
    dice = Random(seed)
    with world(tmp_path) as here:
        slack = Paced(here.clock, lambda: moody(dice))
        here.channels = {"ops": slack}
        events = storm(count, seed)

        play(here, here.start(), events, seconds=60, beyond=6 * 3600)

        complete(here, events)
        assert min(gaps(slack)) >= 1_000_000
        assert len(slack.asked_us) < 600


def test_a_storm_of_which_the_notifier_is_restarted_again_and_again_is_told_once(tmp_path: Path) -> None:
    dice = Random(7)
    events = storm(1500, seed=7)
    with world(tmp_path) as here:
        slack = Paced(here.clock, lambda: moody(dice))
        here.channels = {"ops": slack}
        here.start()
        for begin in range(0, len(events), 150):
            play(here, here.start(), events[begin : begin + 150], seconds=6, beyond=dice.random() * 30)
        play(here, here.start(), [], seconds=0, beyond=6 * 3600)

        complete(here, events)
        assert min(gaps(slack)) >= 1_000_000


def test_an_hour_without_slack_loses_nothing_and_floods_nobody(tmp_path: Path) -> None:
    with world(tmp_path, routes=[at_once("a", "down"), at_once("b", "well")]) as here:
        begun_us = here.clock()

        def answer() -> Answer:
            down = here.clock() < begun_us + 3600 * 1_000_000
            return Unavailable("ConnectionRefusedError", unsure=False) if down else Delivered()

        down, well = Paced(here.clock, answer), Paced(here.clock)
        here.channels = {"down": down, "well": well}
        events = storm(600, seed=3)

        play(here, here.start(), events, seconds=3600, beyond=3600)

        found = {event_id: Counter(notice.channel for notice in notices) for event_id, notices in told(here, events).items()}
        assert set(map(frozenset, (each.items() for each in found.values()))) == {frozenset({("down", 1), ("well", 1)})}
        assert {tally.channel for tally in here.ledger.tallies() if tally.state is State.PENDING} == set()
        assert len(down.arrived) <= 35
        assert len(down.asked_us) < 120
        assert min(gaps(down)) >= 1_000_000
        delays = [notice.decided_us for notice in well.arrived]
        assert max(at - decided for at, decided in zip(well.asked_us, delays, strict=True)) < 70_000_000


def test_a_refused_digest_is_a_dead_letter_that_can_be_redriven(tmp_path: Path) -> None:
    answers: list[Answer] = [Refused("400 invalid_payload")]
    with world(tmp_path) as here:
        slack = Paced(here.clock, lambda: answers.pop() if answers else Delivered())
        here.channels = {"ops": slack}
        events = [event(number) for number in range(100)]
        notifier = here.start()
        play(here, notifier, events, seconds=0)

        [dead] = here.ledger.notices(Wanted(state=State.FAILED))
        here.ledger.redrive(None, here.clock())
        play(here, notifier, [], seconds=0)

        assert dead.key.route == DIGEST
        assert here.ledger.tallies() == [Tally("ops", State.MERGED, 100), Tally("ops", State.SENT, 1)]
        assert {len(notices) for notices in told(here, events).values()} == {1}


def test_a_few_messages_are_no_storm(tmp_path: Path) -> None:
    with world(tmp_path) as here:
        slack = Paced(here.clock)
        here.channels = {"ops": slack}
        events = [event(number) for number in range(30)]

        play(here, here.start(), events, seconds=0)

        assert here.ledger.tallies() == [Tally("ops", State.SENT, 30)]
        assert len(slack.asked_us) == 30
