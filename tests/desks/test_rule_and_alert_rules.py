"""The rules of what people do to rules and to alerts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from pipeline.desks.alert import Alert, AlertState, MoveAlert
from pipeline.desks.desk import Asked
from pipeline.desks.errors import AlreadyThere, CommandRefused, KeyReused, NothingThere, VersionConflict
from pipeline.desks.rule import LEAD_US, PublishRule, RetireRule, Rule, rule_uuid
from schemas.registry import REGISTRY
from tests.desks.world import ADA, Desks

ALERT = UUID("018f3000-0000-8000-8000-000000000001")


@pytest.fixture
def desks(tmp_path: Path) -> Iterator[Desks]:
    with Desks(tmp_path, snapshot_every=3) as desks:
        yield desks


def publish(desks: Desks, text: str = "id: storm", asked: Asked = ADA, **fields: Any) -> Rule:
    command = PublishRule(**{"rule_id": "storm", "title": "A storm", "severity": 3, "text": text, **fields})
    return desks.desk.do(Rule, rule_uuid(command.rule_id), command, asked)


def retire(desks: Desks, asked: Asked = ADA) -> Rule:
    return desks.desk.do(Rule, rule_uuid("storm"), RetireRule(" Too loud "), asked)


def move(desks: Desks, status: str, asked: Asked = ADA, **fields: Any) -> Alert:
    return desks.desk.do(Alert, ALERT, MoveAlert(status, **fields), asked)


def test_a_rule_is_published_changed_retired_and_published_again(desks: Desks) -> None:
    publish(desks, comment=" First ")
    publish(desks, "id: storm # 2", change=True, title="A gale", severity=4)
    gone = retire(desks)
    again = publish(desks, "id: storm # 3")

    told = [REGISTRY.check(event) for event in desks.told()]

    assert gone.expect().retired
    assert (again.expect().number, again.expect().retired, again.version) == (3, False, 4)
    assert [(event.type, event.data.get("version"), event.data["revision"], event.data["comment"]) for event in told] == [
        ("rule.published", 1, 1, "First"),
        ("rule.published", 2, 2, ""),
        ("rule.retired", None, 3, "Too loud"),
        ("rule.published", 3, 4, ""),
    ]
    assert {(event.subject, event.data["rule_id"], event.data["by"]) for event in told} == {("rule/storm", "storm", "ada")}
    assert (told[1].data["text"], told[1].data["title"], told[1].data["severity"]) == ("id: storm # 2", "A gale", 4)


def test_what_ends_a_version_takes_force_after_all_who_judge_have_heard_of_it(desks: Desks) -> None:
    publish(desks)
    publish(desks, "id: storm # 2", change=True)
    retire(desks)
    publish(desks, "id: storm # 3")

    first, second, retired, third = desks.told()

    assert first.data["since_us"] == first.time_us
    assert second.data["since_us"] == second.time_us + LEAD_US
    assert retired.data["until_us"] == retired.time_us + LEAD_US
    assert third.data["since_us"] == max(third.time_us, retired.data["until_us"])


def test_a_rule_in_force_cannot_be_published_as_a_new_one(desks: Desks) -> None:
    publish(desks)

    with pytest.raises(AlreadyThere) as caught:
        publish(desks, "id: storm # 2")
    assert caught.value.version == 1


def test_what_is_not_in_force_can_neither_be_changed_nor_retired(desks: Desks) -> None:
    for retired in (False, True):
        if retired:
            publish(desks)
            retire(desks)
        with pytest.raises(NothingThere):
            publish(desks, "id: storm # 2", change=True)
        with pytest.raises(NothingThere):
            retire(desks)


def test_publishing_what_is_in_force_tells_nothing_unless_it_was_switched_off(desks: Desks) -> None:
    publish(desks)

    assert publish(desks, change=True).version == 1
    assert publish(desks, change=True, off=True).expect().number == 2
    assert len(desks.told()) == 2


def test_a_rule_is_changed_against_the_revision_that_was_seen(desks: Desks) -> None:
    publish(desks)
    publish(desks, "id: storm # 2", Asked("ada", version=1), change=True)

    with pytest.raises(VersionConflict):
        publish(desks, "id: storm # 3", Asked("ada", version=1), change=True)
    with pytest.raises(VersionConflict):
        retire(desks, Asked("ada", version=1))


def test_the_same_publication_sent_again_is_one_whatever_became_of_the_rule_meanwhile(desks: Desks) -> None:
    asked = Asked("ada", key="k1")
    publish(desks)
    once = publish(desks, "id: storm # 2", asked, change=True, off=False)
    again = publish(desks, "id: storm # 2", asked, change=True, off=True)

    assert (once.version, again.version, len(desks.told())) == (2, 2, 2)
    with pytest.raises(KeyReused):
        publish(desks, "id: storm # 3", asked, change=True)


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"rule_id": "Storm!"}, "rule_id"),
        ({"title": "x"}, "title"),
        ({"severity": 5}, "severity"),
        ({"text": ""}, "text"),
        ({"text": "é" * 32_769}, "text"),
        ({"comment": "x" * 1001}, "comment"),
    ],
)
def test_a_publication_that_breaks_a_rule_is_refused(desks: Desks, fields: dict[str, Any], wrong: str) -> None:
    with pytest.raises(CommandRefused) as caught:
        publish(desks, **fields)

    assert [fault.field for fault in caught.value.faults] == [wrong]
    assert desks.told() == []


def test_a_text_may_have_64_kib(desks: Desks) -> None:
    assert len(publish(desks, "é" * 32_768).expect().text) == 32_768


def test_a_rule_has_a_thousand_versions_at_most(desks: Desks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.desks.rule.MOST_VERSIONS", 2)
    publish(desks)
    publish(desks, "id: storm # 2", change=True)

    with pytest.raises(CommandRefused, match="another id"):
        publish(desks, "id: storm # 3", change=True)


def test_an_alert_is_acknowledged_resolved_and_reopened(desks: Desks) -> None:
    move(desks, "acknowledged", cause="1-raised")
    move(desks, "resolved", comment=" Done ", standing="acknowledged", seen=1)
    last = move(desks, "open", standing="resolved", seen=2)
    move(desks, "acknowledged", standing="open", seen=3)

    told = [REGISTRY.check(event) for event in desks.told()]

    assert last.state == AlertState("open", "ada", desks.clock.now_us)
    assert [(event.type, event.data["revision"], event.data["comment"]) for event in told] == [
        ("alert.acknowledged", 1, ""),
        ("alert.resolved", 2, "Done"),
        ("alert.reopened", 3, ""),
        ("alert.acknowledged", 4, ""),
    ]
    assert {(event.subject, event.data["alert_id"]) for event in told} == {(f"alert/{ALERT}", str(ALERT))}
    assert told[0].causation_id == "1-raised"


def test_what_an_alert_is_already_tells_nothing(desks: Desks) -> None:
    untouched = move(desks, "open", Asked("ada", key="k1"))
    move(desks, "resolved", standing="resolved")

    assert (untouched.version, move(desks, "open", Asked("ada", key="k1")).version, desks.told()) == (0, 0, [])


@pytest.mark.parametrize(
    ("status", "standing"),
    [("acknowledged", "resolved"), ("acknowledged", "withdrawn"), ("resolved", "withdrawn"), ("withdrawn", "open")],
)
def test_a_step_that_an_alert_cannot_take_is_refused(desks: Desks, status: str, standing: str) -> None:
    with pytest.raises(CommandRefused) as caught:
        move(desks, status, standing=standing)

    assert [fault.field for fault in caught.value.faults] == ["status"]


def test_a_withdrawn_alert_can_be_reopened(desks: Desks) -> None:
    assert move(desks, "open", standing="withdrawn").version == 1


def test_what_people_did_since_the_sender_looked_counts_more_than_what_was_seen(desks: Desks) -> None:
    move(desks, "resolved")

    assert move(desks, "resolved", standing="open", seen=0).version == 1
    with pytest.raises(CommandRefused):
        move(desks, "acknowledged", standing="open", seen=0)
    assert move(desks, "acknowledged", standing="open", seen=1).version == 2


def test_the_same_step_sent_again_is_one_whatever_is_seen_by_then(desks: Desks) -> None:
    asked = Asked("ada", key="k1")
    once = move(desks, "resolved", asked)
    again = move(desks, "resolved", asked, standing="resolved", seen=1)

    assert (once.version, again.version, len(desks.told())) == (1, 1, 1)


def test_rules_and_alerts_are_loaded_from_snapshots(desks: Desks) -> None:
    for number in range(1, 8):
        publish(desks, f"id: storm # {number}", change=number > 1)
        move(desks, "resolved" if number % 2 else "open", standing="open" if number % 2 else "resolved", seen=number - 1)

    assert desks.desk.load(Rule, rule_uuid("storm")).expect().number == 7
    assert desks.desk.load(Alert, ALERT).expect().status == "resolved"
