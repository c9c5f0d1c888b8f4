"""A message that nobody decided about: to look at, and to try a channel with."""

from typing import Any

import pytest

from consumers.notifier.channels.port import Answer, Delivered, Message, Payload, Rate, RateLimited, Refused, Unavailable
from consumers.notifier.channels.trial import NoAddress, NoSuchChannel, attempt, in_words, message_about, tried
from consumers.notifier.messages.story import story_of
from tests.notifier.examples import event
from tests.notifier.slack_rules import CONSOLE


class Listening:
    kind = "slack"
    pace = Rate()

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.messages: list[Message] = []

    def render(self, message: Message) -> Payload:
        self.messages.append(message)
        return {"text": "hello"}

    def send(self, _payload: Payload) -> Answer:
        return self.answer


def test_a_channel_is_tried_with_a_message_that_says_what_it_is() -> None:
    channel = Listening(Delivered())

    assert attempt(channel, "ops", CONSOLE, 1_700_000_000_000_000) == Delivered()

    [message] = channel.messages
    [(told, over)] = message.told
    assert (message.notice.channel, over, told.time_us) == ("ops", False, 1_700_000_000_000_000)
    assert "findstream reaches this channel" in told.summary


def test_a_try_leads_to_the_page_of_notices_and_to_no_silence() -> None:
    channel = Listening(Delivered())
    attempt(channel, "ops", CONSOLE, 1_700_000_000_000_000)

    told = story_of(channel.messages[0], CONSOLE)

    assert (told.link, told.card.link, told.silence) == (f"{CONSOLE}/notifications", f"{CONSOLE}/notifications", "")


def test_each_try_is_another_event() -> None:
    channel = Listening(Delivered())
    for now_us in (1_700_000_000_000_000, 1_700_000_001_000_000):
        attempt(channel, "ops", CONSOLE, now_us)

    first, second = (message.told[0][0].id for message in channel.messages)
    assert first != second


def test_a_channel_is_tried_by_its_name_if_there_is_one_and_it_has_an_address() -> None:
    channels = {"ops": Listening(Refused("404 no_service")), "spare": None}

    assert tried(channels, "ops", CONSOLE, 1) == Refused("404 no_service")
    assert tried(channels, "spare", CONSOLE, 1) == NoAddress()
    assert tried(channels, "nowhere", CONSOLE, 1) == NoSuchChannel(("ops", "spare"))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Delivered(), "delivered"),
        (RateLimited(7.0), "rate limited; wait 7.0 seconds"),
        (RateLimited(), "rate limited; wait a few seconds"),
        (Refused("404 no_service"), "404 no_service"),
        (Unavailable("TimeoutError", unsure=True), "TimeoutError"),
    ],
)
def test_an_answer_is_told_in_words(answer: Answer, words: str) -> None:
    assert in_words(answer) == words


@pytest.mark.parametrize("given", [{}, {"type": "something.happened"}, {"body": b"not json"}])
def test_any_event_can_be_looked_at(given: dict[str, Any]) -> None:
    told = event(1, **given)

    assert message_about(told, CONSOLE).told == ((told, False),)
