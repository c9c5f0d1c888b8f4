"""``notify routes`` and ``notify route``, over a server with real files behind it."""

import io
import re
from pathlib import Path

import pytest

from consumers.notifier.routing.text import default_text
from tests.api.decided import TEXT
from tests.api.desk_world import BOB, DeskWorld
from tests.api.world import NOW_US, finding
from tests.cli.shell import Findstream
from tests.cli.test_cli_desks import keep, world
from tests.support.facts import alert, alert_id

__all__ = ["world"]

FLAWED = TEXT.replace("severity>=HIGH", "severity>=LOUD").replace("name: nobody", "name: grave")


def file_of(folder: Path, text: str = TEXT) -> str:
    (folder / "routing.yaml").write_text(text, encoding="utf-8")
    return str(folder / "routing.yaml")


def test_the_default_is_shown_until_a_routing_is_published(world: DeskWorld, findstream: Findstream, tmp_path: Path) -> None:
    assert world
    before = findstream("notify", "routes", "show")
    first = findstream("notify", "routes", "publish", file_of(tmp_path), "--comment", "Nights are quiet")
    again = findstream("notify", "routes", "publish", file_of(tmp_path))
    shown = findstream("notify", "routes", "show")
    former = findstream("notify", "routes", "publish", file_of(tmp_path, TEXT + "# 2\n"), "--version", "1", "--json").json
    listed = findstream("notify", "routes", "versions")

    assert (before.out, before.err) == (default_text(), "version 0, which comes with findstream\n")
    assert (first.out, again.out) == ("version 1 published\n", "version 1 holds already\n")
    assert (shown.out, shown.err) == (TEXT, "version 1, by Ada, 2026-11-21 00:00:00Z: Nights are quiet\n")
    assert (former["version"], former["changed"]) == (2, True)
    assert [re.split(r"  +", line)[0] for line in listed.out.splitlines()] == ["Version", "2", "1"]
    assert listed.err == "2 versions\n"
    assert findstream("notify", "routes", "show", "--version", "1").out == TEXT
    assert findstream("notify", "routes", "show", "--json").json["version"] == 2
    assert [one["version"] for one in findstream("notify", "routes", "versions", "--json").json["items"]] == [2, 1]
    assert findstream("notify", "routes", "publish", file_of(tmp_path), "--version", "1").code == 3


def test_a_channel_that_is_not_there_is_named(world: DeskWorld, findstream: Findstream, tmp_path: Path) -> None:
    world.channels = {"default": None}

    assert "no channel is named oncall here" in findstream("notify", "routes", "publish", file_of(tmp_path)).err


def test_the_default_is_shown_without_a_server(findstream: Findstream) -> None:
    assert findstream("notify", "routes", "show", "--default").out == default_text()


def test_a_routing_is_checked_without_a_server(findstream: Findstream, tmp_path: Path) -> None:
    good = findstream("notify", "routes", "lint", file_of(tmp_path))
    bad = findstream("notify", "routes", "lint", file_of(tmp_path, FLAWED))
    told = findstream("notify", "routes", "lint", file_of(tmp_path, FLAWED), "--json")

    assert (good.code, good.out) == (0, "routing.yaml: good\n")
    assert bad.code == told.code == 3
    assert [line.split(": ")[:2] for line in bad.out.splitlines()] == [
        ["routing.yaml", "line 5, routes.routes.0.matchers.0"],
        ["routing.yaml", "line 8, routes.routes.1.name"],
    ]
    assert (told.json["sound"], [flaw["line"] for flaw in told.json["flaws"]]) == (False, [5, 8])
    assert findstream("notify", "routes", "lint", file_of(tmp_path), "--json").json == {"sound": True, "flaws": []}


def test_a_route_that_nothing_comes_to_is_a_hint(world: DeskWorld, findstream: Findstream, tmp_path: Path) -> None:
    assert world
    routes = "[{name: a, continue: true}, {name: b, routes: [{name: c}, {name: d}]}, {name: e, matchers: [source=x]}]"
    file = file_of(tmp_path, f"routes:\n  channel: default\n  routes: {routes}\n")
    hints = [
        "nothing comes to route e: b before it takes everything",
        "nothing comes to route d: c before it takes everything",
    ]

    linted = findstream("notify", "routes", "lint", file)

    assert (linted.code, linted.out, linted.err.splitlines()) == (0, "routing.yaml: good\n", hints)
    assert findstream("notify", "routes", "publish", file, "--json").json["hints"][:2] == hints


def test_a_routing_may_come_from_standard_input(findstream: Findstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(FLAWED.encode())))

    assert findstream("notify", "routes", "lint", "-").out.startswith("standard input: line 5, ")


