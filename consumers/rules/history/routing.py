"""Who would be told of alerts, by the settings: for doors."""

from collections.abc import Mapping

from consumers.notifier.assembly import channels_of
from consumers.rules.history.backtest import Routing
from pipeline.settings import Settings


def routing_of(settings: Settings, environ: Mapping[str, str]) -> Routing:
    """The routes and the channels that have a webhook. Raises ``RoutesRejected``."""
    routing, connected = channels_of(settings, environ)
    return Routing(routing.routes, connected)
