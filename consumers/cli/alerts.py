"""``alerts``: what rules concluded, and what people do about it, by way of the server."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import httpx
import typer

from consumers.cli.arguments import Account, Severity, Since, Until, check_range
from consumers.cli.exits import REFUSED
from consumers.cli.output import Json, counted, emit, emit_json, emit_table, moment, plain, remark, severity
from consumers.cli.server import client, drawn_key
from consumers.errors import ApiMisused, ApiRefused
from schemas.identity import MICROSECONDS

alerts = typer.Typer(help="Alerts: what rules concluded from findings. By way of the server (findstream run).")

_PAGE: Final = 200

Status = Literal["open", "acknowledged", "resolved", "withdrawn"]


def _alert_id(text: str) -> str:
    """An alert's id, as it is listed or with capitals."""
    try:
        return str(UUID(text))
    except ValueError:
        message = f"{text!r} is no alert's id; findstream alerts list shows them"
        raise typer.BadParameter(message) from None


AlertId = Annotated[str, typer.Argument(parser=_alert_id, metavar="ALERT", help="An alert's id, as `alerts list` shows it.")]
AlertIds = Annotated[
    list[str], typer.Argument(parser=_alert_id, metavar="ALERT...", help="Alerts' ids, as `alerts list` shows them.")
]
Comment = Annotated[str, typer.Option("--comment", help="Why, in up to 5000 characters.")]
Revision = Annotated[
    int | None, typer.Option("--revision", help="The revision that you saw; by default the one that there is now.")
]


@alerts.command("list")
def listing(
    *,
    status: Annotated[Status | None, typer.Option("--status", help="Only those that stand so.")] = None,
    rule: Annotated[str, typer.Option("--rule", metavar="RULE", help="Only of this rule, by id.")] = "",
    min_severity: Severity = 0,
    account: Account = "",
    since: Since = None,
    until: Until = None,
    backfilled: Annotated[
        bool | None, typer.Option("--backfilled/--no-backfilled", help="Only what a run over history raised, or did not.")
    ] = None,
    run: Annotated[str, typer.Option("--run", metavar="RUN", help="Only of this run over history, by id.")] = "",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="At most so many.")] = 50,
    as_json: Json = False,
) -> None:
    """List alerts, newest first. All filters must hold.

    Examples:
      findstream alerts list --status open -s HIGH
      findstream alerts list --rule root-sign-in --since 7d --json | jq -r '.items[].id'
    """
    check_range(since, until)
    asked = {
        "status": status,
        "rule": rule,
        "severity": min_severity,
        "account": account,
        "from": None if since is None else since / MICROSECONDS,
        "to": None if until is None else until / MICROSECONDS,
        "backfilled": None if backfilled is None else str(backfilled).lower(),
        "run": run,
    }
    with client() as api:
        found = _pages(api, {name: value for name, value in asked.items() if value not in (None, "")}, limit)
    if as_json:
        emit_json(found)
        return
    emit_table(
        ("Severity", "Status", "Time (UTC)", "Raised (UTC)", "Count", "Rule", "Title", "Id"),
        (
            (severity(a["severity"]), a["status"], _moment(a["time"]), _moment(a["raised"]), a["count"], a["rule_id"], *_named(a))
            for a in found["items"]
        ),
    )
    remark(counted(len(found["items"]), "alert") + ("; there are more: --limit" if found["next"] else ""))


def _pages(api: httpx.Client, asked: Mapping[str, Any], limit: int) -> dict[str, Any]:
    """The first ``limit`` alerts; a page may hold fewer than asked for, while another follows."""
    items: list[Any] = []
    cursor = None
    while True:
        more = {"limit": min(limit - len(items), _PAGE), **({"cursor": cursor} if cursor else {})}
        page = api.get("/alerts", params={**asked, **more}).json()
        items += page["items"]
        cursor = page["next"]
        if cursor is None or len(items) >= limit:
            return {"items": items, "next": cursor}


