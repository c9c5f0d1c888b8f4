"""Rules over history from the command line, straight on a log with made-up findings."""

import signal
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from consumers.cli import rules_history
from consumers.cli.kept_tokens import Kept, KeptTokens
from consumers.composition import now_us, open_catalog, open_log, open_people
from consumers.rules.history.errors import Cancelled
from consumers.rules.history.lockstep import Watch
from consumers.sample.story import STORM_ADDRESS, storm
from pipeline.settings import Settings
from projections.alert_pages import AlertQuery
from tests.cli.shell import Findstream
from tests.people.stores import PASSWORD, admin
from tests.support.facts import rule

Fold = Callable[[], None]

EVERY = """
id: password-spray
title: "{{ detail.sourceIPAddress }} tries passwords"
severity: high
match:
  source: [aws.signin]
  detail: {responseElements: {ConsoleLogin: [Failure]}}
"""
MANY = EVERY + "group_by: [detail.sourceIPAddress]\nthreshold: {count: 10, distinct: account, window: 1h}\n"
LAST_WEEK = ("--since", "7d", "--json")


@pytest.fixture
def stormy(findstream: Findstream, tmp_path: Path) -> Path:
    """A log that holds the storm; returns a folder."""
    file = tmp_path / "storm.ndjson"
    file.write_bytes(b"\n".join(item.payload for item in storm(now_us())))
    assert findstream("ingest", str(file), "--json").json["accepted"] == 96
    return tmp_path


def written(folder: Path, text: str, name: str = "rule.yaml") -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def publish(fold: Fold, *texts: str) -> None:
    """Versions of the rule, in force since the epoch, a minute each; the last one for ever."""
    with open_log(Settings.load()) as log:
        for number, text in enumerate(texts, 1):
            numbers = {"version": number, "revision": number}
            log.append([rule("published", number * 60_000_000, "password-spray", text=text, **numbers)])
    fold()


def test_a_rule_in_a_file_is_backtested(findstream: Findstream, stormy: Path) -> None:
    found = findstream("rules", "backtest", written(stormy, EVERY), *LAST_WEEK).json

    assert (found["findings"], found["alerts"], found["complete"]) == (96, 96, True)
    assert found["rules"][0]["raised"][0]["title"] == f"{STORM_ADDRESS} tries passwords"


def test_a_backtest_is_shown_to_people(findstream: Findstream, stormy: Path) -> None:
    answer = findstream("rules", "backtest", written(stormy, EVERY), "--since", "7d")

    assert "96 findings matched, 96 alerts" in answer.out
    assert "█" in answer.out
    assert f"{STORM_ADDRESS} tries passwords" in answer.out
    assert "96 events read" in answer.err


def test_what_was_brought_in_later_counts_if_that_is_asked(findstream: Findstream, stormy: Path) -> None:
    file = written(stormy, MANY)

    live = findstream("rules", "backtest", file, "--since", "7d")
    late = findstream("rules", "backtest", file, *LAST_WEEK, "--count-late")

    assert "96 findings came too late to count" in live.err
    assert late.json["alerts"] >= 1


def test_all_rules_in_force_are_backtested(findstream: Findstream, stormy: Path, fold: Fold) -> None:
    assert stormy
    nothing = findstream("rules", "backtest", "--published")
    publish(fold, MANY, EVERY)

    found = findstream("rules", "backtest", "--published", *LAST_WEEK).json

    assert "no rule is in force" in nothing.err
    assert [(result["rule_id"], result["version"], result["matched"]) for result in found["rules"]] == [("password-spray", 2, 96)]


def test_faults_of_a_rule_are_told(findstream: Findstream, stormy: Path) -> None:
    answer = findstream("rules", "backtest", written(stormy, EVERY + "where: detail.nothing.there == 1\n"), "--since", "7d")

    assert "password-spray threw on 96 findings" in answer.err


def test_versions_are_compared(findstream: Findstream, stormy: Path, fold: Fold) -> None:
    publish(fold, EVERY, MANY)

    found = findstream("rules", "diff", "password-spray@1", "password-spray@2", *LAST_WEEK, "--count-late").json
    shown = findstream("rules", "diff", "password-spray@1", written(stormy, MANY), "--since", "7d")

    assert (found["matched"], found["added"]["matched"], found["removed"]["alerts"]) == (96, 0, 96)
    assert (found["former"], found["new"]) == (1, 2)
    assert "96 findings and 0 alerts in common" in shown.out
    assert "Alerts removed" in shown.out


