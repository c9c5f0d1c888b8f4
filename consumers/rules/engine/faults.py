"""Which versions are to be switched off, because they throw or take too long. Counted by each process for itself.

Identity: the fact's id derives from the rule, the version, and when it is switched off: a second process may tell another, and
          the one with the earliest time ends the version.
"""

import logging
from collections import defaultdict
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
_HIGH: Final = 3
_LONGEST_DETAIL: Final = 1000

_logger = logging.getLogger(__name__)


class Faults:
    """Counts faults, and says what follows."""

    def __init__(self) -> None:
        self._findings: defaultdict[tuple[VersionKey, str], set[str]] = defaultdict(set)
        self._over: dict[VersionKey, Fault] = {}
        self._off: dict[VersionKey, int] = {}
        self._untold: list[Envelope] = []

    def take(self, fault: Fault) -> None:
        """A version did wrong once more. A finding counts once, however often an outage has it judged again."""
        key = key_of(fault.rule.version)
        if key in self._off:
            return
        findings = self._findings[key, fault.reason]
        findings.add(fault.event_id)
        if len(findings) >= MOST[fault.reason]:
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
