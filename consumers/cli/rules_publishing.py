"""``rules publish``, ``list``, ``show`` and ``retire``: what is in force, by way of the server."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import httpx
import typer

from consumers.cli.exits import REFUSED
from consumers.cli.output import Json, counted, emit, emit_json, emit_table, moment, plain, remark, severity
from consumers.cli.rules_writing import Files, Starter, written
from consumers.cli.server import client, drawn_key
from consumers.rules import checking
from consumers.rules.shelf import Written
from pipeline.desks.rule import LEAD_US
from schemas.identity import MICROSECONDS

RuleId = Annotated[str, typer.Argument(metavar="RULE", help="A rule's id, as `rules list` shows it.")]
Comment = Annotated[str, typer.Option("--comment", help="Why, in up to 1000 characters.")]


def register(rules: typer.Typer) -> None:
    """Add the commands of this module."""
    rules.command("publish")(publish)
    rules.command("list")(listing)
    rules.command("show")(show)
    rules.command("retire")(retire)


def publish(files: Files = None, *, starter: Starter = False, comment: Comment = "", as_json: Json = False) -> None:
    """Put rules into force, as new ones or as the next versions of those that are there. What is in force already stays.

    Nothing is published if any of them has a flaw, or an example that is not as it says; ends with 3 then.

    Examples:
      findstream rules publish sign-ins.yaml --comment "Count by address"
      findstream rules publish --starter
    """
    items = written(files, starter=starter)
    if faults := [fault for item in items for fault in _faults(item)]:
        for fault in faults:
            remark(fault)
        remark("nothing was published")
        raise typer.Exit(REFUSED)
    with client() as api:
        known = {rule["id"]: rule for rule in api.get("/rules").json()["items"]}
        answers = [_published(api, item, known, comment) for item in items]
    if as_json:
        emit_json({"rules": answers})
        return
    for answer in answers:
        told = f"published, in force from {_moment(answer['since'])}" if answer["changed"] else "is in force already"
        emit(plain(f"{answer['id']} version {answer['version']} {told}"))


def _faults(item: Written) -> Iterator[str]:
    """What keeps a document from being published."""
    yield from (f"{item.place}: {flaw}" for flaw in item.flaws)
    for outcome in checking.run(item.rule) if item.rule else []:
        if outcome.fault:
            yield f"{item.place}: {outcome.example.name}: {outcome.fault}"


def _published(api: httpx.Client, item: Written, known: Mapping[str, Any], comment: str) -> dict[str, Any]:
    assert item.rule is not None  # noqa: S101 -- those with flaws were refused
    body: dict[str, Any] = {"text": item.text, **({"comment": comment} if comment else {})}
    there = known.get(item.rule.id, {"status": "retired", "version": 0})
    if there["status"] == "retired":
        answer = api.post("/rules", json=body, headers=drawn_key()).json()
    else:
        answer = api.put(f"/rules/{item.rule.id}", json={**body, "revision": there["revision"]}, headers=drawn_key()).json()
    return {**answer, "changed": answer["version"] != there["version"]}


def listing(
    *,
    status: Annotated[str, typer.Option("--status", help="Only in this status: in_force, retired, switched_off.")] = "",
    as_json: Json = False,
) -> None:
    """List rules by id.

    Examples:
      findstream rules list --status in_force
    """
    with client() as api:
        found = api.get("/rules", params={"status": status} if status else {}).json()
    if as_json:
        emit_json(found)
        return
    emit_table(
        ("Severity", "Status", "Version", "In force from (UTC)", "By", "Title", "Id"),
        (
            (severity(r["severity"]), _words(r["status"]), r["version"], *_when(r, "since"), r["title"], r["id"])
            for r in found["items"]
        ),
    )
    remark(counted(len(found["items"]), "rule"))


def show(
    *,
    rule: RuleId,
    version: Annotated[int | None, typer.Option("--version", min=1, help="This version's text; by default the newest.")] = None,
    text: Annotated[bool, typer.Option("--text", help="The text alone, as it was written.")] = False,
    as_json: Json = False,
) -> None:
    """Show a rule: its text, its versions, its runs over history.

    Examples:
      findstream rules show root-sign-in
      findstream rules show root-sign-in --version 1 --text > former.yaml
    """
    with client() as api:
        found = api.get(f"/rules/{rule}").json() if version is None else api.get(f"/rules/{rule}/versions/{version}").json()
    if as_json:
        emit_json(found)
        return
    if not text:
        _head(found)
    for line in found["text"].splitlines():
        emit(plain(line) if text else f"  {plain(line)}")
    if not text and version is None:
        _versions(found["versions"])
        _runs(found["runs"])


def retire(*, rule: RuleId, comment: Comment = "", as_json: Json = False) -> None:
    """Put a rule out of force, for findings that happen from now on. Its alerts and its history stay.

    Examples:
      findstream rules retire root-sign-in --comment "Too loud"
    """
    with client() as api:
        gone = api.delete(f"/rules/{rule}", params={"comment": comment} if comment else {}, headers=drawn_key()).json()
    if as_json:
        emit_json(gone)
    else:
        emit(f"retired {rule}; it judges findings of the next {LEAD_US // MICROSECONDS} seconds still")


def _head(found: Mapping[str, Any]) -> None:
    name = found.get("id") or found["rule_id"]
    state = _words(found["status"] if "status" in found else found["ended"] or "in_force")
    told = f"{name} version {found['version']}, {found['severity_name']}, {state}: {found['title']}"
    emit(plain(told))
    if found["comment"]:
        emit(plain(f"{_name(found['by'])}: {found['comment']}"))


def _versions(versions: Sequence[Mapping[str, Any]]) -> None:
    emit_table(
        ("Version", "Since (UTC)", "By", "Until (UTC)", "Ended", "Title", "Detail"),
        (
            (v["version"], *_when(v, "since"), _moment(v["until"]), _words(v["ended"]) or "-", v["title"], _why(v))
            for v in versions
        ),
        title="\nVersions",
    )


def _runs(runs: Sequence[Mapping[str, Any]]) -> None:
    if runs:
        emit_table(
            ("Time (UTC)", "Version", "Since (UTC)", "Until (UTC)", "Judged", "Raised", "Standing", "Withdrawn", "By"),
            (
                (
                    _moment(r["time"]),
                    r["version"],
                    _moment(r["since"]),
                    _moment(r["until"]),
                    r["judged"],
                    r["raised"],
                    r["standing"],
                    r["withdrawn"],
                    _name(r["by"]),
                )
                for r in runs
            ),
            title="\nRuns over history",
        )


def _why(version: Mapping[str, Any]) -> str:
    return " ".join(filter(None, (_words(version["reason"]), version["detail"], version["cause"])))


def _when(told: Mapping[str, Any], name: str) -> tuple[str, str]:
    """When something was published, and by whom."""
    return _moment(told[name]), _name(told["by"])


def _words(status: str) -> str:
    return status.replace("_", " ")


def _name(person: Mapping[str, str] | None) -> str:
    return person["name"] if person else "-"


def _moment(seconds: float | None) -> str:
    return moment(None if seconds is None else round(seconds * MICROSECONDS))
