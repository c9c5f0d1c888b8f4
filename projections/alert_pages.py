"""Alerts as readers ask for them: one with its history, or pages of many, newest first.

Paging: a page looks at so many alerts at most and may therefore hold fewer than asked for, or none, while ``next`` leads on.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass, replace
from hashlib import blake2b
from typing import Final

import orjson

from projections.alerts import ALERTS, NEWEST, AlertStatus, pages, place, status
from projections.errors import CursorRejected
from projections.projection import Document
from projections.stores.port import GenerationRows
from schemas.envelope import MAX_TIME_US

MOST_LOOKED_AT: Final = 2_000
"""Alerts, for one page."""
_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class AlertQuery:
    """A question for alerts. Empty strings and None do not filter; all filters must hold.

    Times are microseconds since the epoch, of the alerts' own time; ``since_us`` is inclusive, ``until_us`` exclusive.
    ``backfilled`` asks for those that a run over history raised, or did not; ``run_id`` for those of one run. ``cursor`` is a
    page's ``next``; it goes with the same filters.
    """

    status: AlertStatus | None = None
    rule_id: str = ""
    min_severity: int = 0
    account: str = ""
    since_us: int | None = None
    until_us: int | None = None
    backfilled: bool | None = None
    run_id: str = ""
    limit: int = 50
    cursor: str = ""


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert as it stands. ``time_us`` is when its window began, or its finding happened; ``last_us`` its last finding.

    ``window_us`` is (since, until), None for a rule without threshold. ``event_ids`` are its findings, oldest first, the first
    hundred of ``count``. ``raised`` is the id of the event that raised it, which was recorded at ``raised_us``;
    ``revision`` counts what people did to it.
    """

    id: str
    status: AlertStatus
    revision: int
    rule_id: str
    rule_version: int
    title: str
    severity: int
    labels: Mapping[str, str]
    group: Mapping[str, str]
    window_us: tuple[int, int] | None
    count: int
    event_ids: tuple[str, ...]
    last_us: int
    time_us: int
    raised_us: int
    updated_us: int
    account: str
    region: str
    resources: tuple[str, ...]
    backfilled: bool
    run_id: str
    raised: str
    correlation_id: str


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """One thing that happened to an alert. ``cause`` is the id of the finding that led to it, ``run_id`` of the run; or ""."""

    time_us: int
    recorded_us: int
    type: str
    id: str
    by: str
    comment: str
    revision: int
    cause: str
    run_id: str
    rule_version: int


@dataclass(frozen=True, slots=True)
class AlertPage:
    """Alerts, newest first, and an opaque cursor to the following page ("": there is none)."""

    alerts: tuple[Alert, ...]
    next: str


def page(rows: GenerationRows, query: AlertQuery) -> AlertPage:
    """A page of the alerts that match. Raises ``CursorRejected``."""
    matching: list[Alert] = []
    after, looked_at = _read_cursor(query), 0
    for places in _runs(rows, after, query):
        if looked_at >= MOST_LOOKED_AT:
            return AlertPage(tuple(matching), _cursor(query, after))
        looked_at += len(places)
        wanted = {key: listed["id"] for key, listed in places if _may_match(listed, query)}
        documents = rows.documents([f"{ALERTS}/{alert_id}" for alert_id in wanted.values()])
        for key, alert_id in wanted.items():
            alert = _alert(documents[f"{ALERTS}/{alert_id}"])
            if _matches(alert, query):
                if len(matching) == query.limit:
                    return AlertPage(tuple(matching), _cursor(query, after))
                matching.append(alert)
            after = key
        after = places[-1][0]
    return AlertPage(tuple(matching), "")


def find(rows: GenerationRows, alert_id: str) -> tuple[Alert, list[AlertEvent]] | None:
    """An alert and what happened to it, by time; None if none of this id was raised."""
    document = rows.documents([f"{ALERTS}/{alert_id}"]).get(f"{ALERTS}/{alert_id}")
    if document is None or document["raised"] is None:
        return None
    told = rows.documents(pages(document))
    entries = [AlertEvent(**entry) for each in told.values() for entry in each["entries"]]
    return _alert(document), sorted(entries, key=lambda entry: (entry.time_us, entry.revision, entry.id))


