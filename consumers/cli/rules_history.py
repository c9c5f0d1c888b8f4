"""``rules backtest | diff | reprocess | verify``: rules over what the log holds already, read straight from it."""

import os
import time
from functools import partial
from typing import Annotated
from uuid import UUID

import typer

from consumers.cli import runs
from consumers.cli.arguments import Since, Until, check_range
from consumers.cli.exits import INTERRUPTED, REFUSED
from consumers.cli.output import Json, emit_json, moment, remark
from consumers.cli.rules_shown import show_backtest, show_diff, show_reprocessed, show_verified
from consumers.cli.rules_work import Work, at_work
from consumers.composition import now_us
from consumers.draw import draw_id
from consumers.rules.history import asking
from consumers.rules.history.backtest import backtest
from consumers.rules.history.diff import diff
from consumers.rules.history.reprocess import Reprocessed, Run, reprocess
from consumers.rules.history.routing import with_channels
from consumers.rules.history.strand import Stretch
from consumers.rules.history.telling import Rehearsal
from consumers.rules.history.verify import Verified, verify
from consumers.rules.judge import make_judge
from schemas.rfc3339 import text

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
    with at_work(as_json=as_json) as work:
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
        show_backtest(found, work.seconds)
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
    with at_work(as_json=as_json) as work:
        asked = asking.stretch(since, until, now_us=now_us(), count_late=count_late)
        sides = work.rule(former), work.rule(new)
        found = work.watched("diff", lambda watch: diff(work.log, *sides, asked, make_judge=make_judge, watch=watch))
    if found is None:
        return INTERRUPTED
    if as_json:
        emit_json(found.document() | {"seconds": work.seconds})
    else:
        show_diff(found)
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
    with at_work(as_json=as_json) as work:
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
        show_reprocessed(told, rehearsed)
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
    with at_work(as_json=as_json) as work:
        for rule_id in rule_ids or [rule.id for rule in work.catalog.rules()]:
            found = _verified(work, rule_id)
            if found is None:
                return INTERRUPTED
            told.append(found)
            seconds += work.seconds
            if not as_json:
                show_verified(found)
    if as_json:
        equal = all(found.equal for found in told)
        emit_json({"equal": equal, "rules": [found.document() for found in told], "seconds": round(seconds, 3)})
    return 0 if all(found.equal for found in told) else REFUSED


def _verified(work: Work, rule_id: str) -> Verified | None:
    versions = asking.ever(work.catalog, rule_id)
    return work.watched(f"verify {rule_id}", lambda watch: verify(work.log, versions, make_judge=make_judge, watch=watch))


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
