"""Rules and alerts by the command line, against a real server over real files."""

import re
from pathlib import Path
from typing import Any

import pytest

from schemas.envelope import Envelope
from tests.api.desk_world import ADA, BOB, DeskWorld
from tests.api.judged import text
from tests.api.world import NOW_US
from tests.cli.shell import Findstream
from tests.cli.test_cli_desks import keep, world
from tests.support.facts import HOUR_US, MORNING_US, alert, alert_id, finding, rule

__all__ = ["world"]

ID = alert_id(0)


def append(world: DeskWorld, *events: Envelope) -> None:
    world.log.append(events)


def file_of(folder: Path, *texts: str) -> str:
    path = folder / "rules.yaml"
    path.write_text("---\n".join(texts))
    return str(path)


def test_rules_are_published_listed_shown_and_retired(world: DeskWorld, findstream: Findstream, tmp_path: Path) -> None:
    assert world
    first = findstream("rules", "publish", file_of(tmp_path, text(), text("gale", severity="LOW")), "--comment", "To begin with")
    again = findstream("rules", "publish", file_of(tmp_path, text(title="A storm again"), text("gale", severity="LOW")))
    listed = findstream("rules", "list")
    shown = findstream("rules", "show", "storm")
    retired = findstream("rules", "retire", "storm", "--comment", "Too loud")

    assert first.out == "".join(f"{rule} version 1 published, in force from 2026-11-21 00:00:00Z\n" for rule in ("storm", "gale"))
    assert again.out == "storm version 2 published, in force from 2026-11-21 00:00:15Z\ngale version 1 is in force already\n"
    assert [line.split()[0] for line in listed.out.splitlines()] == ["Severity", "LOW", "HIGH"]
    assert "A storm again" in listed.out
    assert listed.err == "2 rules\n"
    assert shown.out.startswith("storm version 2, HIGH, in force: A storm again\n  id: storm\n")
    heading, *versions = shown.out.partition("\nVersions\n")[2].splitlines()
    assert re.split(r"  +", heading) == ["Version", "Since (UTC)", "By", "Until (UTC)", "Ended", "Title", "Detail"]
    assert [re.split(r"  +", line)[2::2] for line in versions] == [["Ada", "replaced"], ["Ada", "-"]]
    assert retired.out == "retired storm; it judges findings of the next 15 seconds still\n"
    assert findstream("rules", "list", "--status", "in_force", "--json").json["items"][0]["id"] == "gale"
    assert findstream("rules", "show", "storm", "--json").json["status"] == "retired"
    assert findstream("rules", "publish", file_of(tmp_path, text()), "--json").json["rules"][0]["version"] == 3


def test_a_former_version_is_shown_as_it_was_written(world: DeskWorld, findstream: Findstream, tmp_path: Path) -> None:
    assert world
    findstream("rules", "publish", file_of(tmp_path, text()), "--comment", "First")
    findstream("rules", "publish", file_of(tmp_path, text(title="Another")))

    assert findstream("rules", "show", "storm", "--version", "1", "--text").out == text()
    assert findstream("rules", "show", "storm", "--version", "1").out.startswith(
        "storm version 1, HIGH, replaced: A storm\nAda: First\n"
    )
    assert findstream("rules", "show", "storm", "--version", "3").code == 3


def test_nothing_is_published_if_anything_is_wrong(world: DeskWorld, findstream: Findstream, tmp_path: Path) -> None:
    assert world
    examples = "examples:\n  matching:\n  - name: other\n    event: {source: aws.other, detail: {}}\n"
    flawed = findstream("rules", "publish", file_of(tmp_path, text(), text("gale", severity="bad")))
    untrue = findstream("rules", "publish", file_of(tmp_path, text(), text("gale", more=examples)))

    assert (flawed.code, untrue.code) == (3, 3)
    assert "rules.yaml: line 9, severity: one of " in flawed.err
    assert "rules.yaml: other: does not match, but should\nnothing was published\n" in untrue.err
    assert findstream("rules", "list").err == "0 rules\n"


def test_examples_that_are_as_they_say_keep_nothing_from_being_published(
    world: DeskWorld, findstream: Findstream, tmp_path: Path
) -> None:
    assert world
    examples = "examples:\n  matching:\n  - name: sign-in\n    event: {source: aws.signin, detail-type: x, detail: {}}\n"

    assert findstream("rules", "publish", file_of(tmp_path, text(more=examples))).code == 0
    assert findstream("rules", "retire", "storm", "--json").json == {"id": "storm", "version": 2}


