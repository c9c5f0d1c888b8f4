"""Who would be told of alerts, by the routing that people published: for doors."""

from collections.abc import Mapping

from consumers.notifier.routing import text
from consumers.notifier.routing.policies import routing_of
from consumers.rules.history.backtest import Routing
from pipeline.opening import now_us
from pipeline.settings import Settings
from projections.decided import Decided


def with_every_channel(decided: Decided) -> Routing:
    """The routes, as if each channel had an address: for who is not to know these."""
    routing = routing_of(decided)
    return Routing(routing, frozenset(text.channels_of(routing)))


def with_channels(decided: Decided, settings: Settings, environ: Mapping[str, str]) -> Routing:
    """The routes and the channels that have an address. Raises ``ChannelsRejected``."""
    from consumers.notifier.channels.opening import open_channels  # noqa: PLC0415 -- templates and channels, for few

    channels = open_channels(settings, environ, clock=now_us)
    return Routing(routing_of(decided), frozenset(name for name, channel in channels.items() if channel is not None))
