"""From what the projection knows of an alert to what the API answers."""

from collections.abc import Iterable, Sequence
from typing import Any

from consumers.api import rule_views, views
from consumers.api.alert_models import AlertDetail, AlertHappened, AlertList, AlertView, WindowView
from consumers.api.commands import People
from consumers.api.models import seconds
from consumers.api.views import severity_name
from projections.alert_pages import Alert, AlertEvent, AlertPage
from projections.event_index import Entry
from projections.rules import RuleVersion


def shown(alert: Alert) -> AlertView:
    """An alert as it stands."""
    return AlertView(**_fields(alert))


def listed(page: AlertPage) -> AlertList:
    """A page of alerts."""
    return AlertList(items=[shown(alert) for alert in page.alerts], next=page.next or None)


def detail(
    alert: Alert, history: Sequence[AlertEvent], findings: Iterable[Entry], rule: RuleVersion | None, people: People
) -> AlertDetail:
    """An alert with all that explains it."""
    return AlertDetail(
        **_fields(alert),
        history=[_happened(told, people) for told in history],
        findings=[views.event(entry) for entry in findings],
        rule=rule_views.version(rule, people) if rule else None,
    )


def _fields(alert: Alert) -> dict[str, Any]:
    window = alert.window_us
    return {
        "id": alert.id,
        "status": alert.status,
        "title": alert.title,
        "severity": alert.severity,
        "severity_name": severity_name(alert.severity),
        "rule_id": alert.rule_id,
        "rule_version": alert.rule_version,
        "labels": dict(alert.labels),
        "group": dict(alert.group),
        "window": WindowView(since=seconds(window[0]), until=seconds(window[1])) if window else None,
        "count": alert.count,
        "event_ids": list(alert.event_ids),
        "time": seconds(alert.time_us),
        "raised": seconds(alert.raised_us),
        "last": seconds(alert.last_us),
        "updated": seconds(alert.updated_us),
        "account": alert.account,
        "region": alert.region,
        "resources": list(alert.resources),
        "backfilled": alert.backfilled,
        "run_id": alert.run_id,
        "event_id": alert.raised,
        "revision": alert.revision,
    }


def _happened(told: AlertEvent, people: People) -> AlertHappened:
    return AlertHappened(
        time=seconds(told.time_us),
        recorded=seconds(told.recorded_us),
        type=told.type,
        id=told.id,
        by=people.person(told.by),
        comment=told.comment,
        cause=told.cause,
        run_id=told.run_id,
        rule_version=told.rule_version,
        revision=told.revision,
    )