@alerts.command("show")
def show(*, alert: AlertId, as_json: Json = False) -> None:
    """Show an alert with all that explains it: its rule, its findings, what happened to it.

    Examples:
      findstream alerts show 6f0c5a39-8d1b-8b7e-a1c2-3d4e5f607182
    """
    with client() as api:
        found = api.get(f"/alerts/{alert}").json()
    if as_json:
        emit_json(found)
        return
    _tell(found)
    for name, value in _facts(found):
        emit(plain(f"  {name + ':':<10} {value}"))
    for title, values in (("Group", found["group"]), ("Labels", found["labels"])):
        if values:
            emit_table(("Name", "Value"), sorted(values.items()), title=f"\n{title}")
    emit_table(
        ("Time (UTC)", "Severity", "Source", "Account", "Summary", "Id"),
        (
            (_moment(f["time"]), severity(f["severity"]), f["source"], f["account"], f["summary"], f["id"])
            for f in found["findings"]
        ),
        title=f"\nFindings ({len(found['findings'])} of {found['count']:,})",
    )
    if (more := len(found["event_ids"]) - len(found["findings"])) > 0:
        emit(f"{more:,} more are named: their ids are event_ids of alerts show --json")
    emit_table(
        ("Told (UTC)", "What", "By", "Comment", "Because of"),
        (
            (_moment(h["recorded"]), h["type"].partition(".")[2], _name(h["by"]), h["comment"], h["cause"] or h["run_id"] or "-")
            for h in found["history"]
        ),
        title="\nHistory",
    )


def _named(found: Mapping[str, Any]) -> tuple[str, str]:
    return f"{found['title']}{' (over history)' * found['backfilled']}", found["id"]


def _facts(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    window = found["window"]
    facts = [("rule", f"{found['rule_id']} version {found['rule_version']}")]
    if window:
        facts.append(("window", f"{_moment(window['since'])} to {_moment(window['until'])}"))
    facts += [("last", _moment(found["last"])), ("raised", _moment(found["raised"]))]
    if found["backfilled"]:
        facts.append(("run", f"{found['run_id']}, over history"))
    return facts


@alerts.command("ack")
def acknowledge(*, alerts: AlertIds, comment: Comment = "", revision: Revision = None, as_json: Json = False) -> int:
    """Say that somebody sees to alerts. Each is told; ends with 3 if it could not be done for all of several.

    Examples:
      findstream alerts ack 6f0c5a39-8d1b-8b7e-a1c2-3d4e5f607182 --comment "Looking into it"
      findstream alerts list --rule root-sign-in --json | jq -r '.items[].id' | xargs findstream alerts ack
    """
    return _move(alerts, "acknowledged", comment, revision, as_json=as_json)


@alerts.command("resolve")
def resolve(*, alerts: AlertIds, comment: Comment = "", revision: Revision = None, as_json: Json = False) -> int:
    """Say that alerts are over. Each is told; ends with 3 if it could not be done for all of several.

    Examples:
      findstream alerts resolve 6f0c5a39-8d1b-8b7e-a1c2-3d4e5f607182 --comment "A test of ours"
    """
    return _move(alerts, "resolved", comment, revision, as_json=as_json)


@alerts.command("reopen")
def reopen(*, alerts: AlertIds, comment: Comment = "", revision: Revision = None, as_json: Json = False) -> int:
    """Say that alerts are not over. Each is told; ends with 3 if it could not be done for all of several.

    Examples:
      findstream alerts reopen 6f0c5a39-8d1b-8b7e-a1c2-3d4e5f607182
    """
    return _move(alerts, "open", comment, revision, as_json=as_json)


def _move(alerts: Sequence[str], status: str, comment: str, revision: int | None, *, as_json: bool) -> int:
    body = {"status": status, "comment": comment or None, "revision": revision}
    given = {name: value for name, value in body.items() if value is not None}
    if len(alerts) > 1:
        if revision is not None:
            message = "is of one alert; leave it out for several"
            raise typer.BadParameter(message, param_hint="--revision")
        return _move_each(alerts, given, as_json=as_json)
    with client() as api:
        answer = _moved(api, alerts[0], given)
    if as_json:
        emit_json(answer)
    else:
        _tell(answer)
    return 0


def _move_each(alerts: Sequence[str], given: Mapping[str, Any], *, as_json: bool) -> int:
    """Each for itself: what is refused for one alert keeps the others from nothing. An outage ends it."""
    moved, refused = [], []
    with client() as api:
        for alert in dict.fromkeys(alerts):
            try:
                answer = _moved(api, alert, given)
            except (ApiMisused, ApiRefused) as why:
                refused.append({"id": alert, "why": str(why)})
                remark(f"{alert}: {why}")
                continue
            moved.append(answer)
            if not as_json:
                _tell(answer)
    if as_json:
        emit_json({"alerts": moved, "refused": refused})
    return REFUSED if refused else 0


def _moved(api: httpx.Client, alert: str, given: Mapping[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = api.put(f"/alerts/{alert}/status", json=given, headers=drawn_key()).json()
    return answer


def _tell(alert: Mapping[str, Any]) -> None:
    emit(plain(f"{alert['id']} {alert['status']}, {alert['severity_name']}, {_moment(alert['time'])}: {alert['title']}"))


def _name(person: Mapping[str, str] | None) -> str:
    return person["name"] if person else "-"


def _moment(seconds: float) -> str:
    return moment(round(seconds * MICROSECONDS))
