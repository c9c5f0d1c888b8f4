"""What readers (API, CLI, engine, runs over history) may ask of rules and of alerts.

Every answer comes from the serving generation at the time of the call, in one short read transaction.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from projections.alert_pages import Alert, AlertEvent, AlertPage, AlertQuery
from projections.alerts import AlertStatus
from projections.rules import KnownRule, RuleVersion


class Judged(Protocol):
    """The questions. Implemented by ``projections.catalog.Catalog``."""

    def rules(self) -> Sequence[KnownRule]:
        """All rules that were ever published, by id."""
        ...

    def rule(self, rule_id: str) -> KnownRule | None:
        """A rule; None if none of this id was ever published."""
        ...

    def rule_version(self, rule_id: str, number: int) -> RuleVersion | None:
        """A version of a rule with its text; None if there is none."""
        ...

    def rule_versions(self, *, but: Collection[tuple[str, int]] = ()) -> Sequence[RuleVersion]:
        """Every version of every rule, by rule and number, with its text, unless that is known (``but``: rule and number).

        A version's text never changes, when it ends does: who asks again and again names those whose texts it has.
        """
        ...

    def alerts(self, query: AlertQuery) -> AlertPage:
        """A page of the alerts that match, newest first. Raises ``CursorRejected``."""
        ...

    def alert(self, alert_id: str) -> tuple[Alert, Sequence[AlertEvent]] | None:
        """An alert and what happened to it, by time; None if none of this id was raised."""
        ...

    def alert_ids(self, rule_id: str, since_us: int, until_us: int) -> Mapping[str, AlertStatus]:
        """How each alert of a rule stands whose time lies in the range (``until_us`` exclusive), by its id; newest first."""
        ...
