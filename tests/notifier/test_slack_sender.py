"""What an answer of Slack means, and what is never said of a webhook."""

import logging
import socket
from collections.abc import Iterator
from datetime import timedelta
from threading import Event, Thread

import pytest
from pydantic import SecretStr

from consumers.notifier.channels.port import Answer, Delivered, RateLimited, Refused, Unavailable
from consumers.notifier.channels.slack import SlackSender
from tests.notifier.fake_slack import FakeSlack, Step, broken, rate_limited

MESSAGE = {"text": "hello"}


@pytest.fixture
def slack() -> Iterator[FakeSlack]:
    with FakeSlack() as server:
        yield server


def send(url: str) -> Answer:
    return SlackSender(SecretStr(url), timeout=timedelta(seconds=1)).send(MESSAGE)


@pytest.mark.parametrize(
    ("step", "answer"),
    [
        (Step(), Delivered()),
        (Step(200, ""), Delivered()),
        (Step(204, ""), Delivered()),
        (Step(200, "<html>sign in</html>"), Unavailable("200 with a page", unsure=False)),
        (rate_limited(7), RateLimited(7.0)),
        (rate_limited("soon"), RateLimited(None)),
        (rate_limited(-1), RateLimited(None)),
        (Step(429), RateLimited(None)),
        (Step(429, headers={"RETRY-AFTER": "3"}), RateLimited(3.0)),
        (Step(400, "invalid_payload"), Refused("400 invalid_payload")),
        (Step(403, "action_prohibited"), Refused("403 action_prohibited")),
        (Step(404, "no_service"), Refused("404 no_service")),
        (Step(410, "channel_is_archived"), Refused("410 channel_is_archived")),
        (Step(404, "<h1>/services/T0/B0/secret not found</h1>"), Refused("404")),
        (broken(), Unavailable("500 rollup_error", unsure=False)),
        (broken(503, ""), Unavailable("503", unsure=False)),
        (broken(502, "Bad Gateway"), Unavailable("502", unsure=True)),
        (broken(504, ""), Unavailable("504", unsure=True)),
        (Step(307, "", {"Location": "http://127.0.0.1:9/"}), Unavailable("307", unsure=False)),
    ],
)
def test_each_answer_has_one_meaning(slack: FakeSlack, step: Step, answer: Answer) -> None:
    slack.script("ops", step)

    assert send(slack.url("ops")) == answer


def test_a_request_is_never_repeated_behind_our_back(slack: FakeSlack) -> None:
    slack.always("ops", Step(reset=True))
    send(slack.url("ops"))
    slack.always("ops", rate_limited(0))
    send(slack.url("ops"))
    slack.always("ops", broken())
    send(slack.url("ops"))

    assert slack.statuses("ops") == [0, 429, 500]


def test_a_connection_that_breaks_behind_the_request_leaves_it_open_whether_it_arrived(slack: FakeSlack) -> None:
    slack.script("ops", Step(reset=True, arrives=True))

    assert send(slack.url("ops")) == Unavailable("ConnectionResetError", unsure=True)
    assert slack.arrived("ops") == [MESSAGE]


def test_an_answer_that_never_comes_leaves_it_open_whether_it_arrived(slack: FakeSlack) -> None:
    slow = Event()
    slack.script("ops", Step(hold=slow))

    assert send(slack.url("ops")) == Unavailable("TimeoutError", unsure=True)
    slow.set()


def test_a_refused_connection_cannot_have_taken_the_message() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]

    assert send(f"http://127.0.0.1:{port}/services/ops") == Unavailable("ConnectionRefusedError", unsure=False)


def test_an_answer_that_is_no_http_leaves_it_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def babble() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"what?\r\n\r\n")

        thread = Thread(target=babble)
        thread.start()
        answer = send(f"http://127.0.0.1:{server.getsockname()[1]}/services/ops")
        thread.join()

    assert answer == Unavailable("BadStatusLine", unsure=True)


def test_an_answer_in_an_unknown_encoding_leaves_it_open(slack: FakeSlack) -> None:
    slack.script("ops", Step(200, "\xff", {"content-type": "text/plain; charset=klingon"}))

    assert send(slack.url("ops")) == Unavailable("LookupError", unsure=True)


@pytest.mark.parametrize("url", ["hooks.slack.com", "ftp://hooks.slack.com/x", "http://[hooks/"])
def test_a_webhook_that_is_no_address_is_refused(url: str) -> None:
    assert send(url) == Refused("the webhook is no URL that can be asked")


def test_no_log_line_shows_the_webhook_or_the_message(slack: FakeSlack, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    slack.script("ops", broken(), Step(reset=True), Step(404, "no_service"))

    for _ in range(4):
        send(slack.url("ops"))

    assert "services" not in caplog.text
    assert "hello" not in caplog.text