def test_the_starter_set_can_be_published_again_and_again(world: DeskWorld, findstream: Findstream) -> None:
    assert world
    first = findstream("rules", "publish", "--starter", "--json").json["rules"]
    again = findstream("rules", "publish", "--starter", "--json").json["rules"]

    assert len(first) > 5
    assert {(rule["version"], rule["changed"]) for rule in first} == {(1, True)}
    assert {(rule["version"], rule["changed"]) for rule in again} == {(1, False)}


def test_what_the_engine_and_runs_told_of_a_rule_is_shown(world: DeskWorld, findstream: Findstream, tmp_path: Path) -> None:
    findstream("rules", "publish", file_of(tmp_path, text()))
    findstream("rules", "list")
    append(
        world,
        rule("switched_off", NOW_US + 1, reason="too_slow", detail="70 ms"),
        rule("reprocessed", NOW_US + 2, by=ADA.user_id),
    )

    shown = findstream("rules", "show", "storm").out

    assert "switched off" in shown
    assert "too slow 70 ms" in shown
    assert "Runs over history" in shown
    assert (
        findstream("rules", "publish", file_of(tmp_path, text())).out
        == "storm version 2 published, in force from 2026-11-21 00:00:15Z\n"
    )


def test_who_is_no_admin_publishes_nothing(world: DeskWorld, findstream: Findstream, tmp_path: Path) -> None:
    keep(world.url, BOB)

    assert findstream("rules", "publish", file_of(tmp_path, text())).code == 3
    assert findstream("rules", "list").code == 0


def test_an_alert_goes_its_whole_way(world: DeskWorld, findstream: Findstream) -> None:
    found = finding(1, account="111122223333")
    append(world, found, alert("raised", MORNING_US, severity=3, event_ids=[found.id], backfilled=True, run_id=ID, notify=False))
    told = [
        findstream("alerts", "ack", ID, "--comment", "Looking"),
        findstream("alerts", "resolve", ID, "--revision", "1"),
        findstream("alerts", "reopen", ID),
    ]
    shown = findstream("alerts", "show", ID).out

    assert [answer.out for answer in told] == [
        f"{ID} {status}, HIGH, 2024-05-01 00:00:00Z: Alert 0\n" for status in ("acknowledged", "resolved", "open")
    ]
    assert "  rule:      storm version 1\n  window:    2024-05-01 00:00:00Z to 2024-05-01 01:00:00Z\n" in shown
    group, labels = (shown.partition(f"\n{title}\n")[2].splitlines()[1].split() for title in ("Group", "Labels"))
    assert (group, labels) == (["detail.ip", "192.0.2.1"], ["team", "blue"])
    assert f"  run:       {ID}, over history\n" in shown
    assert "Findings (1 of 3)" in shown
    assert "Finding 1" in shown
    assert [line.split()[2] for line in shown.partition("History")[2].splitlines()[2:]] == [
        "raised",
        "acknowledged",
        "resolved",
        "reopened",
    ]
    assert findstream("alerts", "show", ID, "--json").json["revision"] == 3
    assert findstream("alerts", "resolve", ID, "--revision", "1").code == 3
    assert findstream("alerts", "resolve", ID, "--json").json["status"] == "resolved"


def test_an_alert_without_a_window_is_shown_without_one(world: DeskWorld, findstream: Findstream) -> None:
    append(world, alert("raised", MORNING_US, window=None))

    assert "window" not in findstream("alerts", "show", ID).out


