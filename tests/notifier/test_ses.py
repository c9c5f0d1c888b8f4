"""What Amazon SES answers, and what that means. The client is botocore's, which checks each request against SES's own model."""

from collections.abc import Callable
from datetime import timedelta
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import pytest
from botocore.exceptions import NoCredentialsError
from botocore.stub import ANY, Stubber

from consumers.notifier.channels.port import Answer, Delivered, RateLimited, Refused, Unavailable
from consumers.notifier.channels.ses import Ses, client

SENDER, TO = "findstream@example.com", ("a@example.com", "b@example.com")


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")


def letter() -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"] = "hello"
    mail.set_content("hello")
    return mail


def test_a_mail_is_handed_over_whole_with_its_recipients() -> None:
    ses = client("eu-central-1")
    with Stubber(ses) as stub:
        stub.add_response(
            "send_email",
            {"MessageId": "0102"},
            {
                "FromEmailAddress": SENDER,
                "Destination": {"ToAddresses": list(TO)},
                "Content": {"Raw": {"Data": letter().as_bytes()}},
                "ConfigurationSetName": "watched",
            },
        )

        assert Ses(ses, "watched").carry(SENDER, TO, letter()) == Delivered()


@pytest.mark.parametrize(
    ("code", "status", "answer"),
    [
        ("TooManyRequestsException", 429, RateLimited()),
        ("LimitExceededException", 400, RateLimited()),
        ("ThrottlingException", 400, RateLimited()),
        ("Whatever", 429, RateLimited()),
        ("MessageRejected", 400, Refused("400 MessageRejected")),
        ("MailFromDomainNotVerifiedException", 400, Refused("400 MailFromDomainNotVerifiedException")),
        ("AccountSuspendedException", 400, Refused("400 AccountSuspendedException")),
        ("BadRequestException", 400, Refused("400 BadRequestException")),
        ("NotFoundException", 404, Refused("404 NotFoundException")),
        ("AccessDeniedException", 403, Refused("403 AccessDeniedException")),
        ("SendingPausedException", 400, Unavailable("400 SendingPausedException", unsure=False)),
        ("ExpiredTokenException", 403, Unavailable("403 ExpiredTokenException", unsure=False)),
        ("InternalFailure", 500, Unavailable("500 InternalFailure", unsure=False)),
        ("ServiceUnavailable", 503, Unavailable("503 ServiceUnavailable", unsure=False)),
    ],
)
def test_each_error_has_one_meaning(code: str, status: int, answer: Answer) -> None:
    ses = client("eu-central-1")
    with Stubber(ses) as stub:
        stub.add_client_error("send_email", code, "for findstream@example.com", status, expected_params={
            "FromEmailAddress": SENDER, "Destination": ANY, "Content": ANY,
        })  # fmt: skip

        assert Ses(ses, None).carry(SENDER, TO, letter()) == answer


class Service:
    """SES's address, on loopback: does with each request what it is told."""

    def __init__(self, do: Callable[[BaseHTTPRequestHandler], None]) -> None:
        self.bodies: list[bytes] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                service.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                do(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def client(self, monkeypatch: pytest.MonkeyPatch) -> Any:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SESV2", f"http://127.0.0.1:{self.server.server_port}")
        return client(None, timeout=timedelta(seconds=1))

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def wait_for(slow: Event) -> None:
    slow.wait(10)


def test_an_error_of_ses_is_not_retried_behind_our_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(request: BaseHTTPRequestHandler) -> None:
        request.send_response(500)
        request.send_header("Content-Length", "0")
        request.end_headers()

    service = Service(fail)
    answer = Ses(service.client(monkeypatch), None).carry(SENDER, TO, letter())
    service.stop()

    assert answer == Unavailable("500 500", unsure=False)
    assert len(service.bodies) == 1


def test_an_answer_that_never_comes_leaves_it_open_whether_it_arrived(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Event()
    service = Service(lambda _: wait_for(slow))
    answer = Ses(service.client(monkeypatch), None).carry(SENDER, TO, letter())
    slow.set()
    service.stop()

    assert answer == Unavailable("ReadTimeoutError", unsure=True)
    assert len(service.bodies) == 1


def test_a_service_that_cannot_be_reached_cannot_have_taken_the_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(lambda _: None)
    service.stop()

    answer = Ses(service.client(monkeypatch), None).carry(SENDER, TO, letter())

    assert answer == Unavailable("EndpointConnectionError", unsure=False)


def test_without_credentials_nothing_went_out() -> None:
    class Nobody:
        def send_email(self, **_: Any) -> None:
            raise NoCredentialsError

    nobody: Any = Nobody()

    assert Ses(nobody, None).carry(SENDER, TO, letter()) == Unavailable("NoCredentialsError", unsure=False)