def test_history_is_judged_again_once(findstream: Findstream, stormy: Path, fold: Fold) -> None:
    assert stormy
    publish(fold, EVERY)

    first = findstream("rules", "reprocess", "password-spray", "--since", "7d")
    again = findstream("rules", "reprocess", "password-spray", *LAST_WEEK).json

    assert "96 alerts raised, 0 withdrawn, 0 reinstated, 0 stood already" in first.out
    assert (again["raised"], again["standing"]) == (0, 96)


def test_a_run_is_taken_up_by_its_id(findstream: Findstream, stormy: Path, fold: Fold) -> None:
    assert stormy
    publish(fold, EVERY)
    first = findstream("rules", "reprocess", "password-spray", *LAST_WEEK).json

    again = findstream("rules", "reprocess", "password-spray", "--run", first["run_id"], *LAST_WEEK).json

    assert (again["run_id"], again["raised"]) == (first["run_id"], 96)


def test_a_run_that_was_asked_something_else_is_not_taken_up(findstream: Findstream, stormy: Path, fold: Fold) -> None:
    assert stormy
    publish(fold, EVERY)
    first = findstream("rules", "reprocess", "password-spray", *LAST_WEEK).json
    fold()

    other = findstream("rules", "reprocess", "password-spray", "--run", first["run_id"], "--since", "2d")

    assert other.code == 3
    assert f"run {first['run_id']} was one of password-spray, from " in other.err


def told_on_the_log() -> int:
    with open_log(Settings.load()) as log:
        return log.behind({})


def test_a_dry_run_tells_what_it_would_do_and_writes_nothing(findstream: Findstream, stormy: Path, fold: Fold) -> None:
    assert stormy
    publish(fold, EVERY, EVERY.replace("Failure", "Success"))
    before = told_on_the_log()

    first = findstream("rules", "reprocess", "password-spray", "--version", "1", "--since", "7d", "--dry-run")
    assert "96 alerts would be raised, 0 would be withdrawn" in first.out
    assert "Would be raised\n" in first.out
    assert f"{STORM_ADDRESS} tries passwords" in first.out
    assert first.err.endswith("nothing was written\n")
    assert told_on_the_log() == before

    findstream("rules", "reprocess", "password-spray", "--version", "1", "--since", "7d")
    then = findstream("rules", "reprocess", "password-spray", *LAST_WEEK, "--dry-run").json
    assert (then["raised"], then["withdrawn"], then["dry_run"]) == (0, 96, True)


