"""From what the desk and the projection know of a rule to what the API answers."""

from collections.abc import Iterable
from typing import Any

from consumers.api.commands import People
from consumers.api.models import seconds
from consumers.api.rule_models import RuleDetail, RuleVersionDetail, RuleVersionView, RuleView, RunView
from consumers.api.views import severity_name
from pipeline.desks import rule as desk
from projections.rules import KnownRule, RuleRun, RuleVersion


def commanded(rule: desk.Rule, people: People) -> RuleView:
    """A rule as a command left it."""
    state: desk.RuleState = rule.expect()
    return RuleView(
        id=state.rule_id,
        title=state.title,
        severity=state.severity,
        severity_name=severity_name(state.severity),
        status="in_force",
        version=state.number,
        since=seconds(state.since_us),
        by=people.person(state.by),
        revision=rule.version,
    )


def shown(rule: KnownRule, people: People) -> RuleView:
    """A rule as lists show it."""
    return RuleView(**_fields(rule, people))


def detail(rule: KnownRule, newest: RuleVersion | None, people: People) -> RuleDetail:
    """A rule with its versions; ``newest`` is the last one with its text."""
    return RuleDetail(
        **_fields(rule, people),
        text=newest.text if newest else "",
        comment=newest.comment if newest else "",
        versions=[version(each, people) for each in rule.versions],
        runs=[_run(run, people) for run in rule.runs],
    )


def version(told: RuleVersion, people: People) -> RuleVersionView:
    """A version in short."""
    return RuleVersionView(**_of_version(told, people))


def version_detail(told: RuleVersion, people: People) -> RuleVersionDetail:
    """A version with its text."""
    return RuleVersionDetail(**_of_version(told, people), rule_id=told.rule_id, text=told.text, comment=told.comment)


def people_of(rules: Iterable[KnownRule]) -> set[str]:
    """The ids of all who appear in these."""
    return {by for rule in rules for by in [*(told.by for told in rule.versions), *(run.by for run in rule.runs)]}


def _fields(rule: KnownRule, people: People) -> dict[str, Any]:
    newest = rule.newest
    return {
        "id": rule.id,
        "title": newest.title,
        "severity": newest.severity,
        "severity_name": severity_name(newest.severity),
        "status": rule.status,
        "version": newest.number,
        "since": seconds(newest.since_us),
        "by": people.person(newest.by),
        "revision": rule.revision,
    }


def _of_version(told: RuleVersion, people: People) -> dict[str, Any]:
    return {
        "version": told.number,
        "title": told.title,
        "severity": told.severity,
        "severity_name": severity_name(told.severity),
        "by": people.person(told.by),
        "since": seconds(told.since_us),
        "until": seconds(told.until_us) if told.ended else None,
        "ended": told.ended,
        "reason": told.reason,
        "detail": told.detail,
        "cause": told.cause,
        "event_id": told.published,
    }


def _run(run: RuleRun, people: People) -> RunView:
    return RunView(
        run_id=run.run_id,
        version=run.version,
        since=seconds(run.since_us),
        until=seconds(run.until_us),
        judged=run.judged,
        raised=run.raised,
        standing=run.standing,
        withdrawn=run.withdrawn,
        by=people.person(run.by),
        time=seconds(run.time_us),
    )
