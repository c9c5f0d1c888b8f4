"""The routes of alerts: list them, read one with all that explains it, say how it stands.

Standing: what people do to an alert is decided on how it is shown just then, and on what people did since.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Final
from uuid import UUID

from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query
from pydantic import Field

from consumers.api import alert_views
from consumers.api.alert_models import AlertDetail, AlertList, AlertStatus, AlertStatusChange, AlertView
from consumers.api.commands import AtLeast, Desks, Key
from consumers.api.errors import NothingHere
from consumers.api.forms import UUID_FORM, UUID_OR_NONE
from consumers.api.freshness import Freshness
from consumers.api.parameters import Account, Fresh, FreshHeader, Limit, Severity, Since, Until, check_range, micros
from consumers.api.routing import Routes, answers
from pipeline.desks import alert as desk
from pipeline.desks.alert import MoveAlert
from projections.alert_pages import Alert, AlertEvent, AlertQuery
from projections.alerts import Alerts
from projections.judged import Judged
from projections.reading import Reading

ALERTS: Final = Alerts.name
FINDINGS_SHOWN: Final = 20
_COMMAND: Final = (403, 409, 413, 415)

AlertId = Annotated[
    str,
    Field(pattern=UUID_FORM),
    Path(description="The alert's id, a UUID.", examples=["6f0c5a39-8d1b-8b7e-a1c2-3d4e5f607182"]),
]


def routes(judged: Judged, reading: Reading, desks: Desks, *, clock: Callable[[], int], freshness: Freshness) -> Routes:
    """The routes."""
    router = Routes()
    _lists(router, judged, freshness)
    _reads(router, judged, _Explaining(judged, reading, desks, clock), freshness)
    _commands(router, judged, desks, freshness)
    return router


@dataclass(frozen=True, slots=True)
class _Explaining:
    """Puts together what explains an alert."""

    judged: Judged
    reading: Reading
    desks: Desks
    clock: Callable[[], int]

    def detail(self, alert_id: str) -> AlertDetail:
        """The alert. Raises ``NothingHere``."""
        alert, history = _known(self.judged, alert_id)
        now_us = self.clock()
        named = alert.event_ids[:FINDINGS_SHOWN]
        findings = [entry for event_id in named for entry in self.reading.event(event_id, now_us=now_us)]
        rule = self.judged.rule_version(alert.rule_id, alert.rule_version)
        people = self.desks.people({told.by for told in history} | ({rule.by} if rule else set()))
        return alert_views.detail(alert, history, findings, rule, people)


def _lists(router: Routes, judged: Judged, freshness: Freshness) -> None:
    @router.get(
        "/alerts",
        tags=["alerts"],
        summary="List alerts",
        description="Newest first, by when their windows began. Filters must all hold; pages follow `next` with the same ones.",
        responses=answers(AlertList, "A page of alerts.", 400),
    )
    def list_alerts(
        *,
        status: Annotated[AlertStatus | None, Query(description="Only those that stand so.")] = None,
        rule: Annotated[str, Field(max_length=64), Query(description="Only of the rule with this id.")] = "",
        severity: Severity = 0,
        account: Account = "",
        since: Since = None,
        until: Until = None,
        backfilled: Annotated[bool | None, Query(description="Only those that a run over history raised, or did not.")] = None,
        run: Annotated[str, Field(pattern=UUID_OR_NONE), Query(description="Only of this run over history, by id.")] = "",
        limit: Limit = 50,
        cursor: Annotated[str, Field(max_length=1024), Query(description="`next` of a page.")] = "",
        fresh: Fresh = "",
        fresh_header: FreshHeader = "",
    ) -> AlertList:
        check_range(since, until)
        freshness.ensure(ALERTS, fresh, fresh_header)
        query = AlertQuery(
            status=status,
            rule_id=rule,
            min_severity=severity,
            account=account,
            since_us=None if since is None else micros(since),
            until_us=None if until is None else micros(until),
            backfilled=backfilled,
            run_id=run,
            limit=limit,
            cursor=cursor,
        )
        return alert_views.listed(judged.alerts(query))


def _reads(router: Routes, judged: Judged, explaining: _Explaining, freshness: Freshness) -> None:
    def revision(alert_id: str) -> int:
        found = judged.alert(alert_id)
        return found[0].revision if found else 0

    @router.get(
        "/alerts/<alert_id>",
        tags=["alerts"],
        summary="Read one alert",
        description="With what happened to it, by time, the findings that it was concluded from, and the version of its rule.",
        responses=answers(AlertDetail, "The alert.", 404),
    )
    def read_alert(*, alert_id: AlertId, at_least: AtLeast = 0, fresh: Fresh = "", fresh_header: FreshHeader = "") -> AlertDetail:
        freshness.ensure(ALERTS, fresh, fresh_header)
        freshness.at_least(at_least, lambda: revision(alert_id))
        return explaining.detail(alert_id)


def _commands(router: Routes, judged: Judged, desks: Desks, freshness: Freshness) -> None:
    @router.put(
        "/alerts/<alert_id>/status",
        tags=["alerts"],
        summary="Acknowledge, resolve or reopen an alert",
        description="Pass the revision in the answer as `at_least` to see it in `GET /alerts/{alert_id}`. What it is already "
        "changes nothing; 422 for a step that it cannot take from where it stands.",
        responses=answers(AlertView, "The alert.", 404, *_COMMAND),
    )
    def move_alert(
        *,
        alert_id: AlertId,
        alert: Annotated[AlertStatusChange, Body()],
        key: Key = "",
        fresh: Fresh = "",
        fresh_header: FreshHeader = "",
    ) -> AlertView:
        freshness.ensure(ALERTS, fresh, fresh_header)
        shown, _ = _known(judged, alert_id)
        command = MoveAlert(alert.status, alert.comment, standing=shown.status, seen=shown.revision, cause=shown.raised)
        moved = desks.desk.do(desk.Alert, UUID(alert_id), command, desks.asked(key, alert.revision))
        if moved.version <= shown.revision:  # nothing was told, or long ago
            return alert_views.shown(shown)
        state: desk.AlertState = moved.expect()
        return alert_views.shown(
            replace(shown, status=state.status, revision=moved.version, updated_us=max(shown.updated_us, state.time_us))
        )


def _known(judged: Judged, alert_id: str) -> tuple[Alert, list[AlertEvent]]:
    """The alert of this id, and what happened to it. Raises ``NothingHere``."""
    found = judged.alert(alert_id)
    if found is None:
        message = "there is no such alert (or not yet)"
        raise NothingHere(message)
    return found[0], list(found[1])