def standings(rows: GenerationRows, rule_id: str, since_us: int, until_us: int) -> dict[str, AlertStatus]:
    """How each alert of a rule stands whose time lies in the range, by id; newest first."""
    query = AlertQuery(rule_id=rule_id, since_us=since_us, until_us=until_us)
    known: dict[str, AlertStatus] = {}
    for places in _runs(rows, _first(query), query):
        keys = [f"{ALERTS}/{listed['id']}" for _, listed in places if _may_match(listed, query)]
        documents = rows.documents(keys)
        known |= {documents[key]["id"]: status(documents[key]["last"]) for key in keys}
    return known


def _runs(rows: GenerationRows, after: str, query: AlertQuery) -> Iterator[list[tuple[str, Document]]]:
    """What leads to the alerts of the range behind a place, newest first, so many at once."""
    while places := rows.documents_from(NEWEST, after, _AT_ONCE):
        inside = [one for one in places if query.since_us is None or one[1]["time_us"] >= query.since_us]
        if inside:
            yield inside
        if len(inside) < _AT_ONCE:
            return
        after = places[-1][0]


def _first(query: AlertQuery) -> str:
    """The place before the newest alert of the range."""
    until_us = MAX_TIME_US if query.until_us is None else query.until_us
    return place(until_us - 1)


def _may_match(listed: Document, query: AlertQuery) -> bool:
    return (
        query.rule_id in ("", listed["rule_id"])
        and query.account in ("", listed["account"])
        and listed["severity"] >= query.min_severity
    )


def _matches(alert: Alert, query: AlertQuery) -> bool:
    return (
        query.status in (None, alert.status)
        and query.backfilled in (None, alert.backfilled)
        and query.run_id in ("", alert.run_id)
    )


def _alert(document: Document) -> Alert:
    told = document["raised"]
    window = told["window"]
    return Alert(
        id=document["id"],
        status=status(document["last"]),
        revision=document["revision"],
        rule_id=told["rule_id"],
        rule_version=told["rule_version"],
        title=told["title"],
        severity=told["severity"],
        labels=told["labels"],
        group=told["group"],
        window_us=(window["since_us"], window["until_us"]) if window else None,
        count=told["count"],
        event_ids=tuple(told["event_ids"]),
        last_us=told["last_us"],
        time_us=told["time_us"],
        raised_us=told["recorded_us"],
        updated_us=max(time_us for time_us, _, _ in document["last"].values()),
        account=told["account"],
        region=told["region"],
        resources=tuple(told["resources"]),
        backfilled=told["backfilled"],
        run_id=told["run_id"],
        raised=told["event_id"],
        correlation_id=told["correlation_id"],
    )


def _digest(query: AlertQuery) -> str:
    """Which filters a cursor goes with; the page size may change on the way."""
    return blake2b(orjson.dumps(astuple(replace(query, cursor="", limit=0))), digest_size=6).hexdigest()


def _cursor(query: AlertQuery, after: str) -> str:
    return urlsafe_b64encode(orjson.dumps([_digest(query), after])).decode().rstrip("=")


def _read_cursor(query: AlertQuery) -> str:
    """The place behind which the page begins. Raises ``CursorRejected``."""
    if not query.cursor:
        return _first(query)
    try:
        digest, after = orjson.loads(urlsafe_b64decode(query.cursor + "=" * (-len(query.cursor) % 4)))
    except (ValueError, TypeError):
        digest = after = None
    if type(after) is not str or not after.startswith(f"{NEWEST}//"):
        message = "cursor: not one of this system's; leave it out to begin at the first page"
        raise CursorRejected(message)
    if digest != _digest(query):
        message = "cursor: made for other filters; keep them the same while paging"
        raise CursorRejected(message)
    return after
