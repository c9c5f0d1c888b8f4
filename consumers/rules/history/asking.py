"""What people ask to be judged, made ready: rules from a text or as published, a stretch of time, and who would be told."""

from typing import Final

from consumers.rules.compiled import CompiledRule, compile_rule
from consumers.rules.history.errors import RuleUnknown
from consumers.rules.history.strand import Stretch
from consumers.rules.rule import Rule, Version
from consumers.rules.text import read
from projections.judged import Judged
from projections.rules import KnownRule

DAYS: Final = 14
"""How far back is looked, unless something else is asked."""
_DAY_US: Final = 86_400_000_000


def stretch(since_us: int | None, until_us: int | None, *, now_us: int, count_late: bool = False) -> Stretch:
    """The stretch that is asked for: up to now, and a fortnight long, unless it is said otherwise."""
    end_us = now_us if until_us is None else until_us
    return Stretch(max(end_us - DAYS * _DAY_US, 0) if since_us is None else since_us, end_us, count_late)


def of_text(text: str, published: Judged | None = None) -> CompiledRule:
    """A rule that its author wrote, as if it were the next version. Raises ``RuleRefused``."""
    return of_rule(read(text), published)


def of_rule(rule: Rule, published: Judged | None = None) -> CompiledRule:
    """A rule as if it were the next version."""
    known = published.rule(rule.id) if published else None
    return compile_rule(Version(rule, known.newest.number + 1 if known else 1))


def of_version(published: Judged, rule_id: str, number: int | None = None) -> CompiledRule:
    """A version as it was published, the newest without ``number``; whenever it was in force. Raises ``RuleUnknown``."""
    known = _known(published, rule_id)
    wanted = known.newest.number if number is None else number
    version = published.rule_version(rule_id, wanted)
    if version is None:
        message = f"rule {rule_id} has no version {wanted}; the newest is {known.newest.number}"
        raise RuleUnknown(message)
    return compile_rule(Version(read(version.text), version.number))


def in_force(published: Judged) -> list[CompiledRule]:
    """The newest version of each rule that is in force, by id."""
    return [compile_rule(Version(read(each.text), each.number)) for each in published.rule_versions() if not each.ended]


def ever(published: Judged, rule_id: str) -> list[CompiledRule]:
    """All versions of a rule, each for what it was in force. Raises ``RuleUnknown``."""
    known = _known(published, rule_id)
    found = (published.rule_version(rule_id, version.number) or version for version in known.versions)
    return [compile_rule(Version(read(each.text), each.number, each.since_us, each.until_us)) for each in found]


def _known(published: Judged, rule_id: str) -> KnownRule:
    known = published.rule(rule_id)
    if known is None:
        message = f"no rule {rule_id} was ever published; findstream rules list shows those that were"
        raise RuleUnknown(message)
    return known
