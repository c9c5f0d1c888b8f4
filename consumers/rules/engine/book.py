"""The versions that there are, as they become known: asked for now and then, compiled once each.

``rules`` changes only in ``refresh``, so that a lane can take up what is new before it folds by it.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Final

from consumers.rules.engine.faults import Faults
from consumers.rules.engine.rule_set import RuleSet, VersionKey, key_of
from consumers.rules.errors import RulesError
from consumers.rules.matching import Compiled, MakeJudge
from consumers.rules.rule import Version

REFRESH_US: Final = 500_000

_logger = logging.getLogger(__name__)


class Book:
    """``versions`` gives all that were ever published, as they are in force; it may raise what its store does.

    ``clock`` gives microseconds since the epoch. What cannot be compiled here (a function that is not installed) is left out,
    with a warning.
    """

    def __init__(
        self,
        versions: Callable[[], Sequence[Version]],
        compile_rule: Callable[[Version], Compiled],
        make_judge: MakeJudge,
        *,
        clock: Callable[[], int],
        refresh_us: int = REFRESH_US,
    ) -> None:
        self.faults = Faults()
        self._versions = versions
        self._compile = compile_rule
        self._make_judge = make_judge
        self._clock = clock
        self._refresh_us = refresh_us
        self._compiled: dict[VersionKey, Compiled] = {}
        self._refused: set[VersionKey] = set()
        self._known: Sequence[Version] = ()
        self._asked_us: int | None = None
        self.rules = RuleSet.empty()

    def refresh(self, *, now: bool = False) -> bool:
        """Ask for the versions, if it is time or ``now``; whether ``rules`` are others since. Raises what ``versions`` does."""
        at_us = self._clock()
        if now or self._asked_us is None or abs(at_us - self._asked_us) >= self._refresh_us:
            self._known = list(self._versions())
            self._asked_us = at_us
        switched_off = self.faults.switch_off(at_us)
        versions = [self.faults.ended(version) for version in self._known]
        if not switched_off and versions == list(self.rules.versions.values()):
            return False
        for version in versions:
            self._add(version)
        self.rules = RuleSet(versions, self._compiled, self._make_judge, self.faults.take)
        return True

    def _add(self, version: Version) -> None:
        key = key_of(version)
        if key in self._compiled or key in self._refused:
            return
        try:
            self._compiled[key] = self._compile(version)
        except RulesError as refused:
            self._refused.add(key)
            _logger.warning("rule %s, version %d, cannot be judged by: %s", *key, refused)
