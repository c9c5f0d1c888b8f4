"""Which windows a finding counts in: arithmetic on times, aligned to the epoch, so that every reader cuts alike."""

from consumers.rules.rule import Rule, Threshold


def starts(threshold: Threshold, time_us: int) -> range:
    """When the windows begin that hold ``time_us``, the first one first: one if they tumble, ``window / hop`` if they hop."""
    last = time_us - time_us % threshold.hop_us
    return range(max(last - threshold.window_us + threshold.hop_us, 0), last + 1, threshold.hop_us)


def is_late(rule: Rule, time_us: int, recorded_us: int) -> bool:
    """Whether a finding came too late to count towards the rule's threshold."""
    return recorded_us - time_us > rule.late_us


def settled_us(rule: Rule, start_us: int) -> int:
    """The recorded time after which nothing counts any more in the threshold rule's window that begins at ``start_us``."""
    return start_us + (rule.threshold.window_us if rule.threshold else 0) + rule.late_us
