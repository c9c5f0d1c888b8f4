"""What the API answers, as models: the OpenAPI document is made of them, and no other field leaves the process.

Times are Unix seconds (UTC), with fractions to the microsecond. Severities are 0 UNKNOWN, 1 LOW, 2 MEDIUM, 3 HIGH, 4 CRITICAL.
Positions are opaque texts, ``shard:sequence:sub``; hand them back as ``fresh`` to read your own writes.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

MICROSECONDS: Final = 1_000_000

Seconds = Annotated[float, Field(description="Unix seconds, UTC.", examples=[1795219200.25])]


def seconds(time_us: int) -> float:
    """Microseconds since the epoch as Unix seconds."""
    return time_us / MICROSECONDS


def seconds_or_none(time_us: int | None) -> float | None:
    """The same, for what may never have happened."""
    return None if time_us is None else seconds(time_us)


class Answer(BaseModel):
    """The base of all answers: immutable, complete."""

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)


class Detail(Answer):
    """One wrong field."""

    field: Annotated[str, Field(description="The parameter or the dotted path in the body.", examples=["limit"])]
    message: Annotated[str, Field(examples=["Input should be less than or equal to 200"])]


class ErrorBody(Answer):
    """What went wrong."""

    code: Annotated[str, Field(description="Stable, for programs.", examples=["value_refused"])]
    message: Annotated[str, Field(description="For people.", examples=["the request has wrong values; see details"])]
    details: list[Detail]


class ErrorAnswer(Answer):
    """The one shape of every error."""

    error: ErrorBody


class Event(Answer):
    """The header of an event, as lists show it."""

    id: Annotated[str, Field(examples=["1795219200-6f0c5a39-8d1b-8b7e-a1c2-3d4e5f607182"])]
    type: Annotated[str, Field(examples=["finding.observed"])]
    time: Annotated[Seconds, Field(description="When it happened.")]
    recorded: Annotated[Seconds, Field(description="When the log recorded it.")]
    source: Annotated[str, Field(examples=["aws.guardduty"])]
    account: Annotated[str, Field(description="12 digits, or empty.", examples=["111122223333"])]
    region: Annotated[str, Field(description="Empty for global events.", examples=["eu-central-1"])]
    severity: Annotated[int, Field(ge=0, le=4, examples=[3])]
    severity_name: Annotated[Literal["UNKNOWN", "LOW", "MEDIUM", "HIGH", "CRITICAL"], Field(examples=["HIGH"])]
    summary: Annotated[str, Field(examples=["Unusual API call from a Tor exit node"])]
    resources: Annotated[list[str], Field(examples=[["arn:aws:ec2:eu-central-1:111122223333:instance/i-0abc"]])]
    source_id: Annotated[str, Field(description="The id that the source gave it; need not be unique.", examples=["7bf7…"])]
    subject: Annotated[str, Field(description="What it is about and ordered by.", examples=["guardduty/7bf7"])]
    position: Annotated[str, Field(description="Where it stands in the log.", examples=["shard-0:42:0"])]


class TaskRef(Answer):
    """A task, in short."""

    id: str
    title: str
    status: str
    version: int


class EventDetail(Event):
    """An event, whole."""

    version: Annotated[int, Field(description="Version of the type's schema.", examples=[1])]
    correlation_id: str
    causation_id: str
    data: Annotated[dict[str, Any], Field(description="The body. For a finding: kind, form, detail_type, facts, raw.")]
    tasks: Annotated[list[TaskRef], Field(description="The tasks made from it that you may see, by priority, due date, id.")]
    shared_by: Annotated[list[Event], Field(description="Others with the asked source id, newest first; else empty.")]


class EventList(Answer):
    """A page of events."""

    items: list[Event]
    next: Annotated[str | None, Field(description="Cursor of the page behind this one.")]
    previous: Annotated[str | None, Field(description="Cursor of the page before this one.")]


class Taken(Answer):
    """What became of the items of a request. ``read = accepted + duplicate + quarantined``."""

    read: Annotated[int, Field(examples=[3])]
    accepted: Annotated[int, Field(description="New on the log, durable.", examples=[2])]
    duplicate: Annotated[int, Field(description="Known already.", examples=[1])]
    quarantined: Annotated[int, Field(description="Kept apart, with the reason.", examples=[0])]
    positions: Annotated[
        list[str], Field(description="The last of each shard: pass them as ``fresh``.", examples=[["shard-0:42:0"]])
    ]
    ids: Annotated[list[str], Field(description="The id of each event, in the order of the input.")]


class Agent(Answer):
    """What is known of the agent in one account."""

    account: Annotated[str, Field(examples=["111122223333"])]
    region: str
    status: Annotated[
        str, Field(description="pending, deploying, active, failed, disabled, offline, unregistered", examples=["active"])
    ]
    version: str
    deployed_at: Seconds | None
    last_heartbeat: Seconds | None
    last_finding: Seconds | None
    findings: Annotated[int, Field(description="Of all severities.")]
    by_severity: Annotated[dict[str, int], Field(examples=[{"HIGH": 2, "LOW": 7}])]
    registered: Annotated[bool, Field(description="Whether people entered it into the registry.")]
    name: str
    description: str
    contact: Annotated[str, Field(description="Whom to ask.")]
    enabled: Annotated[bool, Field(description="One that is not enabled is not missed when it is silent.")]
    revision: Annotated[
        int, Field(description="Of the registry's entry, 0 if there never was one; `version` is the agent's own.")
    ]


class AgentList(Answer):
    """All agents, by account."""

    items: list[Agent]


class Projection(Answer):
    """How a projection fares."""

    name: Annotated[str, Field(examples=["event_index"])]
    version: int
    generation: int
    lag_events: Annotated[int, Field(description="Events of the log that it has not folded yet.")]
    lag_seconds: Annotated[float, Field(description="Age of the oldest of these; 0 if there is none.")]
    parked: Annotated[int, Field(description="Events that its fold could not digest.")]
    checkpoints: Annotated[dict[str, str], Field(examples=[{"shard-0": "shard-0:42:0"}])]
    building: Annotated[int | None, Field(description="Number of the generation being rebuilt beside it.")]


class ProjectionList(Answer):
    """All projections, by name."""

    items: list[Projection]


class QuarantinedItem(Answer):
    """Input that could not become an event."""

    id: str
    status: Annotated[str, Field(examples=["held"])]
    field: Annotated[str, Field(description="Dotted path; empty: the whole.", examples=["detail.severity"])]
    reason: str
    origin: Annotated[str, Field(examples=["http"])]
    first: Seconds
    last: Seconds
    times: int
    payload_bytes: int
    payload: Annotated[str, Field(description="The beginning of it, as text; what is no UTF-8 is replaced.")]


class QuarantineList(Answer):
    """A page of the quarantine, newest first. ``counts`` is of all items, by status."""

    items: list[QuarantinedItem]
    next: Annotated[str | None, Field(description="Pass it as ``after``.")]
    counts: Annotated[dict[str, int], Field(examples=[{"held": 2, "released": 11}])]


class Health(Answer):
    """The process answers."""

    status: Literal["alive"]
    version: str


class Readiness(Answer):
    """Work may be sent here."""

    status: Literal["ready"]
    lag_seconds: Annotated[float, Field(description="Of the projection that is furthest behind.")]


class Share(Answer):
    """How many findings had this value."""

    key: Annotated[str, Field(examples=["aws.guardduty"])]
    count: int


class Day(Answer):
    """Findings of the last 24 hour buckets (the current one included), and of the 24 before them."""

    count: int
    previous: int
    by_severity: Annotated[dict[str, int], Field(examples=[{"CRITICAL": 1, "HIGH": 4}])]
    top_sources: list[Share]
    top_accounts: list[Share]


class Agents(Answer):
    """Agents by status."""

    total: int
    by_status: Annotated[dict[str, int], Field(examples=[{"active": 3, "offline": 1}])]


class Tasks(Answer):
    """Tasks by status."""

    total: int
    by_status: Annotated[dict[str, int], Field(examples=[{"open": 3, "closed": 9}])]
    overdue: int


class Pipeline(Answer):
    """The state of the pipeline, in one glance."""

    events_per_second: Annotated[float, Field(description="Appended to the log, mean of the last minute.")]
    lag_events: Annotated[int, Field(description="Of the projection that is furthest behind.")]
    lag_seconds: float
    parked: int
    quarantined: Annotated[int, Field(description="Held in quarantine.")]
    projections: list[Projection]


class Overview(Answer):
    """What the first page shows."""

    time: Seconds
    last_24_hours: Day
    agents: Agents
    tasks: Tasks
    pipeline: Pipeline
    latest: list[Event]


class Bucket(Answer):
    """One hour or day. ``split`` is by what ``by`` asked for."""

    start: Seconds
    count: int
    split: Annotated[dict[str, int], Field(examples=[{"HIGH": 2, "LOW": 7}])]


class EventsStats(Answer):
    """Findings per hour or UTC day, empty buckets included; totals over the whole range, each by every dimension."""

    per: Literal["hour", "day"]
    by: Literal["severity", "source", "account"]
    start: Annotated[Seconds, Field(description="Start of the first bucket.")]
    end: Annotated[Seconds, Field(description="Exclusive end of the last bucket.")]
    count: int
    by_severity: dict[str, int]
    by_source: dict[str, int]
    by_account: dict[str, int]
    buckets: list[Bucket]
