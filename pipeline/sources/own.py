"""Events of ours that come back in their interchange form (CloudEvents), as an export or another findstream tells them.

Identity: the id that they left with. A finding's must be the one that its raw item gives, so that nobody takes another's id.
Accepted: what enters from outside at first: findings and what agents say of themselves. Facts of commands (tasks) and of our own
          conclusions (notices, reports) are made here only.
"""

from collections.abc import Callable
from typing import Any, Final

from pipeline.errors import ItemRejected, quoted
from pipeline.sources import agents
from pipeline.sources.reading import FINDING, Json, line
from schemas import cloudevents
from schemas.envelope import Envelope
from schemas.errors import EventRejected
from schemas.registry import REGISTRY

_ENTERING: Final = (FINDING, agents.BEAT, agents.DEPLOYED)


def fits(item: Json) -> bool:
    """Whether ``item`` is an event of ours."""
    return cloudevents.is_own(item)


def event(item: Json, again: Callable[[Json], Envelope]) -> Envelope:
    """The event that was exported; ``again`` makes the event of a raw item. Raises ``ItemRejected``."""
    try:
        own = cloudevents.decode(item)
        data: dict[str, Any] = item["data"]
        if own.type not in _ENTERING:
            raise ItemRejected.of(field="type", reason=f"type {quoted(own.type)} does not enter from outside; {_who(own.type)}")
        REGISTRY.check(own, data)
    except EventRejected as refused:
        raise ItemRejected.of(line(refused.field), line(f"{refused.field}: {refused.reason}")) from None
    raw = data.get("raw")
    if own.type == FINDING and (not isinstance(raw, dict) or fits(raw) or again(raw).id != own.id):
        raise ItemRejected.of(field="id", reason=f"id {quoted(own.id)} is not the one that data.raw gives")
    return own


def _who(event_type: str) -> str:
    return "commands make it" if event_type.startswith("task.") else f"accepted: {', '.join(_ENTERING)}"
