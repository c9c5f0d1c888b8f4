"""Who would be told of alerts, by the settings: for doors."""

from collections.abc import Mapping

from consumers.notifier import routes
from consumers.rules.history.backtest import Routing
from pipeline.settings import Settings


def with_every_channel(settings: Settings) -> Routing:
    """The routes, as if each channel had a webhook: for who is not to know these. Raises ``RoutesRejected``."""
    routing = routes.load(settings.routes) if settings.routes is not None else routes.DEFAULT
    return Routing(routing.routes, routing.channels.keys())


def routing_of(settings: Settings, environ: Mapping[str, str]) -> Routing:
    """The routes and the channels that have a webhook. Raises ``RoutesRejected``."""
    from consumers.notifier.assembly import channels_of  # noqa: PLC0415 -- templates and channels, for few

    routing, connected = channels_of(settings, environ)
    return Routing(routing.routes, connected)
