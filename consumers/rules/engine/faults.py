"""Which versions are to be switched off, because they throw or take too long. Counted by each process for itself.

Fading:   throws count if their findings happened within an hour of each other, by the findings' own time, so that a rule that
          throws now and then goes on. Of the last hundred findings on which it threw, ten must lie so close. What took too long
          is counted for good: a judge asks such a version no more, and nobody should take that for silence.
Backlog:  what happened before a version was switched off is its own still, so a backlog is asked of it: it may match, and
          whoever judges later asks it, too. That is cheap: a throw costs what a match does, and a judge stops asking a slow one.
Identity: the fact's id derives from the rule, the version, and when it is switched off: a second process may tell another, and
          the one with the earliest time ends the version.
"""

import logging
from collections import defaultdict
from collections.abc import Collection
from dataclasses import replace
from typing import Final

import orjson

from consumers.rules.alerting import SOURCE
from consumers.rules.engine.rule_set import VersionKey, key_of
from consumers.rules.matching import Fault
from consumers.rules.rule import Version
from schemas.envelope import Envelope
from schemas.identity import derived_id

MOST: Final = {"threw": 10, "too_slow": 3}
"""Findings on which a version fails, by reason, at which it is switched off."""
WITHIN_SECONDS: Final = {"threw": 3600, "too_slow": None}
"""How close to each other these findings happened, at most."""
_REMEMBERED: Final = 100
_HIGH: Final = 3
_LONGEST_DETAIL: Final = 1000

_logger = logging.getLogger(__name__)


class Faults:
    """Counts faults, and says what follows."""

    def __init__(self) -> None:
        self._findings: defaultdict[tuple[VersionKey, str], dict[str, int]] = defaultdict(dict)
        self._over: dict[VersionKey, Fault] = {}
        self._off: dict[VersionKey, int] = {}
        self._untold: list[Envelope] = []

    def take(self, fault: Fault) -> None:
        """A version did wrong once more. A finding counts once, however often an outage has it judged again."""
        key = key_of(fault.rule.version)
        if key in self._off:
            return
        findings = self._findings[key, fault.reason]
        findings[fault.event_id] = int(fault.event_id.partition("-")[0])
        if len(findings) > _REMEMBERED:
            del findings[next(iter(findings))]
        if _too_many(findings.values(), MOST[fault.reason], WITHIN_SECONDS[fault.reason]):
            self._over.setdefault(key, fault)

    def switch_off(self, time_us: int) -> bool:
        """End the versions with too many faults, for findings that happen from ``time_us`` on; whether there are such."""
        for key, fault in self._over.items():
            self._off[key] = time_us
            self._untold.append(_fact(key, fault, time_us))
            _logger.warning("rule %s, version %d, is switched off: %s %s", *key, fault.reason, fault.detail)
        found, self._over = bool(self._over), {}
        return found

    def ended(self, version: Version) -> Version:
        """The version as it is in force by what is known here."""
        off_us = self._off.get(key_of(version), version.until_us)
        return replace(version, until_us=min(off_us, version.until_us)) if off_us < version.until_us else version

    @property
    def untold(self) -> list[Envelope]:
        """The facts that the log is to be told still."""
        return list(self._untold)

    def told(self, facts: list[Envelope]) -> None:
        """These were."""
        self._untold = [fact for fact in self._untold if fact not in facts]


def _too_many(seconds: Collection[int], most: int, within: int | None) -> bool:
    """Whether so many of these lie so close to each other."""
    if len(seconds) < most or within is None:
        return len(seconds) >= most
    there = sorted(seconds)
    return any(last - first < within for first, last in zip(there, there[most - 1 :], strict=False))


def _fact(key: VersionKey, fault: Fault, time_us: int) -> Envelope:
    rule_id, number = key
    body = {
        "rule_id": rule_id,
        "version": number,
        "reason": fault.reason,
        "detail": fault.detail[:_LONGEST_DETAIL],
        "event_id": fault.event_id,
    }
    why = "it took too long" if fault.reason == "too_slow" else "it failed"
    return Envelope(
        id=derived_id(time_us, "rule.switched_off", rule_id, str(number)),
        type="rule.switched_off",
        version=1,
        time_us=time_us,
        source=SOURCE,
        account="",
        region="",
        subject=f"rule/{rule_id}",
        severity=_HIGH,
        summary=f"Rule {rule_id}, version {number}, was switched off: {why}",
        resources=(),
        source_id="",
        correlation_id=fault.event_id,
        causation_id=fault.event_id,
        body=orjson.dumps(body),
    )
