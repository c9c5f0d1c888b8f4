"""What ``rules backtest | diff | reprocess | verify`` found, for people."""

from collections.abc import Sequence
from typing import Any, Final

from consumers.cli.output import counted, emit, emit_table, moment, plain, remark, severity
from consumers.rules.history.backtest import HOUR_US, Alert, Backtest, Finding
from consumers.rules.history.diff import Diff, Side
from consumers.rules.history.reprocess import Reprocessed
from consumers.rules.history.strand import Stretch
from consumers.rules.history.telling import Rehearsal
from consumers.rules.history.verify import Verified

_BAR: Final = 40
_WOULD: Final = {
    "alert.raised": "Would be raised",
    "alert.withdrawn": "Would be withdrawn",
    "alert.reopened": "Would be reinstated",
}
_SHOWN: Final = 5


def show_backtest(found: Backtest, seconds: float) -> None:
    """What rules would have done, and at what cost."""
    emit(f"{_span(found.stretch)}: {counted(found.findings, 'finding')} matched, {counted(found.alerts, 'alert')}")
    emit("")
    emit_table(
        ("Rule", "Severity", "Matched", "Alerts", "Resolved", "Late", "No group", "µs a match"),
        (
            (r.rule_id, severity(r.severity), r.matched, r.alerts, r.resolved, r.late, r.ungrouped, _cost(r.cost_us))
            for r in (found.rules if len(found.rules) <= _SHOWN else found.noisiest)
        ),
    )  # fmt: skip
    for rule in found.rules:
        for reason, times in rule.faults.items():
            remark(f"{rule.rule_id} {reason.replace('_', ' ')} on {counted(times, 'finding')}: {rule.fault}")
    _show_histogram(found)
    _show_alerts("Oldest alerts", [alert for rule in found.rules for alert in rule.raised])
    _show_findings("Oldest findings", [finding for rule in found.rules for finding in rule.samples])
    emit("")
    for channel, count in found.notices.items():
        emit(f"channel {channel} would have got {counted(count, 'message')}")
    for held, count in found.held.items():
        emit(f"{counted(count, 'message')} would not have been sent ({held})")
    if found.alerts and not found.notices and not found.held:
        emit("no route wants these alerts: nobody would have been told")
    _incomplete(complete=found.complete)
    _remark_on_late(sum(rule.late for rule in found.rules))
    remark(f"{counted(found.read, 'event')} read in {seconds:.1f} s, {found.read / max(seconds, 0.001):,.0f} events/s")


def _show_histogram(found: Backtest) -> None:
    if not found.histogram:
        return
    most = max(bucket.matched for bucket in found.histogram) or 1
    cut = len("2026-01-31 09:00") if found.bucket_us == HOUR_US else len("2026-01-31")
    emit("")
    emit_table(
        ("Hour (UTC)" if found.bucket_us == HOUR_US else "Day (UTC)", "Matched", "Alerts", ""),
        ((moment(b.start_us)[:cut], b.matched, b.alerts, "█" * -(-b.matched * _BAR // most)) for b in found.histogram),
    )


def show_diff(found: Diff) -> None:
    """What two versions have in common, and what each alone has."""
    emit(f"{_span(found.stretch)}: {counted(found.matched, 'finding')} and {counted(found.alerts, 'alert')} in common")
    emit("")
    emit_table(
        ("", "Findings", "Alerts"),
        (("added", found.added.matched, found.added.alerts), ("removed", found.removed.matched, found.removed.alerts)),
    )
    for title, side in (("added", found.added), ("removed", found.removed)):
        _show_side(title, side)
    if found.faults:
        remark(f"a version threw or took too long on {counted(found.faults, 'finding')}")
    _incomplete(complete=found.complete)


def _show_side(title: str, side: Side) -> None:
    _show_findings(f"Findings {title}", side.findings)
    _show_alerts(f"Alerts {title}", side.raised)


def show_reprocessed(told: Reprocessed, rehearsed: Rehearsal | None) -> None:
    """What a run raised and withdrew, or with ``rehearsed`` would."""
    would = "would be " if rehearsed else ""
    emit(
        f"{told.rule_id} version {told.version}: {counted(told.matched, 'finding')} of {told.judged:,} matched;"
        f" {counted(told.raised, 'alert')} {would}raised, {told.withdrawn:,} {would}withdrawn,"
        f" {told.reinstated:,} {would}reinstated, {told.standing:,} stood already"
    )
    if told.resolved:
        emit(f"{counted(told.resolved, 'alert')} of these are over already")
    for kind, facts in rehearsed.first.items() if rehearsed else ():
        emit_table(
            ("Time (UTC)", "Summary", "Alert"),
            ((moment(fact.time_us), fact.summary, fact.subject.partition("/")[2]) for fact in facts[:_SHOWN]),
            title=f"\n{_WOULD[kind]}",
        )
    if told.faults:
        remark(f"the rule threw or took too long on {counted(told.faults, 'finding')}")
    _remark_on_late(told.late)
    if told.left:
        remark(f"{counted(told.left, 'event')} left to live judging, which has not come to them yet")
    remark("nothing was written" if rehearsed else f"run {told.run_id}")


def _remark_on_late(late: int) -> None:
    if late:
        remark(f"{counted(late, 'finding')} came too late to count, as live; --count-late counts what was brought in later, too")


def show_verified(found: Verified) -> None:
    """Whether what was raised live is what ought to have been."""
    emit(
        f"{found.rule_id}, version{'' if len(found.versions) == 1 else 's'} {', '.join(map(str, found.versions))}:"
        f" {found.expected:,} expected, {found.raised:,} raised live, {found.resolved:,} resolved by findings;"
        f" {'equal' if found.equal else 'THEY DIFFER'}"
    )
    _show_alerts("Missing", found.missing)
    for title, ids in (
        ("Unexpected", found.unexpected),
        ("Not resolved", found.unresolved),
        ("Wrongly resolved", found.wrongly_resolved),
    ):
        if ids:
            emit_table((title,), ((alert_id,) for alert_id in ids))
    if found.faults:
        remark(f"a version threw or took too long on {counted(found.faults, 'finding')}")
    _incomplete(complete=found.complete)


def _show_findings(title: str, findings: Sequence[Finding]) -> None:
    if findings:
        emit("")
        emit_table(
            ("Happened (UTC)", "Severity", "Account", "Source", "Summary", "Id"),
            ((moment(f.time_us), severity(f.severity), f.account, f.source, f.summary, f.id) for f in findings[:_SHOWN]),
            title=title,
        )


def _show_alerts(title: str, alerts: Sequence[Alert]) -> None:
    if alerts:
        emit("")
        emit_table(
            ("Begins (UTC)", "Counts", "Title", "Group"),
            ((moment(a.since_us), a.count, a.title, _group(a.group)) for a in alerts[:_SHOWN]),
            title=title,
        )


def _group(group: Any) -> str:
    return plain(", ".join(group.values()))


def _span(stretch: Stretch) -> str:
    return f"{moment(stretch.since_us)} to {moment(stretch.until_us)}"


def _cost(cost_us: float | None) -> str:
    return "-" if cost_us is None else f"{cost_us:.1f}"


def _incomplete(*, complete: bool) -> None:
    if not complete:
        remark("the log no longer holds the whole of this: there may have been more")
