"""Mail by SMTP: one connection a message, encrypted unless the server stands on this machine.

Delivered:   the server took the message for at least one recipient. Others that it refuses are logged by number, not retried.
Refused:     5xx: it will never take this message, or lets nobody in with this password.
Unavailable: 4xx, no encryption where it was asked for, a certificate that does not hold, broken connections and time-outs.
             What breaks before the message is out cannot have arrived; what breaks behind ``DATA`` may have. So is a server's
             name, or a password, that cannot be written as the protocol wants it: that one channel waits for its file's mending.
Source:      RFC 5321, 4.2.1 "Reply Code Severities and Theory", 4.2.5 "Reply Codes after DATA"; RFC 3207.
"""

import logging
import smtplib
import ssl
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage
from enum import StrEnum
from typing import Final

from pydantic import SecretStr

from consumers.notifier.channels.port import Answer, Delivered, Refused, Unavailable

TIMEOUT: Final = timedelta(seconds=10)

_REPLIES: Final = range(400, 600)
_PERMANENT: Final = range(500, 600)
_OK: Final = frozenset({250, 251})

logger: Final = logging.getLogger(__name__)


class Security(StrEnum):
    """How the connection is encrypted."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


_PORTS: Final = {Security.STARTTLS: 587, Security.TLS: 465, Security.NONE: 25}


@dataclass(frozen=True, slots=True)
class Login:
    """Who the server is told we are."""

    username: str
    password: SecretStr


class _Declined(Exception):
    """A reply that ends the try."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Smtp:
    """One mail server. ``port`` None: the usual one of ``security``. ``trust`` makes what certificates are verified with."""

    def __init__(
        self,
        host: str,
        port: int | None,
        security: Security,
        login: Login | None,
        *,
        timeout: timedelta = TIMEOUT,
        trust: Callable[[], ssl.SSLContext] = ssl.create_default_context,
    ) -> None:
        self._host = host
        self._port = port or _PORTS[security]
        self._security = security
        self._login = login
        self._timeout = timeout.total_seconds()
        self._trust = trust

    def carry(self, sender: str, to: Sequence[str], mail: EmailMessage) -> Answer:
        """Make one try."""
        try:
            with closing(self._connect()) as server:
                self._introduce(server)
                self._address(server, sender, to)
                answer = _hand_over(server, mail.as_bytes())
                with suppress(OSError, smtplib.SMTPException):
                    server.quit()
                return answer
        except _Declined as declined:
            return _declined(declined.code)
        except smtplib.SMTPResponseException as declined:
            return _declined(declined.smtp_code)
        except (OSError, UnicodeError, smtplib.SMTPException) as broken:
            return Unavailable(type(broken).__name__, unsure=False)

    def _connect(self) -> smtplib.SMTP:
        if self._security is Security.TLS:
            return smtplib.SMTP_SSL(self._host, self._port, timeout=self._timeout, context=self._trust())
        return smtplib.SMTP(self._host, self._port, timeout=self._timeout)

    def _introduce(self, server: smtplib.SMTP) -> None:
        server.ehlo_or_helo_if_needed()
        if self._security is Security.STARTTLS:
            server.starttls(context=self._trust())
            server.ehlo()
        if self._login is not None:
            server.login(self._login.username, self._login.password.get_secret_value())

    def _address(self, server: smtplib.SMTP, sender: str, to: Sequence[str]) -> None:
        """Name sender and recipients. Raises ``_Declined``, with the mildest reply, unless one of them is taken."""
        code, _ = server.mail(sender)
        if code not in _OK:
            raise _Declined(code)
        replies = [server.rcpt(each)[0] for each in to]
        refused = [code for code in replies if code not in _OK]
        if len(refused) == len(replies):
            raise _Declined(min(refused))
        for number, code in enumerate(replies, 1):
            if code not in _OK:
                logger.warning("the mail server takes nothing for recipient %d of %d: %d", number, len(to), code)


def _hand_over(server: smtplib.SMTP, letter: bytes) -> Answer:
    try:
        code, _ = server.data(letter)
    except smtplib.SMTPResponseException:
        raise
    except (OSError, smtplib.SMTPException) as broken:
        return Unavailable(type(broken).__name__, unsure=True)
    if code in _REPLIES:
        return _declined(code)
    return Delivered() if code in _OK else Unavailable(str(code), unsure=True)


def _declined(code: int) -> Answer:
    """What a reply means that is no success. The server's words may repeat an address or the message: they are not kept."""
    return Refused(str(code)) if code in _PERMANENT else Unavailable(str(code), unsure=False)