def test_a_run_names_who_is_signed_in(
    findstream: Findstream, stormy: Path, fold: Fold, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert stormy
    publish(fold, EVERY)
    settings, ada = Settings.load(), admin()
    kept = KeptTokens(settings.server_url, tmp_path)
    monkeypatch.setattr("consumers.cli.runs.KeptTokens", lambda server: KeptTokens(server, tmp_path))
    nobody = findstream("rules", "reprocess", "password-spray", "--since", "7d")
    with open_people(settings) as people:
        people.users.add(ada, PASSWORD)
    kept.write(Kept(settings.server_url, ada.email, "access", "refresh", 0))

    findstream("rules", "reprocess", "password-spray", "--since", "7d")

    with open_log(settings) as log:
        batches = [log.read(shard.id, None, 10_000) for shard in log.shards()]
        told = [
            orjson.loads(body)["by"]
            for batch in batches
            for kind, body in zip(batch.columns.type, batch.bodies, strict=True)
            if kind == "rule.reprocessed"
        ]
    assert sorted(told) == ["", ada.id]
    assert "nobody is signed in here" in nobody.err


def interrupted_run(findstream: Findstream, fold: Fold, monkeypatch: pytest.MonkeyPatch) -> str:
    """A run that raised all and did not come to its end; returns its id."""

    def end(_: object) -> None:
        raise Cancelled

    with monkeypatch.context() as patch:
        patch.setattr("consumers.rules.history.reprocess._Raising.withdraw", end)
        patch.setattr("consumers.rules.history.telling._AT_ONCE", 1)
        answer = findstream("rules", "reprocess", "password-spray", "--since", "7d")
    assert answer.code == 130
    fold()
    with open_log(Settings.load()) as log, open_catalog(Settings.load(), log) as catalog:
        return catalog.alerts(AlertQuery()).alerts[0].run_id


def test_an_unfinished_run_is_taken_up_for_the_same_only(
    findstream: Findstream, stormy: Path, fold: Fold, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert stormy
    publish(fold, EVERY)
    run = interrupted_run(findstream, fold, monkeypatch)

    other = findstream("rules", "reprocess", "password-spray", "--run", run, "--since", "1d")
    same = findstream("rules", "reprocess", "password-spray", "--run", run, *LAST_WEEK)

    assert other.code == 3
    assert f"run {run} raised an alert of password-spray at " in other.err
    assert (same.code, same.json["raised"]) == (0, 96)


def test_a_run_of_which_nothing_is_known_begins(findstream: Findstream, stormy: Path, fold: Fold) -> None:
    assert stormy
    publish(fold, EVERY)

    answer = findstream("rules", "reprocess", "password-spray", "--run", "018f3000-0000-7000-8000-000000000001")

    assert answer.code == 0
    assert "nothing is known of run 018f3000-0000-7000-8000-000000000001 so far: it begins now" in answer.err


def test_a_verification_says_whether_live_was_right(findstream: Findstream, stormy: Path, fold: Fold) -> None:
    assert stormy
    publish(fold, EVERY)

    before = findstream("rules", "verify", "password-spray")
    findstream("rules", "reprocess", "password-spray", "--since", "7d")
    after = findstream("rules", "verify", "password-spray", "--json")

    assert (before.code, "THEY DIFFER" in before.out, "Missing" in before.out) == (3, True, True)
    assert (after.code, after.json["equal"], after.json["rules"][0]["expected"]) == (0, True, 96)
    assert findstream("rules", "verify").out == findstream("rules", "verify", "password-spray").out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("backtest",), (2, "name files or published rules")),
        (("backtest", "nowhere"), (3, "no rule nowhere was ever published")),
        (("backtest", "nowhere@x"), (2, "nowhere@2")),
        (("backtest", "password-spray@7"), (3, "no version 7")),
        (("backtest", "password-spray", "--since", "1h", "--until", "2h"), (2, "later than --since")),
        (("reprocess", "password-spray", "--run", "x"), (2, "is no run")),
        (("reprocess", "password-spray", "--run", "00000000-0000-4000-8000-000000000000"), (2, "is no run")),
        (("reprocess", "password-spray", "--run", "fff00000-0000-7000-8000-000000000000"), (2, "begun in the future")),
        (("backtest", "password-spray", "--since", "2200-01-01"), (2, "lies ahead: nothing has happened since")),
        (("diff", "password-spray", "password-spray", "--since", "2200-01-01"), (2, "lies ahead")),
        (("reprocess", "password-spray", "--since", "2200-01-01"), (2, "lies ahead")),
        (("verify", "nowhere"), (3, "no rule nowhere was ever published")),
    ],
)
def test_what_cannot_be_done_is_told(
    findstream: Findstream, stormy: Path, fold: Fold, arguments: tuple[str, ...], told: tuple[int, str]
) -> None:
    assert stormy
    publish(fold, EVERY)

    answer = findstream("rules", *arguments)

    assert (answer.code, told[1] in " ".join(answer.err.split())) == (told[0], True), answer.err


def test_a_file_may_hold_several_rules(findstream: Findstream, stormy: Path) -> None:
    both = written(stormy, f"{EVERY}\n---\n{EVERY.replace('id: password-spray', 'id: another-spray')}")

    told = findstream("rules", "backtest", both, *LAST_WEEK).json

    assert [rule["rule_id"] for rule in told["rules"]] == ["password-spray", "another-spray"]
    assert findstream("rules", "diff", both, both).code == 2


@pytest.mark.parametrize("command", ["backtest", "lint", "test"])
def test_a_file_that_is_not_there_is_a_wrong_argument(findstream: Findstream, stormy: Path, command: str) -> None:
    answer = findstream("rules", command, str(stormy / "nowhere.yaml"))

    assert (answer.code, "there is no file" in answer.err) == (2, True)


def test_a_file_that_is_no_rule_is_refused_with_its_flaws(findstream: Findstream, stormy: Path) -> None:
    answer = findstream("rules", "backtest", written(stormy, "id: x\n"))

    assert answer.code == 3
    assert "title: is missing" in answer.err


@pytest.mark.parametrize("command", ["backtest", "diff", "reprocess", "verify"])
def test_ctrl_c_ends_it_cleanly(
    findstream: Findstream, stormy: Path, fold: Fold, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    assert stormy

    def interrupted(*_: object, watch: Watch, **__: object) -> None:
        signal.raise_signal(signal.SIGINT)
        assert watch.cancelled()
        raise Cancelled

    monkeypatch.setattr(rules_history, command, interrupted)
    publish(fold, EVERY)
    rules = ["password-spray", "password-spray"] if command == "diff" else ["password-spray"]

    answer = findstream("rules", command, *rules)

    assert (answer.code, answer.out) == (130, "")
    assert ("--run" in answer.err) is (command == "reprocess")
