"""What the routes ask of the language of routing: whether a text is one, whether matchers are, and what is wrong with them."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from consumers.api.errors import ValueRefused
from consumers.api.policy_models import RoutingLinted
from consumers.api.rule_models import FlawView
from consumers.notifier.errors import MatcherRefused, RoutingRefused
from consumers.notifier.routing import matchers, text
from consumers.notifier.routing.tree import Matchers, Routing, every
from pipeline.errors import PipelineError

Channels: TypeAlias = Callable[[], Mapping[str, object | None]]
"""The channels that there are, by name; None for one without an address. May raise ``PipelineError``."""


def sound_routing(told: str) -> Routing:
    """The routing that a text says. Raises ``ValueRefused``, naming line and field of each flaw."""
    try:
        return text.read(told)
    except RoutingRefused as refused:
        message = "the text is no routing; see details"
        fields = [
            (f"text.{flaw.field}" if flaw.field else "text", f"line {flaw.line}: {flaw.reason}" if flaw.line else flaw.reason)
            for flaw in refused.flaws
        ]
        raise ValueRefused(message, fields=fields) from None


def sound_matchers(texts: Sequence[str]) -> Matchers:
    """The matchers that texts say. Raises ``ValueRefused``, naming each that is none."""
    found, wrong = [], []
    for index, told in enumerate(texts):
        try:
            found.append(matchers.read(told))
        except MatcherRefused as refused:
            wrong.append((f"matchers.{index}", str(refused)))
    if wrong:
        message = "what is to be matched cannot be read; see details"
        raise ValueRefused(message, fields=wrong)
    return tuple(found)


def sound_fields(given: Mapping[str, str]) -> Mapping[str, str]:
    """Fields as matchers ask for them. Raises ``ValueRefused``, naming each that no item has, or that cannot be so."""
    wrong = []
    for name, value in given.items():
        try:
            matchers.field_named(name)
        except MatcherRefused as refused:
            wrong.append((f"fields.{name}", str(refused)))
        if name == "severity" and value not in matchers.SEVERITIES:
            wrong.append(("fields.severity", f"is one of {', '.join(matchers.SEVERITIES)}"))
    if wrong:
        message = "nothing has these fields; see details"
        raise ValueRefused(message, fields=wrong)
    return given


def hints(routing: Routing, channels: Channels) -> list[str]:
    """What of a routing is likely not meant: routes that nothing comes to; channels that are not here, or have no address.

    Of channels nothing, if they cannot be asked.
    """
    found = text.unreachable(routing)
    try:
        known = channels()
    except PipelineError:
        return found
    named = text.channels_of(routing)
    missing = [f"no channel is named {name} here: what goes there is held" for name in named if name not in known]
    return [*found, *missing] + [
        f"channel {name} has no address: what goes there is held" for name in named if known.get(name, name) is None
    ]


def linted(told: str, channels: Channels) -> RoutingLinted:
    """What was found in a text."""
    try:
        routing = text.read(told)
    except RoutingRefused as refused:
        flaws = [FlawView(line=flaw.line, field=flaw.field, message=flaw.reason) for flaw in refused.flaws]
        return RoutingLinted(sound=False, flaws=flaws, routes=[], channels=[], reports=[], hints=[])
    return RoutingLinted(
        sound=True,
        flaws=[],
        routes=[route.name for route in every(routing.root)],
        channels=text.channels_of(routing),
        reports=[report.name for report in routing.reports],
        hints=hints(routing, channels),
    )
