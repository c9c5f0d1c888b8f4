"""How fast a channel is sent to, and when what waits becomes a digest."""

import pytest

from consumers.notifier.channels.port import Rate
from consumers.notifier.ledger.port import Crowd
from consumers.notifier.pacing import CALM_US, LONGEST_US, STORM, Next, Plan, free_us, plan, taken
from consumers.notifier.retry import Pace

NOW_US = 1_700_000_000_000_000
SECOND_US = 1_000_000
SLACK = Rate(per_second=1.0, burst=1)
MAIL = Rate(per_second=2.0, burst=3)
NOTHING = Crowd()


def at(rate: Rate, *moments_us: int) -> Pace:
    """The pace after requests at these times."""
    pace = Pace()
    for moment_us in moments_us:
        pace = taken(pace, rate, moment_us)
    return pace


def test_a_channel_that_rested_is_free_at_once() -> None:
    assert free_us(Pace(), SLACK, NOW_US) == NOW_US
    assert free_us(at(SLACK, NOW_US), SLACK, NOW_US + SECOND_US) == NOW_US + SECOND_US


def test_after_a_request_a_bucket_of_one_is_free_a_second_later() -> None:
    pace = at(SLACK, NOW_US)

    assert free_us(pace, SLACK, NOW_US) == free_us(pace, SLACK, NOW_US + 999_999) == NOW_US + SECOND_US


def test_a_larger_bucket_takes_a_burst_and_then_its_rate() -> None:
    assert free_us(at(MAIL, NOW_US, NOW_US), MAIL, NOW_US) == NOW_US
    assert free_us(at(MAIL, NOW_US, NOW_US, NOW_US), MAIL, NOW_US) == NOW_US + SECOND_US // 2
    assert free_us(at(MAIL, NOW_US, NOW_US, NOW_US), MAIL, NOW_US + SECOND_US // 2) == NOW_US + SECOND_US // 2


def test_a_bucket_that_a_clock_filled_which_has_gone_back_is_full() -> None:
    pace = at(SLACK, NOW_US + 365 * 86_400 * SECOND_US)

    assert free_us(pace, SLACK, NOW_US) == NOW_US
    assert taken(pace, SLACK, NOW_US).full_us == NOW_US + SECOND_US


def test_a_request_changes_nothing_else_of_the_pace() -> None:
    assert taken(Pace(5, 3, 0), SLACK, NOW_US) == Pace(5, 3, NOW_US + SECOND_US)


def crowd(count: int, first_us: int, last_us: int) -> Crowd:
    return Crowd(count, NOW_US + first_us, NOW_US + last_us)


@pytest.mark.parametrize("others", [NOTHING, crowd(1, -LONGEST_US, 0), crowd(STORM, -LONGEST_US * 2, -CALM_US)])
def test_a_few_messages_are_sent_one_by_one(others: Crowd) -> None:
    assert plan(NOTHING, others, NOW_US) == Plan(Next.SEND)
    assert plan(others, NOTHING, NOW_US) == Plan(Next.SEND)


def test_a_storm_is_held_until_it_is_calm() -> None:
    assert plan(NOTHING, crowd(STORM + 1, -5 * SECOND_US, 0), NOW_US) == Plan(Next.HOLD, until_us=NOW_US + CALM_US)
    assert plan(NOTHING, crowd(STORM + 1, -15 * SECOND_US, -CALM_US), NOW_US) == Plan(Next.DIGEST)


def test_a_storm_that_goes_on_is_held_for_a_minute() -> None:
    assert plan(NOTHING, crowd(5000, -59 * SECOND_US, 0), NOW_US) == Plan(Next.HOLD, until_us=NOW_US + SECOND_US)
    assert plan(NOTHING, crowd(5000, -LONGEST_US, 0), NOW_US) == Plan(Next.DIGEST)


def test_a_storm_of_what_is_critical_holds_everything_and_becomes_one_digest() -> None:
    critical = crowd(STORM + 1, 0, 0)

    assert plan(critical, crowd(5000, -LONGEST_US, 0), NOW_US) == Plan(Next.HOLD, critical=True, until_us=NOW_US + CALM_US)
    assert plan(critical, NOTHING, NOW_US + CALM_US) == Plan(Next.DIGEST, critical=True)


def test_what_was_decided_by_a_clock_that_has_gone_back_is_not_held_for_long() -> None:
    ahead_us = 365 * 86_400 * SECOND_US

    assert plan(NOTHING, crowd(STORM + 1, ahead_us, ahead_us), NOW_US) == Plan(Next.DIGEST)
