"""Which event of the log somebody names: by our id, by its source's, or, of an alert, by the alert's."""

from consumers.composition import now_us
from consumers.errors import Refused
from pipeline.log.port import Log, Record
from pipeline.log.sqlite import SqliteLog
from projections.catalog import Catalog


def named(log: Log, catalog: Catalog, told: str) -> Record:
    """The event that ``told`` names; of an alert the one that raised it. Raises ``Refused`` if there is none."""
    alert = catalog.alert(told)
    event_id = alert[0].raised if alert else told
    known = log.find(event_id) if isinstance(log, SqliteLog) else None
    position = known or next((entry.position for entry in catalog.event(event_id, now_us=now_us())), None)
    found = log.fetch([position])[0] if position else None
    if found is None:
        message = f"no event has the id {told!r}, and no alert; see findstream events"
        raise Refused(message)
    return found
