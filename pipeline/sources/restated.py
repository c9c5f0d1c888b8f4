"""What our own agents say again in the detail, because EventBridge changes it on the way.

Id:     EventBridge gives each put an id of its own, and keeps whole seconds of its time. An agent that tells the same thing twice
        (a retry, windows that overlap) gives it the same ``detail.eventId``: that is the id from the source, and tells the item
        apart from all others of its account, region, source, time and detail-type; the rest of the detail does not.
Time:   ``detail.timestamp``, epoch milliseconds, beats the envelope's time.
Region: ``detail.region`` beats the envelope's: a bus may stand in another region than the agent.
The account is always the envelope's, which AWS stamps: no agent can speak for another account.
"""

from dataclasses import replace
from typing import Final

from pipeline.sources import fields
from pipeline.sources.reading import Header, Json

ID: Final = "eventId"
TIME: Final = "timestamp"
REGION: Final = "region"

_OURS: Final = "monitoring.agent"


def header(detail: Json, of: Header) -> Header | None:
    """The header as the agent gave it, None if it gave no id. Raises ``ItemRejected`` for what is no id, time or region."""
    if not of.source.startswith(_OURS) or not detail.get(ID):
        return None
    return replace(
        of,
        source_id=fields.source_id(detail[ID], f"detail.{ID}"),
        time_us=fields.time(detail[TIME], f"detail.{TIME}") if TIME in detail else of.time_us,
        region=fields.region(detail[REGION], f"detail.{REGION}") if REGION in detail else of.region,
    )
