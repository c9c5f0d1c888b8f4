from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from projections.catalog import Catalog
from projections.rules import KnownRule, Rules, RuleVersion
from schemas.envelope import MAX_TIME_US, Envelope
from tests.support.facts import MORNING_US, rule
from tests.support.memory_log import MemoryLog
from tests.support.spine import Spine

FIRST = rule("published", MORNING_US, comment="To begin with")
SECOND = rule("published", MORNING_US + 10, version=2, revision=2, title="A gale", severity=4, text="id: storm # 2", by="u2")


@contextmanager
def folded(folder: Path, events: Sequence[Envelope]) -> Iterator[Catalog]:
    log = MemoryLog(shards=2)
    log.append(events)
    with Spine(folder, log, projections=[Rules()], batch_events=2) as spine:
        spine.fold()
        assert [parked.error for parked in spine.catalog.parked("rules")] == []
        yield spine.catalog


def only(folder: Path, *events: Envelope) -> KnownRule:
    with folded(folder, events) as catalog:
        (told,) = catalog.rules()
        return told


def validity(told: KnownRule) -> list[tuple[int, int, int, str]]:
    return [(v.number, v.since_us - MORNING_US, v.until_us - MORNING_US, v.ended) for v in told.versions]


FOR_EVER = MAX_TIME_US - MORNING_US


def test_a_published_rule_is_in_force_from_then_on(tmp_path: Path) -> None:
    expected = RuleVersion("storm", 1, "A storm", 3, "u1", FIRST.id, MORNING_US)

    assert only(tmp_path, FIRST) == KnownRule("storm", "in_force", 1, MORNING_US, (expected,))


def test_a_version_ends_when_the_next_one_is_published(tmp_path: Path) -> None:
    told = only(tmp_path, FIRST, SECOND)

    assert validity(told) == [(1, 0, 10, "replaced"), (2, 10, FOR_EVER, "")]
    assert (told.status, told.revision, told.newest.title, told.newest.severity, told.newest.by) == (
        "in_force", 2, "A gale", 4, "u2",
    )  # fmt: skip


def test_a_retired_rule_is_in_force_no_more_until_it_is_published_again(tmp_path: Path) -> None:
    retired = rule("retired", MORNING_US + 5)
    again = rule("published", MORNING_US + 9, version=2, revision=3)

    gone, back = only(tmp_path / "1", FIRST, retired), only(tmp_path / "2", FIRST, retired, again)

    assert (gone.status, gone.revision, validity(gone)) == ("retired", 2, [(1, 0, 5, "retired")])
    assert (back.status, back.revision) == ("in_force", 3)
    assert validity(back) == [(1, 0, 5, "retired"), (2, 9, FOR_EVER, "")]


def test_a_version_that_was_switched_off_ends_then_and_says_why(tmp_path: Path) -> None:
    off = rule("switched_off", MORNING_US + 5, reason="too_slow", detail="70 ms", event_id="1-x")

    told = only(tmp_path, FIRST, off)

    assert (told.status, told.revision, validity(told)) == ("switched_off", 1, [(1, 0, 5, "switched_off")])
    assert (told.newest.reason, told.newest.detail, told.newest.cause) == ("too_slow", "70 ms", "1-x")


def test_a_rule_that_was_switched_off_is_back_with_its_next_version(tmp_path: Path) -> None:
    told = only(tmp_path, FIRST, rule("switched_off", MORNING_US + 5), SECOND)

    assert (told.status, validity(told)) == ("in_force", [(1, 0, 5, "switched_off"), (2, 10, FOR_EVER, "")])


def test_a_rule_that_was_switched_off_and_retired_is_retired(tmp_path: Path) -> None:
    told = only(tmp_path, FIRST, rule("switched_off", MORNING_US + 5), rule("retired", MORNING_US + 6))

    assert (told.status, validity(told)) == ("retired", [(1, 0, 5, "switched_off")])


def test_a_version_ends_at_the_first_of_two_ends_whichever_is_told_first(tmp_path: Path) -> None:
    early, late = (rule("switched_off", MORNING_US + at) for at in (5, 15))

    assert validity(only(tmp_path / "1", FIRST, SECOND, early))[0] == (1, 0, 5, "switched_off")
    assert validity(only(tmp_path / "2", FIRST, SECOND, late))[0] == (1, 0, 10, "replaced")
    assert only(tmp_path / "3", FIRST, SECOND, early).status == "in_force"


def test_runs_over_history_are_told_the_last_ones_only(tmp_path: Path) -> None:
    told = only(tmp_path, FIRST, *(rule("reprocessed", MORNING_US + n, judged=n) for n in range(1, 31)))

    assert [run.judged for run in told.runs] == list(range(11, 31))
    assert (told.runs[-1].raised, told.runs[-1].standing, told.runs[-1].withdrawn) == (1, 2, 3)
    assert (told.runs[-1].time_us, told.updated_us) == (MORNING_US + 30, MORNING_US + 30)


def test_rules_come_by_id_and_one_is_found_by_it(tmp_path: Path) -> None:
    with folded(tmp_path, [rule("published", MORNING_US, name) for name in ("zeta", "alpha", "mid")]) as catalog:
        assert [told.id for told in catalog.rules()] == ["alpha", "mid", "zeta"]
        assert [told.id if told else None for told in (catalog.rule("mid"), catalog.rule("none"))] == ["mid", None]


def test_a_version_is_read_with_its_text(tmp_path: Path) -> None:
    with folded(tmp_path, [FIRST, SECOND]) as catalog:
        first = catalog.rule_version("storm", 1)

        assert first is not None
        assert (first.text, first.comment, first.ended) == ("id: storm", "To begin with", "replaced")
        assert (catalog.rule_version("storm", 3), catalog.rule_version("none", 1)) == (None, None)


def test_all_versions_are_read_with_the_texts_that_are_not_known_yet(tmp_path: Path) -> None:
    with folded(tmp_path, [FIRST, SECOND, rule("published", MORNING_US, "alpha", text="id: alpha")]) as catalog:
        every = catalog.rule_versions()
        others = catalog.rule_versions(but={("storm", 1), ("alpha", 1)})

    assert [(v.rule_id, v.number, v.text) for v in every] == [
        ("alpha", 1, "id: alpha"),
        ("storm", 1, "id: storm"),
        ("storm", 2, "id: storm # 2"),
    ]
    assert [v.text for v in others] == ["", "", "id: storm # 2"]
    assert [v.until_us for v in others] == [v.until_us for v in every]


def test_an_event_of_a_rule_that_was_never_published_waits(tmp_path: Path) -> None:
    log = MemoryLog(shards=1)
    log.append(
        [
            rule("retired", MORNING_US),
            rule("published", MORNING_US, "other"),
            rule("switched_off", MORNING_US, "other", version=2),
        ]
    )
    with Spine(tmp_path, log, projections=[Rules()]) as spine:
        spine.fold()

        assert [told.id for told in spine.catalog.rules()] == ["other"]
        assert [parked.key for parked in spine.catalog.parked("rules")] == ["rule/storm", "rule/other"]
