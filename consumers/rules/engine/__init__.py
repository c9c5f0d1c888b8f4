"""Rules, live: what is on the log is judged as it comes, exactly once, over all shards."""

from consumers.rules.engine.judging import Judging
from consumers.rules.engine.rule_set import RuleSet

__all__ = ["JUDGING"]

JUDGING = Judging(RuleSet.empty)
"""The projection as readers of its state know it: it folds nothing."""
