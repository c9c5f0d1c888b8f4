"""Rules and alerts for tests of routes, in lists; and texts of rules."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from projections.alert_pages import Alert, AlertEvent, AlertPage, AlertQuery
from projections.alerts import AlertStatus
from projections.errors import CursorRejected
from projections.rules import KnownRule, RuleVersion
from tests.support.facts import MORNING_US, alert_id


class MemoryJudged:
    """Answers from lists."""

    def __init__(self) -> None:
        self.rule_list: list[KnownRule] = []
        self.alert_list: list[Alert] = []

    def rules(self) -> Sequence[KnownRule]:
        return self.rule_list

    def rule(self, rule_id: str) -> KnownRule | None:
        return next((rule for rule in self.rule_list if rule.id == rule_id), None)

    def rule_version(self, rule_id: str, number: int) -> RuleVersion | None:
        return next((v for v in self.rule_versions() if (v.rule_id, v.number) == (rule_id, number)), None)

    def rule_versions(self, *, but: Collection[tuple[str, int]] = ()) -> Sequence[RuleVersion]:
        assert not but
        return [replace(version, text=f"id: {rule.id}") for rule in self.rule_list for version in rule.versions]

    def alerts(self, query: AlertQuery) -> AlertPage:
        if query.cursor:
            message = "there is one page"
            raise CursorRejected(message)
        return AlertPage(tuple(self.alert_list), "")

    def alert(self, alert_id: str) -> tuple[Alert, Sequence[AlertEvent]] | None:
        return next(((one, []) for one in self.alert_list if one.id == alert_id), None)

    def alert_ids(self, rule_id: str, since_us: int, until_us: int) -> Mapping[str, AlertStatus]:
        return {one.id: one.status for one in self.alert_list if one.rule_id == rule_id and since_us <= one.time_us < until_us}


def known_rule(rule_id: str = "storm") -> KnownRule:
    """A rule in force."""
    return KnownRule(rule_id, "in_force", 1, MORNING_US, (RuleVersion(rule_id, 1, "A storm", 3, "u1", "1-x", MORNING_US),))


def known_alert(number: int = 0) -> Alert:
    """An alert that is open."""
    return Alert(
        id=alert_id(number),
        status="open",
        revision=0,
        rule_id="storm",
        rule_version=1,
        title="A storm",
        severity=3,
        labels={},
        group={},
        window_us=None,
        count=1,
        event_ids=("1-x",),
        last_us=MORNING_US,
        time_us=MORNING_US,
        raised_us=MORNING_US,
        updated_us=MORNING_US,
        account="",
        region="",
        resources=(),
        backfilled=False,
        run_id="",
        raised="1-x",
        correlation_id="",
    )


def text(rule_id: str = "storm", title: str = "A storm", severity: str = "HIGH", more: str = "") -> str:
    """A rule's text."""
    return f"id: {rule_id}\ntitle: {title}\nseverity: {severity}\nmatch:\n  source: [aws.signin]\n{more}"
