"""All that readers can be told, and the most obvious way to come to it from the records of a log."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.log.port import Record
from projections.catalog import Catalog
from projections.event_index import Entry, EventQuery
from projections.reading import AgentStatus, Count, Task
from schemas.envelope import MAX_TIME_US, Envelope
from tests.support.facts import DAY_US, HOUR_US

FOR_EVER_DAYS = 200_000


@dataclass(frozen=True)
class Answers:
    """Entries in order of (time, id), and the rest as ``projections.reading`` promises it."""

    entries: Sequence[Entry]
    hourly: Sequence[Count]
    daily: Sequence[Count]
    agents: Sequence[AgentStatus]
    tasks: Sequence[Task]


def told(catalog: Catalog, *, now_us: int) -> Answers:
    """What the catalogue answers to every question."""
    return Answers(
        entries=everything(catalog, EventQuery(direction="asc"), now_us=now_us),
        hourly=catalog.hourly(0, MAX_TIME_US),
        daily=catalog.daily(0, MAX_TIME_US),
        agents=catalog.agents(now_us=now_us),
        tasks=catalog.tasks(now_us=now_us),
    )


def everything(catalog: Catalog, query: EventQuery, *, now_us: int) -> list[Entry]:
    """The entries of all pages, first to last."""
    page = catalog.events(query, now_us=now_us)
    entries = list(page.entries)
    while page.next:
        page = catalog.events(query.after(page.next), now_us=now_us)
        entries += page.entries
    return entries


def expected(records: Iterable[Record], *, now_us: int) -> Answers:
    """The reference folds: event by event, in plain words. ``records`` stand in an order in which they may be folded."""
    records = list(records)
    findings = without_repeats(records, {"finding.observed"})
    return Answers(
        entries=_entries(findings),
        hourly=_counts(findings, HOUR_US),
        daily=_counts(findings, DAY_US),
        agents=_agents(without_repeats(records, {"finding.observed", "agent.deployed", "agent.beat"}), now_us=now_us),
        tasks=_tasks(
            without_repeats(records, {f"task.{k}" for k in ("created", "updated", "status_changed", "commented", "deleted")}),
            now_us=now_us,
        ),
    )


def without_repeats(records: Iterable[Record], types: Collection[str]) -> list[Record]:
    """Law 2: an id counts once within thirty days of recorded time."""
    days: dict[str, list[int]] = defaultdict(list)
    kept = []
    for record in records:
        day = record.recorded_us // DAY_US
        if record.event.type in types and all(abs(day - known) > 30 for known in days[record.event.id]):
            days[record.event.id].append(day)
            kept.append(record)
    return kept


def entry(record: Record) -> Entry:
    """What the index tells of one event."""
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


def _entries(findings: Iterable[Record]) -> list[Entry]:
    """One an id; of an id that counted again after thirty days, the one recorded last."""
    last = {record.event.id: record for record in sorted(findings, key=lambda record: record.recorded_us)}
    return sorted(map(entry, last.values()), key=lambda e: (e.time_us, e.id))


def _counts(findings: Iterable[Record], bucket_us: int) -> list[Count]:
    events = [record.event for record in findings]
    counts = Counter((e.time_us // bucket_us * bucket_us, e.source, e.severity, e.account) for e in events)
    return [Count(*key, count=count) for key, count in sorted(counts.items())]


def _agents(records: Sequence[Record], *, now_us: int) -> list[AgentStatus]:
    accounts = sorted({record.event.account for record in records} - {""})
    return [_agent(account, [r.event for r in records if r.event.account == account], now_us=now_us) for account in accounts]


def _agent(account: str, events: Sequence[Envelope], *, now_us: int) -> AgentStatus:
    history = sorted(events, key=lambda event: (event.time_us, event.id))
    findings = [event for event in history if event.type == "finding.observed"]
    beats = [event for event in history if event.type == "agent.beat"]
    deployments = [event for event in history if event.type == "agent.deployed"]
    active = [event for event in deployments if event.data["status"] == "active"]
    signs = [event for event in history if event.type != "finding.observed"]
    latest = [event for event in signs if event in (*beats[-1:], *deployments[-1:])]

    status = deployments[-1].data["status"] if deployments else "active" if beats else "unregistered"
    alive_us = max((event.time_us for event in (*beats, *active)), default=0)
    if status == "active" and now_us - alive_us > 600_000_000:
        status = "offline"
    return AgentStatus(
        account=account,
        region=signs[-1].region if signs else "",
        status=status,
        version=next((event.data["version"] for event in reversed(latest) if event.data["version"]), ""),
        deployed_at_us=active[-1].time_us if active else None,
        last_heartbeat_us=beats[-1].time_us if beats else None,
        last_finding_us=findings[-1].time_us if findings else None,
        counts={severity: sum(event.severity == severity for event in findings) for severity in range(5)},
    )


def _tasks(records: Iterable[Record], *, now_us: int) -> list[Task]:
    histories: dict[str, list[Envelope]] = defaultdict(list)
    for record in records:
        histories[record.event.subject].append(record.event)
    shown = [task for task in (_task(history, now_us=now_us) for history in histories.values()) if task]
    urgency = ("critical", "high", "medium", "low")
    return sorted(shown, key=lambda t: (urgency.index(t.priority), float("inf") if t.due_us is None else t.due_us, t.id))


def _task(history: Sequence[Envelope], *, now_us: int) -> Task | None:
    state: dict[str, Any] = {}
    for event in history:
        data = event.data
        match event.type:
            case "task.created":
                state = {"status": "open", "assignee_id": "", "event_id": "", "due_us": None, **data}
                state |= {"created_us": event.time_us, "closed_at_us": None, "deleted": False, "events": 0, "comments": 0}
            case "task.updated":
                fields = ("title", "description", "priority", "assignee_id", "due_us")
                state |= {name: data[name] for name in fields if name in data}
            case "task.status_changed":
                state |= {"status": data["status"], "closed_at_us": event.time_us if data["status"] == "closed" else None}
            case "task.commented":
                state["comments"] += 1
            case "task.deleted":
                state["deleted"] = True
        state["events"] += 1
        state["updated_us"] = event.time_us
    if state["deleted"]:
        return None
    due_us = state["due_us"]
    return Task(
        id=state["task_id"],
        title=state["title"],
        description=state["description"],
        status=state["status"],
        priority=state["priority"],
        assignee_id=state["assignee_id"],
        event_id=state["event_id"],
        due_us=due_us,
        created_us=state["created_us"],
        updated_us=state["updated_us"],
        closed_at_us=state["closed_at_us"],
        overdue=due_us is not None and due_us < now_us and state["status"] != "closed",
        version=state["events"],
        created_by=state["created_by"],
        event=state.get("event"),
        comments=state["comments"],
    )
