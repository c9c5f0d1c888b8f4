"""What people decided about notifying, as the notifier acts on it: from what the projection knows to ``Policies``.

Unread: a text that this build cannot read (a newer one wrote it) does not stop anybody from being told: of the routing the newest
        version that can be read holds, and said so loudly; a silence that cannot be read silences nothing, likewise.
"""

import logging
from collections.abc import Iterable, Iterator

from consumers.notifier.errors import MatcherRefused, RoutingRefused
from consumers.notifier.routing import matchers, text
from consumers.notifier.routing.tree import Policies, Routing, Silence
from projections.decided import Decided
from projections.policies import KnownRouting, KnownSilence

_logger = logging.getLogger(__name__)


def policies_of(decided: Decided, *, ending_after_us: int = 0) -> Policies:
    """All that holds. Silences that end before ``ending_after_us`` are left out."""
    return Policies(routing_of(decided), tuple(_silences(decided.silences(ending_after_us=ending_after_us))))


def routing_of(decided: Decided) -> Routing:
    """The routing that holds: the newest that can be read, or the default."""
    known = decided.routing()
    for number, told in _texts(decided, known) if known else ():
        try:
            return text.read(told, number=number)
        except RoutingRefused as refused:
            _logger.error("version %d of the routing cannot be read here, a former one holds: %s", number, refused)  # noqa: TRY400 -- the flaws say all
    return text.default()


def silence_of(known: KnownSilence) -> Silence:
    """A silence with its matchers. Raises ``MatcherRefused``."""
    return Silence(known.id, matchers.read_all(known.matchers), known.starts_us, known.ends_us, known.comment, known.by)


def _texts(decided: Decided, known: KnownRouting) -> Iterator[tuple[int, str]]:
    """The versions of the routing, newest first."""
    yield known.current.number, known.current.text
    for version in known.versions[1:]:
        if whole := decided.routing_version(version.number):
            yield whole.number, whole.text


def _silences(known: Iterable[KnownSilence]) -> Iterator[Silence]:
    for one in known:
        try:
            yield silence_of(one)
        except MatcherRefused as refused:
            _logger.error("silence %s cannot be read here, it silences nothing: %s", one.id, refused)  # noqa: TRY400
