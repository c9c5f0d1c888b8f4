"""A webhook of your own: a POST of JSON, signed, as Standard Webhooks describes.

Headers:     ``webhook-id``, the same for every try of a notice; ``webhook-timestamp``, of this try; ``webhook-signature``.
Delivered:   2xx.
RateLimited: 429, with the seconds of ``Retry-After``.
Refused:     every other 4xx but 408 and 425, which ask to try again.
Unavailable: 5xx, redirects (none is followed), time-outs and broken connections. What broke before the request was out cannot
             have arrived; what broke later may have, and so may what a gateway (502, 504) tells of.
Safety:      TLS certificates are verified; of an answer, only status and ``Retry-After`` are read. httpx is made to say less:
             at INFO it logs every URL, and a token may stand in ours.
Source:      Standard Webhooks 1.0, "Webhook scheme", "Deliverability and reliability".
"""

import base64
import hashlib
import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
import orjson
from pydantic import SecretStr
from standardwebhooks.webhooks import Webhook

from consumers.notifier.channels.port import Answer, Delivered, Message, Payload, Rate, RateLimited, Refused, Unavailable
from consumers.notifier.channels.webhook_body import body_of
from consumers.notifier.messages.rendering import rendered
from consumers.notifier.messages.story import Story

TIMEOUT: Final = timedelta(seconds=10)
PACE: Final = Rate(per_second=10.0, burst=10)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PREFIX: Final = "whsec_"
_KEY_BYTES: Final = range(24, 65)
_SECONDS: Final = re.compile(r"\d{1,9}")
_AGAIN: Final = frozenset({408, 425})
_GATEWAY: Final = frozenset({502, 504})

logging.getLogger("httpx").setLevel(logging.WARNING)


class WebhookChannel:
    """One URL and the key that both sides know. ``clock``: microseconds since the epoch. ``zone`` is for times in words."""

    kind: Final = "webhook"

    def __init__(
        self,
        url: SecretStr,
        key: SecretStr,
        console_url: str,
        *,
        clock: Callable[[], int],
        zone: str = "",
        pace: Rate = PACE,
        timeout: timedelta = TIMEOUT,
    ) -> None:
        self.pace = pace
        self._url = url
        self._signer = Webhook(key.get_secret_value())
        self._console_url = console_url
        self._clock = clock
        self._zone = zone
        self._timeout = timeout.total_seconds()
        self._client: httpx.Client | None = None

    def render(self, message: Message) -> Payload:
        """``{"id": …, "body": …}``: the header ``webhook-id``, and the body that is posted. Raises ``Unrenderable``."""

        def shape(story: Story) -> dict[str, Any]:
            return {"id": _id(str(message.notice.key)), "body": body_of(message, story).model_dump(mode="json")}

        return rendered(message, self._console_url, self._zone, shape)

    def send(self, payload: Payload) -> Answer:
        """Make one request with it."""
        now, body = _EPOCH + timedelta(microseconds=self._clock()), orjson.dumps(payload["body"])
        headers = {
            "content-type": "application/json",
            "user-agent": "findstream",
            "webhook-id": payload["id"],
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer.sign(payload["id"], now, body.decode()),
        }
        try:
            with self._connected().stream("POST", self._url.get_secret_value(), content=body, headers=headers) as answer:
                return read(answer)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError):
            return Refused("the webhook is no URL that can be asked")
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as broken:
            return Unavailable(type(broken).__name__, unsure=False)
        except httpx.HTTPError as broken:
            return Unavailable(type(broken).__name__, unsure=True)

    def _connected(self) -> httpx.Client:
        """Made at the first request: what it verifies certificates with takes a while to load.

        Connections are not kept: one that the server has closed meanwhile would look as if the message might have arrived.
        """
        if self._client is None:
            limits = httpx.Limits(max_keepalive_connections=0)
            self._client = httpx.Client(timeout=self._timeout, follow_redirects=False, limits=limits)
        return self._client


def read(response: httpx.Response) -> Answer:
    """What an answer means."""
    status = response.status_code
    if response.is_success:
        return Delivered()
    if status == httpx.codes.TOO_MANY_REQUESTS:
        asked = response.headers.get("retry-after", "").strip()
        return RateLimited(float(asked) if _SECONDS.fullmatch(asked) else None)
    if response.is_client_error and status not in _AGAIN:
        return Refused(str(status))
    return Unavailable(str(status), unsure=status in _GATEWAY)


def is_key(text: str) -> bool:
    """Whether this is a key: ``whsec_`` and the base64 of 24 to 64 bytes."""
    try:
        return text.startswith(_PREFIX) and len(base64.b64decode(text.removeprefix(_PREFIX), validate=True)) in _KEY_BYTES
    except ValueError:
        return False


def _id(key: str) -> str:
    """The same for every try of a notice, and for no other notice."""
    return f"msg_{hashlib.sha256(key.encode('utf-8', 'replace')).hexdigest()[:32]}"
