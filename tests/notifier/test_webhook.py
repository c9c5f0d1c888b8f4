"""A webhook: what is posted, that its signature holds, and what the answers of a receiver mean."""

import base64
import logging
import ssl
import struct
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import SO_LINGER, SOL_SOCKET, socket
from threading import Event, Thread
from typing import Any

import jsonschema
import orjson
import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from consumers.notifier.channels.port import Answer, Delivered, Message, RateLimited, Refused, Unavailable
from consumers.notifier.channels.webhook import WebhookChannel, is_key
from consumers.notifier.channels.webhook_body import Body
from consumers.notifier.errors import Unrenderable
from consumers.notifier.notice import Key, Reason
from tests.notifier.examples import ALARM, KINDS, body, event, finding, report
from tests.notifier.slack_rules import CONSOLE, strings
from tests.notifier.telling import HOSTILE, hostile_messages, message, storm

KEY = "whsec_" + base64.b64encode(bytes(range(32))).decode()
SCHEMA = Path(__file__).parents[2] / "docs" / "webhook.schema.json"


class Receiver:
    """A server of somebody's own: verifies nothing by itself, keeps what came, answers as told."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.answer: Callable[[BaseHTTPRequestHandler], None] = answering(204)
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.requests.append(({name.lower(): value for name, value in self.headers.items()}, content))
                receiver.answer(self)

            do_GET = do_POST  # noqa: N815 -- a redirect that is followed would come so

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if tls is not None:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://localhost:{self.server.server_port}/hook?token=secret"
        Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def answering(status: int, headers: dict[str, str] | None = None) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in {"Content-Length": "0", **(headers or {})}.items():
            request.send_header(name, value)
        request.end_headers()

    return answer


def wait_for(slow: Event) -> None:
    slow.wait(10)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.stop()


def channel(url: str, *, timeout_seconds: float = 5) -> WebhookChannel:
    def clock() -> int:
        return time.time_ns() // 1000  # noqa: TID251  # the receiver's library compares with the true time

    return WebhookChannel(SecretStr(url), SecretStr(KEY), CONSOLE, clock=clock, timeout=timedelta(seconds=timeout_seconds))


POSTER = channel("https://receiver.example/hook")


def posted(told: Message) -> Any:
    return POSTER.render(told)["body"]


def send(url: str, *, timeout_seconds: float = 5) -> Answer:
    poster = channel(url, timeout_seconds=timeout_seconds)
    return poster.send(poster.render(message([event()])))


# what is posted


def test_the_receivers_library_takes_the_signature(receiver: Receiver) -> None:
    assert send(receiver.url) == Delivered()

    headers, content = receiver.requests[0]
    assert Webhook(KEY).verify(content, headers) == posted(message([event()]))
    assert headers["content-type"] == "application/json"
    with pytest.raises(WebhookVerificationError):
        Webhook(KEY).verify(content.replace(b"checkout", b"checkin "), headers)


def test_each_try_of_a_notice_has_its_id_and_the_time_of_the_try(receiver: Receiver) -> None:
    times = iter([1_700_000_000_900_000, 1_700_000_060_000_000])
    poster = WebhookChannel(SecretStr(receiver.url), SecretStr(KEY), CONSOLE, clock=lambda: next(times))
    poster.send(poster.render(message([event()])))
    poster.send(poster.render(message([event()], unsure=True)))
    other = poster.render(message([event()], key=Key("findings", "g", 8)))

    (first, _), (second, _) = receiver.requests
    assert first["webhook-id"] == second["webhook-id"] != other["id"]
    assert (first["webhook-timestamp"], second["webhook-timestamp"]) == ("1700000000", "1700000060")
    assert first["webhook-signature"] != second["webhook-signature"]


def test_a_notice_is_posted_with_what_a_program_needs() -> None:
    told = posted(message([event()], firing=1))

    assert (told["type"], told["timestamp"]) == ("notice", "2024-05-02T07:44:05.000000Z")
    data = told["data"]
    assert data["key"] == f"findings/{data['group']}/7"
    assert (data["channel"], data["route"], data["path"]) == ("ops", "findings", ["default", "findings"])
    assert (data["reason"], data["severity"], data["title"]) == ("newly_firing", "HIGH", "checkout-5xx")
    assert (data["firing"], data["resolved"], data["more"], data["may_be_a_repeat"]) == (1, 0, 0, False)
    assert data["events"] == [
        {
            "id": event().id,
            "type": "finding.observed",
            "time": "2024-05-02T07:44:05.000000Z",
            "source": "aws.cloudwatch",
            "account": "123456789012",
            "region": "eu-central-1",
            "subject": "alarm/1",
            "resources": list(event().resources),
            "severity": "HIGH",
            "resolved": False,
            "title": "checkout-5xx",
            "text": ALARM["reason"],
            "link": f"{CONSOLE}/events/{event().id}",
        }
    ]
    assert data["link"] == f"{CONSOLE}/events/{event().id}"
    assert data["silence"].startswith(f"{CONSOLE}/silences/new?")


def test_what_is_over_says_so() -> None:
    ended = event(2, body=body("cloudwatch_alarm", ALARM | {"state": "OK"}))
    data = posted(message([event(1), ended], Reason.NEWLY_RESOLVED, firing=1, resolved=1))["data"]

    assert [told["resolved"] for told in data["events"]] == [False, True]


def test_a_digest_is_posted_with_its_counts() -> None:
    data = posted(storm([event(number) for number in range(30)], times=100))["data"]

    assert data["reason"] == "storm"
    assert len(data["events"]) == 5
    assert data["more"] == 2995
    assert data["counts"][0] == {"kind": "cloudwatch_alarm", "severity": "HIGH", "resolved": False, "events": 100}


def test_a_daily_report_is_posted_as_it_was_issued() -> None:
    data = posted(message([report()]))["data"]

    assert data["report"]["totals"]["source"] == {"aws.cloudwatch": 1200, "aws.guardduty": 3}
    assert data["silence"] == ""


def test_the_documented_schema_is_what_is_posted() -> None:
    assert orjson.loads(SCHEMA.read_bytes()) == Body.model_json_schema()


@pytest.mark.parametrize(
    "told", [*(message([finding(kind)]) for kind in KINDS), storm([event()]), message([report()])], ids=range(len(KINDS) + 2)
)
def test_every_message_is_as_the_schema_says(told: Message) -> None:
    jsonschema.validate(posted(told), Body.model_json_schema())


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_whatever_a_finding_says_a_body_is_short_and_as_the_schema_says(hostile: str) -> None:
    for told in hostile_messages(hostile):
        content = posted(told)

        jsonschema.validate(content, Body.model_json_schema())
        assert len(orjson.dumps(content)) < 128 * 1024
        assert not any(char in text for text in strings(content) for char in "\x00\x1b\x07\u202e")


@given(facts=st.dictionaries(st.text(max_size=20), st.text(max_size=60), max_size=8), summary=st.text(max_size=60))
def test_any_text_is_posted(facts: dict[str, str], summary: str) -> None:
    told = message(
        [event(body=body("generic", {name.encode("utf-8", "replace").decode(): "x" for name in facts}), summary=summary)]
    )

    jsonschema.validate(posted(told), Body.model_json_schema())


def test_a_report_of_hundreds_of_accounts_is_cut() -> None:
    many = {f"{number:012}": 1 for number in range(5000)}
    content = {"source": many, "severity": {"1": 5000}, "account": many}
    told = message(
        [report({"date": "2024-05-02", "window": {"since_us": 0, "until_us": 1}, "totals": content, "change": content})]
    )

    assert len(posted(told)["data"]["report"]["totals"]["account"]) == 50


@pytest.mark.parametrize("time_us", [10**18, -(10**18)])
def test_a_time_that_is_none_is_the_epoch(time_us: int) -> None:
    assert posted(message([event(time_us=time_us)]))["data"]["events"][0]["time"] == "1970-01-01T00:00:00.000000Z"


def broken(*_: object) -> None:
    raise KeyError


def test_a_fault_names_the_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consumers.notifier.channels.webhook.body_of", broken)

    with pytest.raises(Unrenderable, match=r"findings/.*/7: KeyError"):
        posted(message([event()]))


# answers


@pytest.mark.parametrize(
    ("status", "headers", "answer"),
    [
        (200, {}, Delivered()),
        (202, {}, Delivered()),
        (204, {}, Delivered()),
        (429, {"Retry-After": "7"}, RateLimited(7.0)),
        (429, {"Retry-After": "soon"}, RateLimited(None)),
        (429, {}, RateLimited(None)),
        (400, {}, Refused("400")),
        (401, {}, Refused("401")),
        (404, {}, Refused("404")),
        (410, {}, Refused("410")),
        (408, {}, Unavailable("408", unsure=False)),
        (425, {}, Unavailable("425", unsure=False)),
        (500, {}, Unavailable("500", unsure=False)),
        (503, {}, Unavailable("503", unsure=False)),
        (502, {}, Unavailable("502", unsure=True)),
        (504, {}, Unavailable("504", unsure=True)),
    ],
)
def test_each_answer_has_one_meaning(receiver: Receiver, status: int, headers: dict[str, str], answer: Answer) -> None:
    receiver.answer = answering(status, headers)

    assert send(receiver.url) == answer
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(receiver: Receiver, status: int) -> None:
    receiver.answer = answering(status, {"Location": f"{receiver.url}&again"})

    assert send(receiver.url) == Unavailable(str(status), unsure=False)
    assert len(receiver.requests) == 1


def test_a_connection_that_breaks_behind_the_request_leaves_it_open_whether_it_arrived(receiver: Receiver) -> None:
    def reset(request: BaseHTTPRequestHandler) -> None:
        request.connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        request.connection.close()
        request.close_connection = True

    receiver.answer = reset

    assert send(receiver.url) == Unavailable("ReadError", unsure=True)


def test_an_answer_that_never_comes_leaves_it_open_whether_it_arrived(receiver: Receiver) -> None:
    slow = Event()
    receiver.answer = lambda _: wait_for(slow)

    assert send(receiver.url, timeout_seconds=0.3) == Unavailable("ReadTimeout", unsure=True)
    slow.set()


def test_a_receiver_that_is_not_there_cannot_have_taken_the_message() -> None:
    with socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]

    assert send(f"http://127.0.0.1:{port}/hook") == Unavailable("ConnectError", unsure=False)


def test_a_certificate_that_nobody_vouches_for_is_no_receiver() -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    secured = Receiver(context)

    assert send(secured.url) == Unavailable("ConnectError", unsure=False)
    assert secured.requests == []
    secured.stop()


@pytest.mark.parametrize("url", ["ftp://receiver.example/x", "https://", "hooks", "https://receiver..example/x"])
def test_what_is_no_address_is_refused(url: str) -> None:
    assert send(url) == Refused("the webhook is no URL that can be asked")


def test_no_log_line_shows_the_url_or_the_key(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    receiver.answer = answering(500)
    send(receiver.url)

    assert "token=secret" not in caplog.text
    assert KEY[6:] not in caplog.text


# keys


@pytest.mark.parametrize("size", [24, 32, 64])
def test_a_key_has_24_to_64_bytes(size: int) -> None:
    assert is_key("whsec_" + base64.b64encode(bytes(size)).decode())


@pytest.mark.parametrize(
    "text", ["", "whsec_", "whsec_AAAA", KEY[6:], "whsec_" + "!" * 32, "whsec_é" + "A" * 32, KEY + "A" * 100]
)
def test_anything_else_is_no_key(text: str) -> None:
    assert not is_key(text)