def test_what_is_no_routing_is_not_published(world: DeskWorld, findstream: Findstream, tmp_path: Path) -> None:
    assert world
    answer = findstream("notify", "routes", "publish", file_of(tmp_path, FLAWED))

    assert answer.code == 3
    assert answer.err.startswith("routing.yaml: line 5, routes.routes.0.matchers.0: ")
    assert answer.err.endswith("nothing was published\n")
    assert findstream("notify", "routes", "versions").err == "0 versions\n"


def test_a_file_that_cannot_be_read_is_wrong_usage(findstream: Findstream, tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff")

    assert findstream("notify", "routes", "lint", str(tmp_path / "none")).code == 2
    assert "is no text in UTF-8" in findstream("notify", "routes", "lint", str(tmp_path / "bytes")).err


def test_who_is_no_admin_publishes_nothing_and_may_look(world: DeskWorld, findstream: Findstream, tmp_path: Path) -> None:
    keep(world.url, BOB)

    assert findstream("notify", "routes", "publish", file_of(tmp_path)).code == 3
    assert findstream("notify", "routes", "show").code == 0


def test_the_path_of_a_finding_is_shown(world: DeskWorld, findstream: Findstream, tmp_path: Path) -> None:
    findstream("notify", "routes", "publish", file_of(tmp_path))
    grave, light = finding(1, severity=3), finding(2, severity=1)
    world.log.append([grave, light])
    silence = findstream("silences", "add", "severity=HIGH", "--for", "3d", "--comment", "x", "--json").json["id"]

    told, untold = findstream("notify", "route", grave.id).out, findstream("notify", "route", light.id).out

    assert told.splitlines()[-5:] == [
        "  root: matches",
        "    grave: matches",
        "",
        "root > grave: told on oncall, with account=111122223333, source=aws.guardduty",
        f"silenced by {silence}",
    ]
    assert "  severity=HIGH\n" in told
    assert "    grave: no: severity>=HIGH (is LOW)\n    nobody: matches\n\nroot > nobody: told to nobody\n" in untold
    assert findstream("notify", "route", grave.id, "--json").json["taken"][0]["channel"] == "oncall"


def test_the_path_of_an_alert_is_shown(world: DeskWorld, findstream: Findstream) -> None:
    world.log.append([alert("raised", NOW_US, severity=4), alert("resolved", NOW_US + 1)])

    shown = findstream("notify", "route", alert_id(0)).out

    assert "  rule=storm\n" in shown
    assert (
        "root > findings: told on default, with type=alert.raised, source=findstream.rules, account=, rule=storm, kind=\n"
        in shown
    )
    assert shown.endswith("it is over: whoever was told that it fires is told so\n")


def test_fields_are_tried_on_a_file(world: DeskWorld, findstream: Findstream, tmp_path: Path) -> None:
    assert world
    alone = 'routes:\n  channel: default\n  group_by: ["..."]\n'
    together = "routes:\n  channel: default\n"

    def shown(text: str) -> str:
        return findstream("notify", "route", "--field", "source=a=b", "--file", file_of(tmp_path, text)).out

    assert shown(alone) == "  source=a=b\n\n  root: matches\n\nroot: told on default, by itself\n"
    assert shown(together).endswith("root: told on default, with all of the route\n")
    assert "(is missing)" in shown(TEXT.replace("source=aws.*", "account=1"))


def test_fields_that_nothing_has_are_refused(world: DeskWorld, findstream: Findstream) -> None:
    assert world
    misspelt = findstream("notify", "route", "--field", "sevrity=HIGH")
    loud = findstream("notify", "route", "--field", "severity=LOUD")

    assert (misspelt.code, loud.code) == (2, 2)
    assert "no such field as 'sevrity'; there are type, source" in misspelt.err
    assert "fields.severity: is one of UNKNOWN, LOW, MEDIUM, HIGH, CRITICAL" in loud.err


def test_the_flaws_of_a_file_are_told_a_line_each(world: DeskWorld, findstream: Findstream, tmp_path: Path) -> None:
    assert world
    answer = findstream("notify", "route", "--field", "severity=HIGH", "--file", file_of(tmp_path, FLAWED))

    assert answer.code == 3
    assert [line.split(": ")[1] for line in answer.err.splitlines()[:2]] == [
        "line 5, routes.routes.0.matchers.0",
        "line 8, routes.routes.1.name",
    ]
    assert answer.err.endswith("nothing was asked\n")


def test_what_is_told_to_nobody_by_its_nature_has_no_path(
    world: DeskWorld, findstream: Findstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.notifier.item.of", lambda *_: None)
    event = finding(1)
    world.log.append([event])

    assert findstream("notify", "route", event.id).out == "events like it are told to nobody\n"


def test_what_is_asked_wrongly_is_wrong_usage(world: DeskWorld, findstream: Findstream) -> None:
    assert world
    for arguments in ((), ("1-x", "--field", "a=b"), ("--field", "a"), ("--field", "=b")):
        assert findstream("notify", "route", *arguments).code == 2
    assert findstream("notify", "route", "1-x").code == 3
