"""E-mail: the same story as text and as HTML, in one conversation a group, carried by a mail server or by Amazon SES.

Identity: a notice's Message-ID is the same for every try, so that mail programs show a repeat once (but SES sets its own).
Threads:  all messages of a group refer to one id, which itself was never sent; mail programs show them together.
Headers:  no line end that a finding brings comes that far, not even as an encoded word, which Python decodes as it reads a header
          and writes out as it is; ``Auto-Submitted`` keeps robots from answering.
Source:   RFC 5322, 3.6.4 "Identification Fields"; RFC 2047, 2 "Syntax of encoded-words"; RFC 3834, "Recommendations for
          Automatic Responses to Electronic Mail".
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from typing import Any, Final, Protocol

from consumers import palette
from consumers.notifier.channels.mail_pages import Pages
from consumers.notifier.channels.port import Answer, Message, Payload, Rate
from consumers.notifier.messages.rendering import rendered
from consumers.notifier.messages.story import Story
from consumers.notifier.messages.text import line, shorten
from consumers.notifier.notice import Key

PACE: Final = Rate(per_second=1.0, burst=5)
"""SES lets an account that is still in its sandbox send one mail a second."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SUBJECT: Final = 150


class Carrier(Protocol):
    """Hands one mail over."""

    def carry(self, sender: str, to: Sequence[str], mail: EmailMessage) -> Answer:
        """Make one try. ``sender`` and ``to`` are bare addresses."""
        ...


@dataclass(frozen=True, slots=True)
class Mail:
    """What stands on every mail: from whom, to whom, and what the subject begins with ("" for nothing)."""

    sender: str
    to: tuple[str, ...]
    prefix: str


class EmailChannel:
    """One list of recipients. ``zone`` is their time zone, "" if it is not known."""

    kind: Final = "email"

    def __init__(self, mail: Mail, carrier: Carrier, console_url: str, *, zone: str = "", pace: Rate = PACE) -> None:
        self.pace = pace
        self._mail = mail
        self._carrier = carrier
        self._console_url = console_url
        self._zone = zone
        self._pages = Pages()
        self._sender = parseaddr(mail.sender)[1]
        self._to = tuple(parseaddr(each)[1] for each in mail.to)

    def render(self, message: Message) -> Payload:
        """The headers and both parts. Raises ``Unrenderable``."""
        notice = message.notice

        def shape(story: Story) -> dict[str, Any]:
            text, html = self._pages.render(story)
            return {
                "subject": _subject(self._mail.prefix, story),
                "text": text,
                "html": html,
                "message_id": self._id(notice.key, "notice"),
                "thread_id": self._id(notice.key._replace(flush=0), "group"),
                "date": format_datetime(_EPOCH + timedelta(microseconds=notice.decided_us)),
                "important": story.tone is palette.CRITICAL,
            }

        return rendered(message, self._console_url, self._zone, shape)

    def send(self, payload: Payload) -> Answer:
        """Hand one mail over."""
        return self._carrier.carry(self._sender, self._to, self._letter(payload))

    def _letter(self, payload: Payload) -> EmailMessage:
        letter = EmailMessage(policy=SMTP)
        letter["From"] = self._mail.sender
        letter["To"] = ", ".join(self._mail.to)
        letter["Subject"] = payload["subject"]
        letter["Date"] = payload["date"]
        letter["Message-ID"] = payload["message_id"]
        letter["In-Reply-To"] = letter["References"] = payload["thread_id"]
        letter["Auto-Submitted"] = "auto-generated"
        if payload["important"]:
            letter["Importance"] = "high"
        letter.set_content(payload["text"], cte="quoted-printable")
        letter.add_alternative(payload["html"], subtype="html", cte="quoted-printable")
        return letter

    def _id(self, key: Key, what: str) -> str:
        digest = hashlib.sha256(str(key).encode("utf-8", "replace")).hexdigest()[:32]
        return f"<{digest}.{what}@{self._sender.rpartition('@')[2]}>"


def _subject(prefix: str, story: Story) -> str:
    told, _ = shorten(line(f"{story.tone.word}: {story.title}"), _SUBJECT)
    return line(f"{prefix} {told.replace('=?', '= ?')}")
