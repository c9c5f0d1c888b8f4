"""The notifier put together from the settings: where a door meets everything else in this room.

The ledger is ``<home>/notices.db``. Secrets are read here, once, and go to their senders only.
"""

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr

from consumers.notifier import routes
from consumers.notifier.channels.port import Sender
from consumers.notifier.courier import Clock
from consumers.notifier.ledger.port import Ledger
from consumers.notifier.notifier import Notifier
from consumers.notifier.render import Renderer
from consumers.notifier.routes import Routing
from pipeline.log.port import Log
from pipeline.settings import Settings

if TYPE_CHECKING:
    from consumers.notifier.ledger.sqlite import SqliteLedger

LEDGER: Final = "notices.db"
_DEFAULT: Final = "default"


@dataclass(frozen=True, slots=True)
class Wiring:
    """What the settings say about notifying: the routes, and per channel its sender, None where there is no webhook."""

    routing: Routing
    senders: Mapping[str, Sender | None]


def wiring(settings: Settings, environ: Mapping[str, str]) -> Wiring:
    """Routes and senders. Raises ``RoutesRejected``. ``environ`` holds the variables that the routes file names."""
    routing = routes.load(settings.routes) if settings.routes is not None else routes.DEFAULT
    senders: dict[str, Sender | None] = {}
    for name, source in routing.channels.items():
        webhook = routes.webhook(name, source, environ)
        if webhook is None and name == _DEFAULT:
            webhook = _default_webhook(settings)
        senders[name] = None if webhook is None else _slack(webhook)
    return Wiring(routing, senders)


def channels_of(settings: Settings, environ: Mapping[str, str]) -> tuple[Routing, AbstractSet[str]]:
    """The routes, and the channels that have a webhook: what ``decide`` asks for. Raises ``RoutesRejected``."""
    wired = wiring(settings, environ)
    return wired.routing, frozenset(name for name, sender in wired.senders.items() if sender is not None)


def _slack(webhook: SecretStr) -> Sender:
    from consumers.notifier.channels.slack import SlackSender  # noqa: PLC0415 -- Slack's package is slow, and often not needed

    return SlackSender(webhook)


def open_ledger(home: Path) -> "SqliteLedger":
    """The ledger of ``home``, made if it is missing. Raises ``LedgerUnavailable``, ``LedgerUnreadable``."""
    from consumers.notifier.ledger.sqlite import SqliteLedger  # noqa: PLC0415 -- only where data lies in a folder

    home.mkdir(parents=True, exist_ok=True)
    return SqliteLedger(home / LEDGER)


def open_notifier(
    settings: Settings,
    log: Log,
    ledger: Ledger,
    environ: Mapping[str, str],
    *,
    clock: Clock,
    random: Callable[[], float],
) -> Notifier:
    """The notifier that ``settings`` describe. It has then taken ``ledger`` over. Raises ``RoutesRejected``."""
    wired = wiring(settings, environ)
    renderer = Renderer(settings.links_base)
    return Notifier(log, ledger, wired.routing.routes, wired.senders, renderer, clock=clock, random=random)


def _default_webhook(settings: Settings) -> SecretStr | None:
    if settings.slack_webhook is not None:
        return routes.checked(settings.slack_webhook.get_secret_value(), "FINDSTREAM_SLACK_WEBHOOK")
    if settings.slack_webhook_file is not None:
        source = routes.ChannelSource(webhook_file=settings.slack_webhook_file)
        return routes.webhook(_DEFAULT, source, {})
    if settings.slack_webhook_secret is not None:
        return routes.checked(_secret(settings.slack_webhook_secret), "FINDSTREAM_SLACK_WEBHOOK_SECRET")
    return None


def _secret(arn: str) -> str:
    from aws_lambda_powertools.utilities import parameters  # noqa: PLC0415 -- only on AWS, where boto3 is

    return parameters.get_secret(arn).strip()
