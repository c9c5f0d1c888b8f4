"""When a message is tried again."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.notifier.channels.port import Answer, Delivered, RateLimited, Refused, Unavailable
from consumers.notifier.notice import Cause, Key, Notice, Reason, State
from consumers.notifier.retry import Outcome, Pace, Policy, judge
from pipeline.log.port import Position

NOW = 1_000_000_000_000
SECOND = 1_000_000
HOUR = 3600 * SECOND
NOTICE = Notice(
    key=Key("all", "e"),
    channel="ops",
    causes=(Cause("e", Position("shard-0", 1)),),
    state=State.SENDING,
    reason=Reason.ROUTE_MATCHED,
    decided_us=NOW,
    due_us=NOW,
    changed_us=NOW,
    first_attempt_us=NOW,
    attempt=1,
)
DOWN = Unavailable("500", unsure=False)


def after(
    answer: Answer, *, notice: Notice = NOTICE, pace: Pace | None = None, chance: float = 0.5, now_us: int = NOW
) -> Outcome:
    return judge(notice, answer, pace or Pace(), Policy(), now_us=now_us, chance=chance)


def test_a_delivered_message_is_sent_and_the_channel_is_well() -> None:
    assert after(Delivered(), pace=Pace(NOW, 7)) == Outcome(
        State.SENT, Reason.DELIVERED, NOW, unsure=False, detail="", pace=Pace()
    )


def test_a_delivered_message_that_may_be_a_repeat_says_so() -> None:
    outcome = after(Delivered(), notice=replace(NOTICE, unsure=True))

    assert (outcome.state, outcome.reason, outcome.unsure) == (State.SENT, Reason.OUTCOME_UNKNOWN, True)


def test_a_refused_message_is_a_dead_letter_at_once() -> None:
    outcome = after(Refused("404 no_service"))

    assert (outcome.state, outcome.reason, outcome.detail) == (State.FAILED, Reason.REFUSED, "404 no_service")


@pytest.mark.parametrize(("asked", "waited"), [(7.0, 7), (0.0, 1), (3600.0, 3600), (999_999_999.0, 3600)])
def test_a_rate_limit_is_waited_for_as_asked_within_reason(asked: float, waited: int) -> None:
    outcome = after(RateLimited(asked))

    assert (outcome.state, outcome.reason) == (State.PENDING, Reason.RATE_LIMITED)
    assert outcome.due_us == outcome.pace.not_before_us == NOW + waited * SECOND


def test_a_rate_limit_that_names_no_time_backs_off() -> None:
    assert after(RateLimited(None), pace=Pace(0, 2)).due_us == NOW + 2 * SECOND


@pytest.mark.parametrize(("answer", "asked"), [(RateLimited(7), True), (RateLimited(None), False), (DOWN, False)])
def test_a_rest_that_the_channel_asked_for_is_known_from_one_that_failures_led_to(answer: Answer, *, asked: bool) -> None:
    assert after(answer, pace=Pace(0, 2, asked=not asked)).pace.asked == asked


def test_a_channel_fails_since_the_first_of_its_failures_in_a_row() -> None:
    first = after(DOWN).pace
    second = after(RateLimited(7), pace=first, now_us=NOW + 9).pace

    assert (first.since_us, second.since_us) == (NOW, NOW)
    assert after(DOWN, pace=after(Delivered(), pace=second).pace, now_us=NOW + 99).pace.since_us == NOW + 99


def test_a_person_ends_the_rest_that_failures_led_to_and_no_other() -> None:
    assert Pace(NOW + 9, 3, 5).retried(NOW) == Pace(NOW, 3, 5, retried_us=NOW)
    assert Pace(NOW - 9, 3).retried(NOW) == Pace(NOW - 9, 3, retried_us=NOW)
    assert Pace(NOW + 9, 3, asked=True).retried(NOW) == Pace(NOW + 9, 3, asked=True, retried_us=NOW)


@pytest.mark.parametrize(
    ("answer", "now", "rests"),
    [(DOWN, NOW + 1, False), (DOWN, 0, True), (RateLimited(7), NOW + 1, True), (Delivered(), NOW, False)],
)
def test_who_has_a_channel_tried_while_a_request_is_in_flight_has_it_tried_anew(answer: Answer, now: int, *, rests: bool) -> None:
    kept = Pace(retried_us=now)

    outcome = after(answer).unless_retried(kept, NOW + 2)

    assert (outcome.pace.not_before_us > NOW + 2) == rests
    assert (outcome.due_us > NOW + 2) == rests


def test_what_was_given_up_stays_so_whoever_has_the_channel_tried() -> None:
    given_up = after(DOWN, notice=replace(NOTICE, first_attempt_us=NOW - 73 * HOUR))

    assert given_up.unless_retried(Pace(retried_us=NOW), NOW).state is State.FAILED


def test_a_channel_that_works_forgets_who_had_it_tried() -> None:
    assert after(Delivered(), pace=Pace(NOW, 7, asked=True, retried_us=NOW)).pace == Pace()


@pytest.mark.parametrize(("failures", "most"), [(1, 1), (2, 2), (3, 4), (9, 256), (10, 300), (1000, 300)])
def test_an_outage_is_backed_off_from_exponentially_up_to_five_minutes(failures: int, most: int) -> None:
    outcome = after(DOWN, notice=replace(NOTICE, attempt=failures), pace=Pace(0, failures - 1), chance=0.5)

    assert (outcome.pace.not_before_us, outcome.pace.failures) == (NOW + most * SECOND // 2, failures)


def test_no_wait_is_shorter_than_a_tenth_of_a_second() -> None:
    assert after(DOWN, chance=0.0).pace.not_before_us == NOW + SECOND // 10


def test_behind_the_rest_another_message_is_tried_first() -> None:
    outcome = after(DOWN)

    assert outcome.due_us == outcome.pace.not_before_us + 1


def test_a_message_that_the_channel_cannot_digest_steps_aside_for_the_others() -> None:
    outcome = after(DOWN, notice=replace(NOTICE, attempt=8), pace=Pace())

    assert outcome.pace.not_before_us == NOW + SECOND // 2
    assert outcome.due_us == NOW + 64 * SECOND


def test_an_unknown_outcome_is_remembered_over_known_failures() -> None:
    unsure = after(Unavailable("TimeoutError", unsure=True))
    assert unsure.unsure

    assert after(DOWN, notice=replace(NOTICE, unsure=True)).unsure
    assert after(RateLimited(1), notice=replace(NOTICE, unsure=True)).unsure
    assert not after(DOWN).unsure


@pytest.mark.parametrize("answer", [DOWN, RateLimited(5)])
def test_a_message_is_given_up_three_days_after_its_first_request(answer: Answer) -> None:
    first = NOW - timedelta(days=3) // timedelta(microseconds=1)

    assert after(answer, notice=replace(NOTICE, first_attempt_us=first + 1)).state == State.PENDING
    outcome = after(answer, notice=replace(NOTICE, first_attempt_us=first))
    assert (outcome.state, outcome.reason) == (State.FAILED, Reason.GAVE_UP)


def test_a_message_without_a_first_request_is_not_given_up() -> None:
    assert after(DOWN, notice=replace(NOTICE, first_attempt_us=None)).state == State.PENDING


@given(
    attempt=st.integers(1, 10_000),
    failures=st.integers(0, 10_000),
    chance=st.floats(0, 1, exclude_max=True),
    unsure=st.booleans(),
)
def test_a_retry_lies_ahead_and_not_further_than_five_minutes(
    *, attempt: int, failures: int, chance: float, unsure: bool
) -> None:
    outcome = after(
        Unavailable("500", unsure=unsure), notice=replace(NOTICE, attempt=attempt), pace=Pace(0, failures), chance=chance
    )

    assert NOW < outcome.pace.not_before_us < outcome.due_us <= NOW + 300 * SECOND + 1


@given(
    answer=st.builds(RateLimited, st.none() | st.floats(allow_nan=False)) | st.builds(Unavailable, st.just("500"), st.booleans()),
    failures=st.integers(0, 200),
    chance=st.floats(0, 1, exclude_max=True),
)
def test_no_rest_is_longer_than_the_longest_wait(answer: Answer, failures: int, chance: float) -> None:
    outcome = after(answer, notice=replace(NOTICE, attempt=failures + 1), pace=Pace(NOW, failures), chance=chance)

    assert max(outcome.due_us, outcome.pace.not_before_us) <= NOW + Policy().longest_wait_us
