"""The channels of a deployment, opened: the channels file, the webhook of the settings, and the secrets that they name.

Only doors use this. Secrets are read here, once, and go to their channels only; a door that starts anew sees new ones.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

from pydantic import SecretStr

from consumers.notifier.channels import file
from consumers.notifier.channels.file import Configured, Secret
from consumers.notifier.channels.port import Channel
from consumers.notifier.errors import ChannelsRejected
from pipeline.settings import Settings

DEFAULT: Final = "default"
"""The channel of ``FINDSTREAM_SLACK_WEBHOOK``, unless the file has one of that name with a webhook of its own."""

Clock = Callable[[], int]
"""Microseconds since the epoch, UTC."""

_T = TypeVar("_T")
_URL: Final = re.compile(r"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:(?P<port>\d{1,5}))?(/[!-~]*)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Opener:
    settings: Settings
    environ: Mapping[str, str]
    clock: Clock
    flaws: list[str]

    def tried(self, given: Callable[[], _T]) -> _T | None:
        """What ``given`` answers; None if it is refused, which is kept."""
        try:
            return given()
        except ChannelsRejected as refused:
            self.flaws.append(str(refused))
            return None

    @property
    def console(self) -> str:
        return self.settings.links_base

    def open(self, name: str, configured: Configured) -> Channel | None:
        if isinstance(configured, file.Slack):
            return self._slack(name, configured)
        if isinstance(configured, file.Email):
            return self._email(name, configured)
        return self._webhook(name, configured)

    def _slack(self, name: str, configured: file.Slack) -> Channel | None:
        from consumers.notifier.channels import slack  # noqa: PLC0415 -- Slack's package is slow, and often not needed

        webhook = self._given_webhook(name, configured.webhook)
        pace = configured.pace.rate if configured.pace else slack.PACE
        return slack.SlackChannel(webhook, self.console, zone=configured.zone or "", pace=pace) if webhook else None

    def _given_webhook(self, name: str, source: Secret | None) -> SecretStr | None:
        if source is not None:
            return url_of(self.secret(name, "webhook", source), f"channels.{name}.webhook")
        return self._webhook_of_settings() if name == DEFAULT else None

    def _webhook_of_settings(self) -> SecretStr | None:
        given = self.settings
        if given.slack_webhook is not None:
            return url_of(given.slack_webhook.get_secret_value(), "FINDSTREAM_SLACK_WEBHOOK")
        if given.slack_webhook_file is not None:
            where = f"FINDSTREAM_SLACK_WEBHOOK_FILE: file {given.slack_webhook_file}"
            return url_of(_text(given.slack_webhook_file) or "", where)
        if given.slack_webhook_secret is not None:
            return url_of(_stored(given.slack_webhook_secret), "FINDSTREAM_SLACK_WEBHOOK_SECRET")
        return None

    def _email(self, name: str, configured: file.Email) -> Channel:
        from consumers.notifier.channels import mail, smtp  # noqa: PLC0415 -- for those who mail

        carrier: mail.Carrier
        if configured.smtp is not None:
            server, login = configured.smtp, None
            if server.username is not None and server.password is not None:
                login = smtp.Login(server.username, SecretStr(self.secret(name, "smtp.password", server.password)))
            carrier = smtp.Smtp(server.host, server.port, smtp.Security(server.security), login)
        else:
            from consumers.notifier.channels import ses  # noqa: PLC0415 -- only where boto3 is

            told = configured.ses or file.Ses()
            carrier = ses.Ses(ses.client(told.region), told.configuration_set)
        envelope = mail.Mail(configured.sender, configured.to, configured.subject_prefix.strip())
        pace = configured.pace.rate if configured.pace else mail.PACE
        return mail.EmailChannel(envelope, carrier, self.console, zone=configured.zone or "", pace=pace)

    def _webhook(self, name: str, configured: file.Webhook) -> Channel | None:
        from consumers.notifier.channels import webhook  # noqa: PLC0415 -- for those who have one

        url, key = self.tried(partial(self._url, name, configured)), self.tried(partial(self._key, name, configured))
        if url is None or key is None:
            return None
        pace = configured.pace.rate if configured.pace else webhook.PACE
        return webhook.WebhookChannel(url, key, self.console, clock=self.clock, zone=configured.zone or "", pace=pace)

    def _url(self, name: str, configured: file.Webhook) -> SecretStr:
        where = f"channels.{name}.url"
        given = configured.url if isinstance(configured.url, str) else self.secret(name, "url", configured.url)
        return _safe(url_of(given, where), where)

    def _key(self, name: str, configured: file.Webhook) -> SecretStr:
        from consumers.notifier.channels.webhook import is_key  # noqa: PLC0415 -- for those who have one

        key = self.secret(name, "key", configured.key)
        if not is_key(key):
            message = f"channels.{name}.key: does not hold a key: whsec_ and the base64 of 24 to 64 random bytes"
            raise ChannelsRejected(message)
        return SecretStr(key)

    def secret(self, name: str, field: str, source: Secret) -> str:
        """What ``source`` holds, without white space around it. Raises ``ChannelsRejected`` if that is nothing."""
        if source.env is not None:
            where, found = f"environment variable {source.env}", self.environ.get(source.env, "")
        elif source.file is not None:
            where, found = f"file {source.file}", _text(source.file) or ""
        else:
            where, found = f"secret {source.secret}", _stored(source.secret or "")
        if not found.strip():
            message = f"channels.{name}.{field}: {where} holds nothing that can be read"
            raise ChannelsRejected(message)
        return found.strip()


def open_channels(settings: Settings, environ: Mapping[str, str], *, clock: Clock) -> dict[str, Channel | None]:
    """All channels by name; None has no address, and nothing can be sent to it. Without a file there is ``default`` alone.

    ``environ`` holds the variables that the channels file names. Raises ``ChannelsRejected`` with all that is wrong of the file
    and of the secrets; nothing is sent.
    """
    configured, flaws = _configured(settings)
    opener = _Opener(settings, environ, clock, flaws)
    channels = {name: opener.tried(partial(opener.open, name, each)) for name, each in configured.items()}
    if flaws:
        raise ChannelsRejected("; ".join(flaws))
    return channels


def channel_names(settings: Settings) -> set[str]:
    """The names of all channels; no secret that the channels file names is read. Raises ``ChannelsRejected`` with its flaws."""
    configured, flaws = _configured(settings)
    if flaws:
        raise ChannelsRejected("; ".join(flaws))
    return set(configured)


def _configured(settings: Settings) -> tuple[dict[str, Configured], list[str]]:
    """The channels as they are written, and what is wrong with that. Raises ``ChannelsRejected`` if nothing can be read."""
    configured: dict[str, Configured] = {}
    flaws: list[str] = []
    if settings.channels is not None:
        text = _text(settings.channels)
        if text is None:
            message = f"{settings.channels}: cannot be read, or is not UTF-8"
            raise ChannelsRejected(message)
        configured, flaws = file.parse(text, str(settings.channels))
    elif settings.channels_secret is not None:
        configured, flaws = file.parse(_stored(settings.channels_secret), "FINDSTREAM_CHANNELS_SECRET")
    if not configured or any((settings.slack_webhook, settings.slack_webhook_file, settings.slack_webhook_secret)):
        configured.setdefault(DEFAULT, file.Slack(kind="slack"))
    return configured, flaws


def url_of(found: str, where: str) -> SecretStr:
    """``found`` as a URL. Raises ``ChannelsRejected``, naming ``where`` but not what it holds, unless it is one of http(s)."""
    url = found.strip()
    parts = _URL.fullmatch(url)
    if parts is None or int(parts["port"] or 1) not in range(1, 1 << 16):
        message = f"{where} does not hold a webhook: one URL that begins with https:// (or http://)"
        raise ChannelsRejected(message)
    return SecretStr(url)


def _safe(url: SecretStr, where: str) -> SecretStr:
    """A URL whose answers nobody can forge: https, or this machine."""
    parts = urlsplit(url.get_secret_value())
    if parts.scheme == "https" or _is_loopback(parts.hostname or ""):
        return url
    message = f"{where}: begins with http://; write https://, which alone shows that the server is the one that is meant"
    raise ChannelsRejected(message)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _stored(arn: str) -> str:
    from aws_lambda_powertools.utilities import parameters  # noqa: PLC0415 -- only on AWS, where boto3 is

    return parameters.get_secret(arn, force_fetch=True).strip()
