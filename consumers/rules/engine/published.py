"""The versions that people published, read from their texts: what the book asks for."""

import logging
from collections.abc import Collection, Sequence
from typing import Protocol

from consumers.rules.errors import RuleRefused
from consumers.rules.rule import Rule, Version
from consumers.rules.text import read
from projections.rules import RuleVersion

_logger = logging.getLogger(__name__)


class Catalog(Protocol):
    """The read side's part that is asked."""

    def rule_versions(self, *, but: Collection[tuple[str, int]] = ()) -> Sequence[RuleVersion]:
        """Every version of every rule, with its text, unless that is known (``but``: rule and number)."""
        ...


class Published:
    """Calling it gives all versions, as they are in force; each text is read once. Raises what the catalogue does.

    One that this build cannot read, or that names another rule than its own, is there as a rule without a pattern, which nothing
    compiles: with a warning. Lanes that judged by it, when a build could read it, so know that it has not been forgotten.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._rules: dict[tuple[str, int], Rule] = {}

    def __call__(self) -> list[Version]:
        """All versions, by rule and number."""
        told = self._catalog.rule_versions(but=self._rules.keys())
        return [Version(self._rule(one), one.number, one.since_us, one.until_us) for one in told]

    def _rule(self, told: RuleVersion) -> Rule:
        key = told.rule_id, told.number
        if key not in self._rules:
            self._rules[key] = self._read(told) or Rule(told.rule_id, told.title, told.severity, match={})
        return self._rules[key]

    def _read(self, told: RuleVersion) -> Rule | None:
        try:
            rule = read(told.text)
        except RuleRefused as refused:
            _logger.warning("version %d of rule %s cannot be read: %s", told.number, told.rule_id, refused)
            return None
        return rule if rule.id == told.rule_id else None