def test_alerts_are_listed_by_what_is_asked(world: DeskWorld, findstream: Findstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consumers.cli.alerts._PAGE", 2)
    append(world, *(alert("raised", MORNING_US + n * HOUR_US, n, severity=n % 5, account=f"{n % 2:012}") for n in range(10)))

    def listed(*options: str) -> list[int]:
        items: list[Any] = findstream("alerts", "list", "--json", *options).json["items"]
        return [int(one["id"][-12:], 16) for one in items]

    assert listed() == list(range(9, -1, -1))
    assert listed("-n", "3") == [9, 8, 7]
    assert listed("-s", "HIGH", "--status", "open", "--rule", "storm") == [9, 8, 4, 3]
    assert listed("--account", "000000000001") == [9, 7, 5, 3, 1]
    assert listed("--since", "2024-05-01T02:00:00Z", "--until", "2024-05-01T04:00:00Z") == [3, 2]
    few = findstream("alerts", "list", "-n", "3")
    assert few.err == "3 alerts; there are more: --limit\n"
    assert "Alert 9" in few.out
    assert findstream("alerts", "list", "--since", "1h", "--until", "2h").code == 2


def test_alerts_of_runs_are_listed_apart(world: DeskWorld, findstream: Findstream) -> None:
    run = alert_id(99)
    append(
        world,
        alert("raised", MORNING_US, 0),
        alert("raised", MORNING_US, 1, backfilled=True, run_id=run),
        alert("raised", MORNING_US, 2, backfilled=True, run_id=alert_id(98)),
    )

    def listed(*options: str) -> set[str]:
        return {one["id"] for one in findstream("alerts", "list", "--json", *options).json["items"]}

    assert listed("--backfilled") == {alert_id(1), alert_id(2)}
    assert listed("--no-backfilled") == {alert_id(0)}
    assert listed("--run", run) == {alert_id(1)}
    assert "run: is no id: 32 hexadecimal digits" in findstream("alerts", "list", "--run", "mine").err


def test_several_alerts_are_moved_at_once_each_for_itself(world: DeskWorld, findstream: Findstream) -> None:
    append(world, *(alert("raised", MORNING_US, n) for n in range(3)))
    ids = [alert_id(n) for n in range(3)]
    findstream("alerts", "resolve", ids[1])

    told = findstream("alerts", "ack", *ids, ids[0], "--comment", "A storm")
    unknown = findstream("alerts", "resolve", ids[0], alert_id(7), "--json")

    assert told.code == 3
    assert [line.split()[:2] for line in told.out.splitlines()] == [[ids[0], "acknowledged,"], [ids[2], "acknowledged,"]]
    assert told.err.startswith(f"{ids[1]}: this cannot be done so; see details: status: cannot become acknowledged")
    assert unknown.code == 3
    assert [one["id"] for one in unknown.json["alerts"]] == [ids[0]]
    assert unknown.json["refused"] == [{"id": alert_id(7), "why": "there is no such alert (or not yet)"}]
    assert findstream("alerts", "reopen", ids[0], ids[1]).code == 0
    several = findstream("alerts", "ack", *ids, "--revision", "1")
    assert (several.code, "--revision" in several.err) == (2, True)


def test_a_comment_that_would_be_lost_is_refused(world: DeskWorld, findstream: Findstream) -> None:
    append(world, alert("raised", MORNING_US))
    findstream("alerts", "ack", ID, "--comment", "Looking")

    again = findstream("alerts", "ack", ID, "--comment", "Still looking")

    assert again.code == 2
    assert "comment: would be lost, since the alert is acknowledged already" in again.err
    assert findstream("alerts", "ack", ID).code == 0


def test_what_is_no_id_is_told_in_words(world: DeskWorld, findstream: Findstream) -> None:
    assert world
    assert "'storm' is no alert's id; findstream alerts list shows them" in findstream("alerts", "ack", "storm").err
    assert "is no rule's id: 3 to 64 lower-case letters" in findstream("rules", "show", "Gale!").err
    assert findstream("alerts", "show", ID.upper()).code == 3


def test_the_rest_of_an_alerts_findings_is_told_of(world: DeskWorld, findstream: Findstream) -> None:
    found = [finding(n) for n in range(25)]
    append(world, *found, alert("raised", MORNING_US, event_ids=[one.id for one in found], count=40))

    shown = findstream("alerts", "show", ID).out

    assert "Findings (20 of 40)" in shown
    assert "5 more are named" in shown


def test_a_rule_that_is_retired_is_told_apart_from_one_that_never_was(
    world: DeskWorld, findstream: Findstream, tmp_path: Path
) -> None:
    assert world
    findstream("rules", "publish", file_of(tmp_path, text()))
    findstream("rules", "retire", "storm")

    retired, unknown = findstream("rules", "retire", "storm"), findstream("rules", "retire", "gale")

    assert (retired.code, retired.err) == (3, "findstream: rule storm is retired already; publish it anew\n")
    assert (unknown.code, unknown.err) == (3, "findstream: no rule gale was ever published\n")
