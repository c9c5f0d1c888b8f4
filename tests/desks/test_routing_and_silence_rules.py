"""The rules of what people decide about notifying."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.desks.desk import Asked
from pipeline.desks.entity import Act
from pipeline.desks.errors import AlreadyThere, CommandRefused, NothingThere, VersionConflict
from pipeline.desks.routing import MOST_BYTES, ROUTING, PublishRouting, Routing, RoutingState
from pipeline.desks.silence import LONGEST_US, ChangeSilence, CreateSilence, ExpireSilence, Silence, SilenceState
from schemas.registry import REGISTRY
from tests.desks.world import ADA, DAY_US, NOW_US, Desks

HOUR_US = DAY_US // 24
BOB = Asked("bob")


@pytest.fixture
def desks(tmp_path: Path) -> Iterator[Desks]:
    with Desks(tmp_path, snapshot_every=3) as desks:
        yield desks


def publish(desks: Desks, text: str = "routes: {}", asked: Asked = ADA, comment: str = "") -> Routing:
    return desks.desk.do(Routing, ROUTING, PublishRouting(text, comment), asked)


def create(desks: Desks, asked: Asked = ADA, **fields: Any) -> Silence:
    given = {"matchers": ("source=aws.guardduty",), "ends_us": NOW_US + HOUR_US, "comment": " We know "}
    return desks.desk.make(Silence, CreateSilence(**{**given, **fields}), asked)


def do(desks: Desks, silence: Silence, command: ChangeSilence | ExpireSilence, asked: Asked = BOB) -> Silence:
    return desks.desk.do(Silence, silence.id, command, asked)


def wrong(caught: "pytest.ExceptionInfo[CommandRefused]") -> list[str]:
    return [fault.field for fault in caught.value.faults]


def test_the_routing_is_published_version_by_version(desks: Desks) -> None:
    publish(desks, comment=" To begin with ")
    second = publish(desks, "routes: {channel: oncall}", Asked("ada", version=1))

    told = [REGISTRY.check(event) for event in desks.told()]

    assert second.state == RoutingState("routes: {channel: oncall}", "", "ada", NOW_US)
    assert [(event.type, event.subject, event.data["version"], event.data["text"], event.data["comment"]) for event in told] == [
        ("routing.published", "routing", 1, "routes: {}", "To begin with"),
        ("routing.published", "routing", 2, "routes: {channel: oncall}", ""),
    ]


def test_publishing_the_routing_that_holds_tells_nothing(desks: Desks) -> None:
    publish(desks)

    assert publish(desks, comment="Again").version == 1
    assert len(desks.told()) == 1


@pytest.mark.parametrize("seen", [0, 2])
def test_a_routing_is_published_against_the_version_that_was_seen(desks: Desks, seen: int) -> None:
    publish(desks)

    with pytest.raises(VersionConflict) as caught:
        publish(desks, "routes: {channel: oncall}", Asked("ada", version=seen))
    assert caught.value.version == 1


def test_the_first_routing_is_published_against_none(desks: Desks) -> None:
    with pytest.raises(VersionConflict) as caught:
        publish(desks, asked=Asked("ada", version=1))
    assert caught.value.version == 0
    assert publish(desks, asked=Asked("ada", version=0)).version == 1


@pytest.mark.parametrize(
    ("text", "comment", "field"),
    [("", "", "text"), ("é" * (MOST_BYTES // 2 + 1), "", "text"), ("routes: {}", "x" * 1001, "comment")],
)
def test_a_routing_that_breaks_a_rule_is_refused(desks: Desks, text: str, comment: str, field: str) -> None:
    with pytest.raises(CommandRefused) as caught:
        publish(desks, text, comment=comment)

    assert wrong(caught) == [field]
    assert desks.told() == []


def test_a_routing_may_have_128_kib(desks: Desks) -> None:
    assert len(publish(desks, "é" * (MOST_BYTES // 2)).expect().text) == 65_536


def test_a_silence_goes_its_whole_way(desks: Desks) -> None:
    made = create(desks)
    desks.clock.now_us += 1
    changed = do(desks, made, ChangeSilence(NOW_US + 2 * HOUR_US, " Longer "))
    desks.clock.now_us += 1
    ended = do(desks, made, ExpireSilence(" Mended "))

    told = [REGISTRY.check(event) for event in desks.told()]

    assert made.state == SilenceState(("source=aws.guardduty",), NOW_US, NOW_US + HOUR_US, "We know", "ada", NOW_US, "ada")
    assert (changed.expect().ends_us, changed.expect().comment, changed.expect().by) == (NOW_US + 2 * HOUR_US, "Longer", "ada")
    assert (ended.expect().ends_us, ended.expect().expired, ended.expect().updated_by) == (NOW_US + 2, True, "bob")
    assert [(event.type, event.data["revision"], event.data["comment"], event.data["by"]) for event in told] == [
        ("silence.created", 1, "We know", "ada"),
        ("silence.changed", 2, "Longer", "bob"),
        ("silence.expired", 3, "Mended", "bob"),
    ]
    assert {(event.subject, event.data["silence_id"]) for event in told} == {(f"silence/{made.id}", str(made.id))}
    assert told[0].data["matchers"] == ["source=aws.guardduty"]


def test_what_is_not_said_of_a_change_stays(desks: Desks) -> None:
    made = create(desks)

    longer = do(desks, made, ChangeSilence(ends_us=NOW_US + 2 * HOUR_US))
    renamed = do(desks, made, ChangeSilence(comment="Another word"))

    assert (longer.expect().ends_us, longer.expect().comment) == (NOW_US + 2 * HOUR_US, "We know")
    assert (renamed.expect().ends_us, renamed.expect().comment) == (NOW_US + 2 * HOUR_US, "Another word")


def test_a_change_that_changes_nothing_tells_nothing(desks: Desks) -> None:
    made = create(desks)

    assert do(desks, made, ChangeSilence(NOW_US + HOUR_US, "We know ")).version == 1
    assert do(desks, made, ChangeSilence()).version == 1
    assert len(desks.told()) == 1


def test_a_silence_begins_now_unless_it_is_to_begin_later(desks: Desks) -> None:
    assert create(desks, starts_us=NOW_US - 5).expect().starts_us == NOW_US
    assert create(desks, starts_us=NOW_US + 5).expect().starts_us == NOW_US + 5


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"ends_us": NOW_US}, "ends_us"),
        ({"starts_us": NOW_US + HOUR_US}, "ends_us"),
        ({"ends_us": NOW_US + LONGEST_US + 1}, "ends_us"),
        ({"starts_us": NOW_US + LONGEST_US + 1, "ends_us": NOW_US + LONGEST_US + 2}, "starts_us"),
        ({"comment": " "}, "comment"),
        ({"comment": "x" * 1001}, "comment"),
        ({"matchers": ()}, "matchers"),
        ({"matchers": ("",)}, "matchers.0"),
        ({"matchers": ("a=b",) * 33}, "matchers"),
    ],
)
def test_a_silence_that_breaks_a_rule_is_refused(desks: Desks, fields: dict[str, Any], field: str) -> None:
    with pytest.raises(CommandRefused) as caught:
        create(desks, **fields)

    assert wrong(caught)[0] == field
    assert desks.told() == []


def test_a_silence_may_last_a_year_from_its_beginning_or_from_a_change_of_one_that_has_begun(desks: Desks) -> None:
    later = create(desks, starts_us=NOW_US + DAY_US, ends_us=NOW_US + DAY_US + LONGEST_US)
    begun = create(desks, ends_us=NOW_US + LONGEST_US)
    desks.clock.now_us += DAY_US // 2

    assert do(desks, begun, ChangeSilence(ends_us=NOW_US + DAY_US // 2 + LONGEST_US)).version == 2
    with pytest.raises(CommandRefused):
        do(desks, begun, ChangeSilence(ends_us=NOW_US + DAY_US // 2 + LONGEST_US + 1))
    with pytest.raises(CommandRefused):
        do(desks, later, ChangeSilence(ends_us=NOW_US + DAY_US + LONGEST_US + 1))


def test_an_end_is_not_moved_before_now_or_before_the_beginning(desks: Desks) -> None:
    begun = create(desks)
    later = create(desks, starts_us=NOW_US + HOUR_US, ends_us=NOW_US + 2 * HOUR_US)

    for silence, ends_us in ((begun, NOW_US), (later, NOW_US + HOUR_US)):
        with pytest.raises(CommandRefused) as caught:
            do(desks, silence, ChangeSilence(ends_us=ends_us))
        assert wrong(caught) == ["ends_us"]


def test_a_silence_that_has_ended_by_itself_is_neither_changed_nor_ended_again(desks: Desks) -> None:
    made = create(desks)
    desks.clock.now_us += HOUR_US

    with pytest.raises(CommandRefused, match="has ended"):
        do(desks, made, ChangeSilence(comment="Longer"))
    assert do(desks, made, ExpireSilence()).version == 1
    assert not do(desks, made, ExpireSilence()).expect().expired


def test_a_silence_that_was_ended_is_not_ended_again(desks: Desks) -> None:
    made = create(desks)
    do(desks, made, ExpireSilence())

    assert do(desks, made, ExpireSilence("Once more")).version == 2
    with pytest.raises(CommandRefused, match="has ended"):
        do(desks, made, ChangeSilence(ends_us=NOW_US + HOUR_US))


def test_what_was_never_created_can_neither_be_changed_nor_ended(desks: Desks) -> None:
    for command in (ChangeSilence(), ExpireSilence()):
        with pytest.raises(NothingThere):
            desks.desk.do(Silence, ROUTING, command, ADA)


def test_a_silence_is_created_once(desks: Desks) -> None:
    made = create(desks)

    with pytest.raises(AlreadyThere):
        made.obey(CreateSilence(("a=b",), NOW_US + HOUR_US, "Again"), Act("ada", NOW_US))


def test_a_silence_is_changed_against_the_revision_that_was_seen(desks: Desks) -> None:
    made = create(desks)
    do(desks, made, ChangeSilence(comment="Another word"), Asked("bob", version=1))

    for command in (ChangeSilence(comment="A third"), ExpireSilence()):
        with pytest.raises(VersionConflict):
            do(desks, made, command, Asked("bob", version=1))


def test_routing_and_silences_are_loaded_from_snapshots(desks: Desks) -> None:
    made = create(desks)
    for number in range(1, 5):
        publish(desks, f"# {number}")
        do(desks, made, ChangeSilence(comment=f"Word {number}"))

    assert desks.desk.load(Routing, ROUTING).expect().text == "# 4"
    assert desks.desk.load(Silence, made.id).expect() == SilenceState(
        ("source=aws.guardduty",), NOW_US, NOW_US + HOUR_US, "Word 4", "ada", NOW_US, "bob"
    )
