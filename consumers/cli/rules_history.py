"""``rules backtest | diff | reprocess | verify``: rules over what the log holds already, read straight from it."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, Final, TypeVar
from uuid import UUID

import typer

from consumers.cli import runs
from consumers.cli.arguments import Since, Until, check_range
from consumers.cli.exits import INTERRUPTED, REFUSED
from consumers.cli.freshness import remark_on_lag
from consumers.cli.output import Json, counted, emit, emit_json, emit_table, moment, plain, remark, severity
from consumers.cli.progress import bar
from consumers.composition import now_us, open_catalog, open_judging, open_log, settings_of_data
from consumers.draw import draw_id
from consumers.errors import Refused
from consumers.rules import shelf
from consumers.rules.compiled import CompiledRule
from consumers.rules.engine.passed import passed
from consumers.rules.history import asking
from consumers.rules.history.backtest import HOUR_US, Alert, Backtest, Finding, backtest
from consumers.rules.history.diff import Diff, Side, diff
from consumers.rules.history.errors import Cancelled
from consumers.rules.history.lockstep import Progress, Watch
from consumers.rules.history.reprocess import Reprocessed, Run, reprocess
from consumers.rules.history.routing import with_channels
from consumers.rules.history.strand import Stretch
from consumers.rules.history.telling import Rehearsal
from consumers.rules.history.verify import Verified, verify
from consumers.rules.judge import make_judge
from consumers.rules.shelf import Written
from pipeline.log.port import Log, Position
from pipeline.settings import Settings
from projections.catalog import Catalog
from schemas.rfc3339 import text

_BAR: Final = 40
_WOULD: Final = {
    "alert.raised": "Would be raised",
    "alert.withdrawn": "Would be withdrawn",
    "alert.reopened": "Would be reinstated",
}
_Found = TypeVar("_Found")
_SHOWN: Final = 5

Which = Annotated[
    list[str] | None, typer.Argument(metavar="RULE", help="A file, or a published rule by its id; an older version as ID@2.")
]
CountLate = Annotated[
    bool, typer.Option("--count-late", help="Count findings however late they were recorded: for history brought in later.")
]
One = Annotated[str, typer.Argument(metavar="RULE", help="A published rule by its id.")]
Published = Annotated[list[str] | None, typer.Argument(metavar="RULE", help="Published rules by their ids; all by default.")]


def register(rules: typer.Typer) -> None:
    """Add the commands of this module."""
    rules.command("backtest")(backtesting)
    rules.command("diff")(comparing)
    rules.command("reprocess")(reprocessing)
    rules.command("verify")(verifying)


def backtesting(
    which: Which = None,
    *,
    published: Annotated[bool, typer.Option("--published", help="All rules that are in force.")] = False,
    since: Since = None,
    until: Until = None,
    count_late: CountLate = False,
    as_json: Json = False,
) -> int:
    """Tell what rules would have done: findings matched, alerts raised, Slack messages sent. Changes nothing, sends nothing.

    Without --since it looks back a fortnight. Ctrl-C ends it; nothing is left behind.

    Examples:
      findstream rules backtest failed-sign-ins.yaml
      findstream rules backtest rules/*.yaml --since 30d --until 1d
      findstream rules backtest --published --json
    """
    if bool(which) == published:
        message = "name files or published rules, or say --published"
        raise typer.BadParameter(message, param_hint="RULE")
    _check_past(since, until)
    with _at_work(as_json=as_json) as work:
        rules = asking.in_force(work.catalog) if published else [rule for each in which or () for rule in work.rules(each)]
        if not rules:
            remark("no rule is in force")
            return 0
        asked = asking.stretch(since, until, now_us=now_us(), count_late=count_late)
        found = work.watched(
            "backtest",
            lambda watch: backtest(
                work.log,
                rules,
                asked,
                make_judge=make_judge,
                timer_ns=time.perf_counter_ns,
                routing=with_channels(work.catalog, work.settings, os.environ),
                watch=watch,
            ),
        )
    if found is None:
        return INTERRUPTED
    if as_json:
        emit_json(found.document() | {"seconds": work.seconds})
    else:
        _show_backtest(found, work.seconds)
    return 0


def comparing(
    former: Annotated[str, typer.Argument(metavar="FORMER", help="A file, or a published rule as ID or ID@2.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The same, to compare with it.")],
    *,
    since: Since = None,
    until: Until = None,
    count_late: CountLate = False,
    as_json: Json = False,
) -> int:
    """Tell what one version of a rule matches and the other does not, over history. Changes nothing.

    Examples:
      findstream rules diff failed-sign-ins failed-sign-ins.yaml
      findstream rules diff failed-sign-ins@1 failed-sign-ins@2 --since 30d
    """
    _check_past(since, until)
    with _at_work(as_json=as_json) as work:
        asked = asking.stretch(since, until, now_us=now_us(), count_late=count_late)
        sides = work.rule(former), work.rule(new)
        found = work.watched("diff", lambda watch: diff(work.log, *sides, asked, make_judge=make_judge, watch=watch))
    if found is None:
        return INTERRUPTED
    if as_json:
        emit_json(found.document() | {"seconds": work.seconds})
    else:
        _show_diff(found)
    return 0


def reprocessing(
    rule_id: One,
    *,
    version: Annotated[int | None, typer.Option("--version", min=1, help="By this version; the newest.")] = None,
    since: Since = None,
    until: Until = None,
    count_late: CountLate = False,
    notify: Annotated[bool, typer.Option("--notify", help="Tell channels of the alerts, too.")] = False,
    run: Annotated[str, typer.Option("--run", metavar="RUN", help="Go on with a run that was ended; same options.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what it would do; write nothing.")] = False,
    as_json: Json = False,
) -> int:
    """Raise the alerts that a published rule finds in history, marked as backfilled; withdraw those that it does not find.

    What stands is not raised again, however often this runs. Channels are told of nothing unless --notify is given.
    The run names whoever signed in (findstream login).

    Examples:
      findstream rules reprocess failed-sign-ins --since 30d --dry-run
      findstream rules reprocess failed-sign-ins --since 30d
      findstream rules reprocess failed-sign-ins --since 2026-01-01 --until 2026-02-01 --notify
    """
    _check_past(since, until)
    with _at_work(as_json=as_json) as work:
        compiled = asking.of_version(work.catalog, rule_id, version)
        run_id = str(_run_id(run))
        asked = asking.stretch(since, until, now_us=Run(run_id, Stretch(0, 0)).began_us, count_late=count_late)
        if run:
            runs.check(work.catalog, run_id, rule_id, asked)
        asked_for = Run(run_id, asked, "" if dry_run else runs.author(work.settings), notify=notify)
        rehearsed = Rehearsal() if dry_run else None
        told = work.watched(
            "reprocess",
            lambda watch: reprocess(
                work.log,
                compiled,
                asked_for,
                make_judge=make_judge,
                passed=partial(work.passed, tell=not dry_run),
                watch=watch,
                telling=rehearsed,
            ),
        )
    if told is None:
        if not dry_run:
            options = [f"--since {text(asked.since_us)} --until {text(asked.until_us)}"]
            options += ["--count-late"] * count_late + ["--notify"] * notify + [f"--version {compiled.version.number}"]
            remark(f"what was raised stands; go on: findstream rules reprocess {rule_id} {' '.join(options)} --run {run_id}")
        return INTERRUPTED
    if as_json:
        emit_json({name: getattr(told, name) for name in Reprocessed.__slots__} | {"dry_run": dry_run, "seconds": work.seconds})
    else:
        _show_reprocessed(told, rehearsed)
    return 0


def verifying(rule_ids: Published = None, *, as_json: Json = False) -> int:
    """Compare the alerts that were raised live with those that the log says ought to have been. Exit code 3 if they differ.

    Of all rules that were ever published, unless some are named; each is a reading of the log.

    Examples:
      findstream rules verify
      findstream rules verify failed-sign-ins
    """
    told: list[Verified] = []
    seconds = 0.0
    with _at_work(as_json=as_json) as work:
        for rule_id in rule_ids or [rule.id for rule in work.catalog.rules()]:
            found = _verified(work, rule_id)
            if found is None:
                return INTERRUPTED
            told.append(found)
            seconds += work.seconds
            if not as_json:
                _show_verified(found)
    if as_json:
        equal = all(found.equal for found in told)
        emit_json({"equal": equal, "rules": [found.document() for found in told], "seconds": round(seconds, 3)})
    return 0 if all(found.equal for found in told) else REFUSED


def _verified(work: "_Work", rule_id: str) -> Verified | None:
    versions = asking.ever(work.catalog, rule_id)
    return work.watched(f"verify {rule_id}", lambda watch: verify(work.log, versions, make_judge=make_judge, watch=watch))


class _Work:
    """The parts that these commands need, and how the long part of one is watched and ended."""

    def __init__(self, settings: Settings, log: Log, catalog: Catalog) -> None:
        self.settings = settings
        self.log = log
        self.catalog = catalog
        self.seconds = 0.0

    def rule(self, given: str) -> CompiledRule:
        """The one rule of a file, or one as published. Raises as ``rules``."""
        found = self.rules(given)
        if len(found) != 1:
            message = f"{given} holds {len(found)} rules; name a file with one"
            raise typer.BadParameter(message, param_hint="RULE")
        return found[0]

    def rules(self, given: str) -> list[CompiledRule]:
        """The rules of a file or folder, or one as published. Raises ``Refused`` if one of them is flawed, with all its flaws."""
        if Path(given).exists():
            return [self._sound(written) for written in shelf.of_files([Path(given)])]
        if given.endswith((".yaml", ".yml")):
            message = f"there is no file {given}"
            raise typer.BadParameter(message, param_hint="RULE")
        return [self._published(given)]

    def _sound(self, written: Written) -> CompiledRule:
        if written.rule is None:
            message = f"{written.place}: {'; '.join(map(str, written.flaws))}"
            raise Refused(message)
        return asking.of_rule(written.rule, self.catalog)

    def _published(self, given: str) -> CompiledRule:
        rule_id, _, number = given.partition("@")
        if number and not (number.isascii() and number.isdigit()):
            message = f"{given!r} is no version; write it as {rule_id}@2"
            raise typer.BadParameter(message, param_hint="RULE")
        return asking.of_version(self.catalog, rule_id, int(number) if number else None)

    def passed(self, *, tell: bool) -> Mapping[str, Position] | None:
        """How far rules were judged live; with ``tell``, what they owe the log stands there then."""
        with closing(open_judging(self.settings)) as judging:
            return passed(judging, self.log, tell=tell)

    def watched(self, title: str, judge: Callable[[Watch], _Found]) -> _Found | None:
        """What ``judge`` finds; None if Ctrl-C ended it."""
        began = time.monotonic()
        asked_to_end = False

        def ask(_number: int, _frame: FrameType | None) -> None:
            nonlocal asked_to_end
            asked_to_end = True

        before = signal.signal(signal.SIGINT, ask)
        try:
            with bar(title, "events") as tell:

                def told(progress: Progress) -> None:
                    tell(progress.done, progress.total)

                return judge(Watch(told, lambda: asked_to_end))
        except Cancelled:
            return None
        finally:
            signal.signal(signal.SIGINT, before)
            self.seconds = round(time.monotonic() - began, 3)


@contextmanager
def _at_work(*, as_json: bool) -> Iterator[_Work]:
    """Log and rules, opened; a remark if the rules that are known are behind the log."""
    settings = settings_of_data()
    with open_log(settings) as log, open_catalog(settings, log) as catalog:
        if not as_json:
            remark_on_lag(settings, [state for state in catalog.states() if state.name == "rules"], "the list of rules")
        yield _Work(settings, log, catalog)


def _check_past(since_us: int | None, until_us: int | None) -> None:
    """Refuse a stretch in which nothing can have happened yet, or that holds no time at all."""
    check_range(since_us, until_us)
    if since_us is not None and since_us >= now_us():
        message = f"{moment(since_us)} lies ahead: nothing has happened since; 7d is seven days ago"
        raise typer.BadParameter(message, param_hint="--since")


def _run_id(given: str) -> UUID:
    if not given:
        return draw_id()
    try:
        found = UUID(given)
    except ValueError:
        found = None
    if found is None or found.version != 7:  # noqa: PLR2004 -- as drawn
        message = f"{given!r} is no run; it is a UUID, as the run that was ended told it"
        raise typer.BadParameter(message, param_hint="--run")
    if Run(given, Stretch(0, 0)).began_us > now_us():
        message = f"{given!r} is no run; one of this id would have begun in the future"
        raise typer.BadParameter(message, param_hint="--run")
    return found


def _show_backtest(found: Backtest, seconds: float) -> None:
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


def _show_diff(found: Diff) -> None:
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


def _show_reprocessed(told: Reprocessed, rehearsed: Rehearsal | None) -> None:
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


def _show_verified(found: Verified) -> None:
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
