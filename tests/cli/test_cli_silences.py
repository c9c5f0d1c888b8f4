"""``silences``, over a server with real files behind it."""

import re
from typing import Any

import pytest

from consumers.notifier.groups.state import Member
from consumers.notifier.notice import Cause
from pipeline.log.port import Position
from tests.api.desk_world import BOB, DeskWorld
from tests.api.world import HOUR_US, NOW_US, SECOND_US, finding
from tests.cli.shell import Findstream
from tests.cli.test_cli_desks import keep, world

__all__ = ["world"]

GUARDDUTY = "source=aws.guardduty"


@pytest.fixture(autouse=True)
def standing_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line's clock is the server's."""
    for module in ("silences", "arguments"):
        monkeypatch.setattr(f"consumers.cli.{module}.now_us", lambda: NOW_US)


def add(findstream: Findstream, *more: str) -> dict[str, Any]:
    answer = findstream("silences", "add", GUARDDUTY, "--comment", "We know", "--json", *more)
    assert answer.code == 0, answer.err
    made: dict[str, Any] = answer.json
    return made


def lasts(silence: dict[str, Any]) -> tuple[float, float]:
    """When it starts, and how long it lasts, in hours."""
    return (silence["starts"] - NOW_US / 1e6) / 3600, (silence["ends"] - silence["starts"]) / 3600


def test_a_silence_goes_its_whole_way(world: DeskWorld, findstream: Findstream) -> None:
    made = findstream("silences", "add", GUARDDUTY, "severity<=HIGH", "--comment", "We know").out
    silence = made.split()[0]
    edited = findstream("silences", "edit", silence, "--for", "2d", "--comment", "Longer").out
    listed = findstream("silences", "list")
    world.clock.now_us += SECOND_US
    ended = findstream("silences", "expire", silence, "--comment", "Mended", "--revision", "2").out
    shown = findstream("silences", "show", silence).out

    assert made == f"{silence} active, 2026-11-21 00:00:00Z to 2026-11-21 04:00:00Z: We know\n"
    assert edited == f"{silence} active, 2026-11-21 00:00:00Z to 2026-11-23 00:00:00Z: Longer\n"
    heading, row = listed.out.splitlines()
    assert re.split(r"  +", heading) == ["Status", "Starts (UTC)", "Ends (UTC)", "By", "Matchers", "Comment", "Id"]
    assert re.split(r"  +", row)[3:] == ["Ada", f"{GUARDDUTY} severity<=HIGH", "Longer", silence]
    assert listed.err == "1 silence\n"
    assert ended == f"{silence} ended, 2026-11-21 00:00:00Z to 2026-11-21 00:00:01Z: Longer\n"
    assert shown.startswith(f"{ended}  {GUARDDUTY}\n  severity<=HIGH\n")
    rows = [re.split(r"  +", line) for line in shown.partition("History\n")[2].splitlines()[1:]]
    assert [(row[1], row[4]) for row in rows] == [("created", "We know"), ("changed", "Longer"), ("expired", "Mended")]
    assert findstream("silences", "show", silence, "--json").json["status"] == "ended"


def test_a_silence_lasts_as_long_as_is_said(world: DeskWorld, findstream: Findstream) -> None:
    assert world

    assert lasts(add(findstream)) == (0, 4)
    assert lasts(add(findstream, "--for", "30m")) == (0, 0.5)
    assert lasts(add(findstream, "--for", "90s")) == (0, 0.025)
    assert lasts(add(findstream, "--until", "2026-11-22")) == (0, 24)
    assert lasts(add(findstream, "--from", "2026-11-21T02:00:00Z", "--for", "1w")) == (2, 168)


def test_a_relative_time_lies_ahead(world: DeskWorld, findstream: Findstream) -> None:
    assert world

    assert lasts(add(findstream, "--from", "2h", "--for", "1h")) == (2, 1)
    assert lasts(add(findstream, "--from", "2h", "--until", "1d")) == (2, 22)
    assert "2h or 7d (from now)" in findstream("silences", "add", GUARDDUTY, "--comment", "x", "--from", "soon").err


def test_silences_are_listed_by_how_they_stand(world: DeskWorld, findstream: Findstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consumers.cli.silences._PAGE", 2)
    assert world
    ids = [add(findstream, "--for", f"{hours}h")["id"] for hours in range(5, 0, -1)]
    later = add(findstream, "--from", "2026-11-23", "--for", "1h")["id"]

    def listed(*options: str) -> list[str]:
        return [one["id"] for one in findstream("silences", "list", "--json", *options).json["items"]]

    assert listed() == [later, *ids]
    assert listed("--status", "pending") == [later]
    assert listed("--status", "active", "-n", "3") == ids[:3]
    assert findstream("silences", "list", "-n", "3").err == "3 silences; there are more: --limit\n"
    assert listed("--status", "ended") == []


def test_what_a_silence_would_match_is_shown(world: DeskWorld, findstream: Findstream) -> None:
    world.log.append([finding(n, time_us=NOW_US - n * HOUR_US, severity=n) for n in range(4)])
    cause = Cause("17-x", Position("shard-0", 1), 4)
    world.ledger.firing = [Member("alarm/1", cause, NOW_US, {"source": "aws.guardduty"})]

    shown = findstream("silences", "preview", GUARDDUTY, "--hours", "2")

    assert [line.split()[:2] for line in shown.out.splitlines()[1:]] == [
        ["firing", "CRITICAL"],
        ["finding", "UNKNOWN"],
        ["finding", "LOW"],
        ["finding", "MEDIUM"],
    ]
    assert "alarm/1" in shown.out
    assert shown.err == "3 of 3 findings; firing: 1\n"
    assert findstream("silences", "preview", "source=other", "--json").json["matched"] == 0


def test_a_preview_that_did_not_look_at_all_says_so(
    world: DeskWorld, findstream: Findstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.api.silencing._AT_ONCE", 1)
    monkeypatch.setattr("consumers.api.silencing.MOST_LOOKED_AT", 1)
    world.log.append([finding(n) for n in range(2)])

    assert findstream("silences", "preview", GUARDDUTY).err == "1 of 1 finding, the newest of more; firing: 0\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("add", GUARDDUTY, "--comment", "x", "--for", "soon"), "write 90s, 30m, 4h, 2d or 1w"),
        (("add", GUARDDUTY, "--comment", "x", "--for", "1h", "--until", "2026-12-01"), "say --for or --until"),
        (("add", GUARDDUTY), "--comment"),
        (("add", "hue=red", "--comment", "x"), "'hue=red': no such field as 'hue'"),
        (("preview", GUARDDUTY, "hue=red"), "'hue=red': no such field as 'hue'"),
        (("add", "hue=red", "--comment", "x", "--until", "2026-01-01"), "; ends: must lie in the future"),
        (("add", GUARDDUTY, "--comment", "x", "--until", "2026-01-01"), "ends: must lie in the future"),
        (("edit", "none", "--for", "1h"), "silence_id"),
        (("edit", "0199f3a1-0000-7000-8000-000000000001"), "say --for, --until or --comment"),
        (("list", "--status", "gone"), "--status"),
    ],
)
def test_what_is_asked_wrongly_is_wrong_usage(
    world: DeskWorld, findstream: Findstream, arguments: tuple[str, ...], told: str
) -> None:
    assert world
    answer = findstream("silences", *arguments)

    assert answer.code == 2
    assert told in answer.err


def test_what_was_changed_meanwhile_is_refused(world: DeskWorld, findstream: Findstream) -> None:
    assert world
    silence = add(findstream)["id"]
    findstream("silences", "edit", silence, "--comment", "Another word")

    assert findstream("silences", "expire", silence, "--revision", "1").code == 3
    assert findstream("silences", "expire", silence, "--json").json["revision"] == 3


def test_what_has_ended_is_not_changed_and_that_is_said(world: DeskWorld, findstream: Findstream) -> None:
    silence = add(findstream)["id"]
    world.clock.now_us += SECOND_US
    first = findstream("silences", "expire", silence)
    again = findstream("silences", "expire", silence, "--comment", "Mended")
    edited = findstream("silences", "edit", silence, "--for", "1h")

    assert (first.code, first.err) == (0, "")
    assert (again.code, again.out) == (0, first.out)
    assert again.err == "it had ended already, and stays as it was: the comment was not kept\n"
    assert edited.code == 3
    assert "this cannot be changed: the silence has ended; create another" in edited.err


def test_a_user_who_is_no_admin_may_silence(world: DeskWorld, findstream: Findstream) -> None:
    keep(world.url, BOB)

    assert add(findstream)["by"]["name"] == "Bob"
