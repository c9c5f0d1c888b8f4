"""From what the ports answer to what the API answers: field by field, microseconds to seconds, numbers to words."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal, cast

from consumers.api.lag import seconds_behind
from consumers.api.models import (
    Agent,
    Event,
    EventDetail,
    Projection,
    QuarantinedItem,
    Taken,
    TaskRef,
    seconds,
    seconds_or_none,
)
from consumers.palette import tone
from pipeline.ingest import Accepted
from pipeline.log.port import Batch, Record
from pipeline.quarantine.port import Quarantined
from projections.event_index import Entry
from projections.reading import AgentStatus, ProjectionState

PREVIEW_BYTES: Final = 2048

SeverityName = Literal["UNKNOWN", "LOW", "MEDIUM", "HIGH", "CRITICAL"]


def severity_name(severity: int) -> SeverityName:
    """The word of a severity."""
    return cast("SeverityName", tone(severity).word)


def by_name(counts: Mapping[int, int]) -> dict[str, int]:
    """Counts by severity as counts by its word, gravest first, zeros left out."""
    return {severity_name(severity): counts[severity] for severity in sorted(counts, reverse=True) if counts[severity]}


def event(entry: Entry) -> Event:
    """An entry of the index."""
    return Event.model_validate(_header(entry))


def event_at(batch: Batch, index: int) -> Event:
    """The event at ``index`` of a batch; its body is not touched."""
    c = batch.columns
    return event(
        Entry(
            id=c.id[index],
            type=c.type[index],
            time_us=c.time_us[index],
            recorded_us=batch.recorded_us[index],
            source=c.source[index],
            account=c.account[index],
            region=c.region[index],
            subject=c.subject[index],
            severity=c.severity[index],
            summary=c.summary[index],
            resources=tuple(c.resources[index]),
            source_id=c.source_id[index],
            position=batch.positions[index],
        )
    )


def event_detail(record: Record, shared_by: Sequence[Entry] = (), tasks: Sequence[TaskRef] = ()) -> EventDetail:
    """A record of the log, whole, with what was made of it."""
    whole = {
        "version": record.event.version,
        "correlation_id": record.event.correlation_id,
        "causation_id": record.event.causation_id,
        "data": record.event.data,
        "tasks": tasks,
        "shared_by": [event(entry) for entry in shared_by],
    }
    return EventDetail.model_validate(_header(_entry(record)) | whole)


def agent(status: AgentStatus) -> Agent:
    """The status of an agent."""
    return Agent(
        account=status.account,
        region=status.region,
        status=status.status,
        version=status.version,
        deployed_at=seconds_or_none(status.deployed_at_us),
        last_heartbeat=seconds_or_none(status.last_heartbeat_us),
        last_finding=seconds_or_none(status.last_finding_us),
        findings=sum(status.counts.values()),
        by_severity=by_name(status.counts),
        registered=status.registered,
        name=status.name,
        description=status.description,
        contact=status.contact,
        enabled=status.enabled,
        revision=status.revision,
    )


def projection(state: ProjectionState, *, now_us: int) -> Projection:
    """The state of a projection, and how old what it misses is."""
    return Projection(
        name=state.name,
        version=state.version,
        generation=state.generation,
        lag_events=state.lag_events,
        lag_seconds=seconds_behind(state, now_us=now_us),
        parked=state.parked,
        checkpoints={shard: str(position) for shard, position in state.checkpoints.items()},
        building=state.building,
    )


def taken(accepted: Accepted) -> Taken:
    """What became of a request's items."""
    tally = accepted.tally
    return Taken(
        read=tally.read,
        accepted=tally.accepted,
        duplicate=tally.duplicate,
        quarantined=tally.quarantined,
        positions=[str(position) for position in tally.positions],
        ids=[receipt.id for receipt in accepted.receipts],
    )


def quarantined(item: Quarantined) -> QuarantinedItem:
    """An item of the quarantine, with the beginning of its bytes."""
    return QuarantinedItem(
        id=item.id,
        status=item.status.value,
        field=item.reject.field,
        reason=item.reject.reason,
        origin=item.reject.origin,
        first=seconds(item.first_us),
        last=seconds(item.last_us),
        times=item.times,
        payload_bytes=len(item.reject.payload),
        payload=item.reject.payload[:PREVIEW_BYTES].decode(errors="replace"),
    )


def _entry(record: Record) -> Entry:
    """What the index would tell of a record."""
    event = record.event
    return Entry(
        id=event.id,
        type=event.type,
        time_us=event.time_us,
        recorded_us=record.recorded_us,
        source=event.source,
        account=event.account,
        region=event.region,
        subject=event.subject,
        severity=event.severity,
        summary=event.summary,
        resources=event.resources,
        source_id=event.source_id,
        position=record.position,
    )


def _header(entry: Entry) -> dict[str, object]:
    return {
        "id": entry.id,
        "type": entry.type,
        "time": seconds(entry.time_us),
        "recorded": seconds(entry.recorded_us),
        "source": entry.source,
        "account": entry.account,
        "region": entry.region,
        "severity": entry.severity,
        "severity_name": severity_name(entry.severity),
        "summary": entry.summary,
        "resources": list(entry.resources),
        "source_id": entry.source_id,
        "subject": entry.subject,
        "position": str(entry.position),
    }
