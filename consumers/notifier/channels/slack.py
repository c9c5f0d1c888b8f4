"""Slack, by incoming webhook: what its answers mean, and how fast it may be asked.

Delivered:   2xx, unless the body is a page for people (a proxy's, or where a redirect led).
RateLimited: 429, with the seconds of ``Retry-After``.
Refused:     every other 4xx: ``invalid_payload``, ``action_prohibited``, ``channel_not_found``, ``channel_is_archived``…
Unavailable: 5xx, redirects, time-outs and broken connections. What broke before the request was out cannot have arrived;
             what broke later may have, and so may what a gateway (502, 504) tells of.
Source:      Slack API, "Sending messages using incoming webhooks", Handling errors; "Rate limits".

The client is used without its retry handlers: one of its defaults repeats a request whose connection broke, which would be
a message twice that nobody knows of. Its logger is silent: at DEBUG it prints the webhook.
"""

import logging
import re
from collections.abc import Mapping
from datetime import timedelta
from http.client import HTTPException
from typing import Any, Final
from urllib.error import URLError

from pydantic import SecretStr
from slack_sdk.errors import SlackRequestError
from slack_sdk.webhook import WebhookClient, WebhookResponse

from consumers.notifier.channels.port import Answer, Delivered, Message, Payload, Rate, RateLimited, Refused, Unavailable
from consumers.notifier.channels.slack_blocks import Blocks
from consumers.notifier.messages.rendering import rendered

TIMEOUT: Final = timedelta(seconds=10)
PACE: Final = Rate(per_second=1.0, burst=1)
"""About one message a second, says Slack; bursts are theirs to allow."""

_WORD: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
"""An error as Slack words it. Anything else may be a page that repeats the webhook, and is not kept."""
_SECONDS: Final = re.compile(r"\d{1,9}")
_GATEWAY: Final = frozenset({502, 504})

_silent = logging.getLogger("findstream.slack_sdk")
_silent.setLevel(logging.CRITICAL + 1)


class SlackChannel:
    """One incoming webhook. ``console_url`` is where links lead; ``zone`` is its readers' time zone, "" if it has none."""

    kind: Final = "slack"

    def __init__(
        self, webhook: SecretStr, console_url: str, *, zone: str = "", pace: Rate = PACE, timeout: timedelta = TIMEOUT
    ) -> None:
        self.pace = pace
        self._console_url = console_url
        self._zone = zone
        self._blocks = Blocks()
        self._sender = SlackSender(webhook, timeout=timeout)

    def render(self, message: Message) -> Payload:
        """A Block Kit message. Raises ``Unrenderable``."""
        return rendered(message, self._console_url, self._zone, self._blocks.render)

    def send(self, payload: Payload) -> Answer:
        """Make one request with it."""
        return self._sender.send(payload)


class SlackSender:
    """Sends to one incoming webhook, one request a call, as ``channels.port`` promises."""

    def __init__(self, webhook: SecretStr, *, timeout: timedelta = TIMEOUT) -> None:
        self._client = WebhookClient(
            webhook.get_secret_value(), timeout=max(1, round(timeout.total_seconds())), logger=_silent, retry_handlers=[]
        )

    def send(self, payload: Mapping[str, Any]) -> Answer:
        """Make one request with this Block Kit message."""
        try:
            return read(self._client.send_dict(dict(payload)))
        except URLError as broken:
            cause = broken.reason if isinstance(broken.reason, Exception) else broken
            return Unavailable(type(cause).__name__, unsure=False)
        except (OSError, HTTPException, UnicodeDecodeError, LookupError) as broken:
            return Unavailable(type(broken).__name__, unsure=True)
        except (SlackRequestError, ValueError):
            return Refused("the webhook is no URL that can be asked")


def read(response: WebhookResponse) -> Answer:
    """What an answer of Slack means."""
    status, word = response.status_code, response.body.strip()
    detail = f"{status} {word}" if _WORD.fullmatch(word) else str(status)
    if status in range(200, 300):
        return Unavailable(f"{status} with a page", unsure=False) if word.startswith("<") else Delivered()
    if status == 429:  # noqa: PLR2004  # Too Many Requests
        return RateLimited(_retry_after(response.headers))
    if status in range(400, 500):
        return Refused(detail)
    return Unavailable(detail, unsure=status in _GATEWAY)


def _retry_after(headers: Mapping[str, Any]) -> float | None:
    for name, value in headers.items():
        if name.lower() == "retry-after" and _SECONDS.fullmatch(str(value).strip()):
            return float(value)
    return None
