"""What a mail server's replies mean: against a real one (aiosmtpd), and against one that says what a script tells it."""

import logging
import ssl
import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta
from email.message import EmailMessage
from email.policy import SMTP
from socket import SHUT_RDWR, create_connection, create_server, socket
from threading import Thread
from typing import Any, Self

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from pydantic import SecretStr

from consumers.notifier.channels.port import Answer, Delivered, Refused, Unavailable
from consumers.notifier.channels.smtp import Login, Security, Smtp

LOGIN = Login("ops", SecretStr("open sesame"))
SENDER, TO = "findstream@example.com", ("a@example.com", "b@example.com")
PATIENCE = timedelta(seconds=5)


def letter() -> EmailMessage:
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"], mail["Subject"] = SENDER, ", ".join(TO), "hello"
    mail.set_content("A line\n.\nthat begins with a dot\n")
    return mail


class Mailbox:
    """Keeps what aiosmtpd takes."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, list[str], bytes]] = []

    async def handle_DATA(self, _server: object, _session: Any, envelope: Any) -> str:  # noqa: N802 -- the name it has there
        self.mails.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
        return "250 taken"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def certified(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    return context


@pytest.fixture(scope="module")
def trust(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def authenticate(_server: object, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    known = (data.login, data.password) == (b"ops", b"open sesame")
    return AuthResult(success=known, handled=False)


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def encrypted(mailbox: Mailbox, certified: ssl.SSLContext) -> Iterator[int]:
    """A server that speaks STARTTLS and asks for a password."""
    server = Controller(
        mailbox,
        hostname="localhost",
        port=free_port(),
        tls_context=certified,
        require_starttls=True,
        auth_required=True,
        authenticator=authenticate,
    )
    server.start()
    yield server.port
    server.stop()


def free_port() -> int:
    with socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def test_a_mail_arrives_encrypted_with_a_password_as_it_was_written(
    mailbox: Mailbox, encrypted: int, trust: ssl.SSLContext
) -> None:
    server = Smtp("localhost", encrypted, Security.STARTTLS, LOGIN, timeout=PATIENCE, trust=lambda: trust)

    assert server.carry(SENDER, TO, letter()) == Delivered()
    assert mailbox.mails == [(SENDER, list(TO), letter().as_bytes())]


def test_a_server_that_takes_tls_from_the_start_is_spoken_to_so(
    mailbox: Mailbox, certified: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    class Encrypted(Controller):
        def _trigger_server(self) -> None:
            """The first connection, for which the server begins; as it comes, it knows no authority."""
            with (
                create_connection(("localhost", self.port)) as plain,
                trust.wrap_socket(plain, server_hostname="localhost") as told,
            ):
                told.recv(1024)

    controller = Encrypted(mailbox, hostname="localhost", port=free_port(), ssl_context=certified)
    controller.start()
    server = Smtp("localhost", controller.port, Security.TLS, None, timeout=PATIENCE, trust=lambda: trust)

    assert server.carry(SENDER, TO, letter()) == Delivered()
    assert len(mailbox.mails) == 1
    controller.stop()


def test_a_certificate_that_nobody_vouches_for_is_no_mail_server(mailbox: Mailbox, encrypted: int) -> None:
    server = Smtp("localhost", encrypted, Security.STARTTLS, LOGIN, timeout=PATIENCE)

    assert server.carry(SENDER, TO, letter()) == Unavailable("SSLCertVerificationError", unsure=False)
    assert mailbox.mails == []


def test_a_wrong_password_is_refused(encrypted: int, trust: ssl.SSLContext) -> None:
    wrong = Login("ops", SecretStr("guess"))
    server = Smtp("localhost", encrypted, Security.STARTTLS, wrong, timeout=PATIENCE, trust=lambda: trust)

    assert server.carry(SENDER, TO, letter()) == Refused("535")


def test_nothing_is_told_to_a_server_without_the_encryption_that_was_asked_for(mailbox: Mailbox) -> None:
    controller = Controller(mailbox, hostname="localhost", port=free_port())
    controller.start()
    server = Smtp("localhost", controller.port, Security.STARTTLS, LOGIN, timeout=PATIENCE)

    assert server.carry(SENDER, TO, letter()) == Unavailable("SMTPNotSupportedError", unsure=False)
    assert Smtp("localhost", controller.port, Security.NONE, None).carry(SENDER, TO, letter()) == Delivered()
    controller.stop()


@pytest.mark.parametrize(("security", "port"), [(Security.STARTTLS, 587), (Security.TLS, 465), (Security.NONE, 25)])
def test_each_way_of_encryption_has_its_port(security: Security, port: int) -> None:
    assert Smtp("localhost", None, security, None)._port == port


# a server that follows a script


class Scripted:
    """Answers each line by its first word, ``250 ok`` without a script; ``cut`` hangs up. ``DATA`` ends with a dot alone."""

    def __init__(self, **replies: str | Sequence[str]) -> None:
        self.replies = {word: [reply] if isinstance(reply, str) else list(reply) for word, reply in replies.items()}
        self.heard: list[str] = []
        self._server = create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._thread = Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()
        self._server.close()

    def _serve(self) -> None:
        connection, _ = self._server.accept()
        with connection, connection.makefile("rb") as lines:
            connection.sendall(self._reply("HELLO", b"220 ready"))
            for line in lines:
                word = line.split()[0].decode().upper()
                self.heard.append(word)
                reply = self._reply(word, b"354 go on" if word == "DATA" else b"250 ok")
                if reply == b"cut\r\n":
                    connection.shutdown(SHUT_RDWR)
                    return
                connection.sendall(reply)
                if word == "DATA" and reply.startswith(b"354"):
                    while lines.readline().rstrip() != b".":
                        pass
                    end = self._reply("END", b"250 taken")
                    if end == b"cut\r\n":
                        connection.shutdown(SHUT_RDWR)
                        return
                    connection.sendall(end)

    def _reply(self, word: str, usual: bytes) -> bytes:
        script = self.replies.get(word, [])
        return (script.pop(0).encode() if script else usual) + b"\r\n"


def told(**replies: str | Sequence[str]) -> tuple[Answer, list[str]]:
    with Scripted(**replies) as server:
        answer = Smtp("127.0.0.1", server.port, Security.NONE, None, timeout=PATIENCE).carry(SENDER, TO, letter())
    return answer, server.heard


@pytest.mark.parametrize(
    ("replies", "answer"),
    [
        ({}, Delivered()),
        ({"HELLO": "554 no service"}, Refused("554")),
        ({"HELLO": "421 too busy"}, Unavailable("421", unsure=False)),
        ({"EHLO": "502 what", "HELO": "550 no"}, Refused("550")),
        ({"MAIL": "451 later"}, Unavailable("451", unsure=False)),
        ({"MAIL": "553 not you <findstream@example.com>"}, Refused("553")),
        ({"RCPT": ["550 unknown", "550 unknown"]}, Refused("550")),
        ({"RCPT": ["550 unknown", "450 greylisted"]}, Unavailable("450", unsure=False)),
        ({"DATA": "554 no"}, Refused("554")),
        ({"DATA": "451 later"}, Unavailable("451", unsure=False)),
        ({"END": "552 too big"}, Refused("552")),
        ({"END": "452 disk full"}, Unavailable("452", unsure=False)),
        ({"MAIL": "cut"}, Unavailable("SMTPServerDisconnected", unsure=False)),
        ({"RCPT": "cut"}, Unavailable("SMTPServerDisconnected", unsure=False)),
        ({"END": "cut"}, Unavailable("SMTPServerDisconnected", unsure=True)),
        ({"END": "nonsense"}, Unavailable("-1", unsure=True)),
        ({"QUIT": "cut"}, Delivered()),
    ],
    ids=str,
)
def test_each_reply_has_one_meaning(replies: dict[str, str | Sequence[str]], answer: Answer) -> None:
    assert told(**replies)[0] == answer


def test_who_is_refused_does_not_keep_the_mail_from_the_others(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    answer, heard = told(RCPT=["550 no such user a@example.com", "250 ok"])

    assert answer == Delivered()
    assert heard.count("DATA") == 1
    assert "recipient 1 of 2: 550" in caplog.text
    assert "example.com" not in caplog.text


def test_a_server_that_is_not_there_cannot_have_taken_the_mail() -> None:
    server = Smtp("127.0.0.1", free_port(), Security.NONE, None, timeout=PATIENCE)

    assert server.carry(SENDER, TO, letter()) == Unavailable("ConnectionRefusedError", unsure=False)


def test_a_name_that_no_server_can_have_keeps_this_channel_alone_from_working() -> None:
    newer = sys.version_info >= (3, 13)

    answer = Smtp("mail..example", None, Security.NONE, None).carry(SENDER, TO, letter())

    assert answer == Unavailable("UnicodeEncodeError" if newer else "UnicodeError", unsure=False)


def test_a_password_that_the_protocol_cannot_carry_keeps_this_channel_alone_from_working(
    encrypted: int, trust: ssl.SSLContext
) -> None:
    login = Login("ops", SecretStr("s\u00e9same"))
    server = Smtp("localhost", encrypted, Security.STARTTLS, login, timeout=PATIENCE, trust=lambda: trust)

    assert server.carry(SENDER, TO, letter()) == Unavailable("UnicodeEncodeError", unsure=False)


def test_a_server_that_never_answers_is_not_waited_for() -> None:
    with create_server(("127.0.0.1", 0)) as silent:
        server = Smtp("127.0.0.1", silent.getsockname()[1], Security.NONE, None, timeout=timedelta(seconds=0.2))

        assert server.carry(SENDER, TO, letter()) == Unavailable("SMTPServerDisconnected", unsure=False)


def test_no_log_line_shows_the_password_or_the_mail(
    encrypted: int, trust: ssl.SSLContext, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG, logger="consumers")
    Smtp("localhost", encrypted, Security.STARTTLS, LOGIN, timeout=PATIENCE, trust=lambda: trust).carry(SENDER, TO, letter())

    ours = "".join(record.getMessage() for record in caplog.records if record.name.startswith("consumers"))
    assert "sesame" not in ours + capsys.readouterr().err + repr(LOGIN)
