"""The parts that judging history is made of, where the whole would not tell."""

from typing import TYPE_CHECKING, cast

import pytest
from pydantic import SecretStr, ValidationError

from consumers.rules.errors import RuleThrew
from consumers.rules.history import asking
from consumers.rules.history.backtest import backtest
from consumers.rules.history.jobs import Which
from consumers.rules.history.judging import Markers
from consumers.rules.history.reprocess import Run
from consumers.rules.history.resolving import Resolving
from consumers.rules.history.routing import with_channels, with_every_channel
from consumers.rules.history.strand import Stretch
from consumers.rules.matching import Document
from pipeline.settings import Settings
from projections.guard import WINDOW_DAYS
from projections.stores.port import Marker
from tests.rules.history.fakes import Words, minute, plain_judge, rule, said
from tests.rules.history.test_history_backtest import DAY, of
from tests.rules.history.test_history_reprocess import bodies, run
from tests.support.facts import DAY_US
from tests.support.memory_log import MemoryLog

if TYPE_CHECKING:
    from projections.decided import Decided


class Speechless(Words):
    """A rule whose title fails."""

    def title(self, document: Document) -> str:
        raise RuleThrew(str(document))


def test_an_alert_whose_words_fail_is_called_by_its_rule() -> None:
    compiled = Speechless(rule("speechless").version)

    (result,) = backtest(of(said(1, minute(1))), [compiled], DAY, make_judge=plain_judge, timer_ns=lambda: 0).rules

    assert [alert.title for alert in result.raised] == ["speechless"]


def test_ids_are_kept_for_as_long_as_they_make_repeats() -> None:
    markers = Markers()
    markers.keep([Marker(5, 1, b"old")], 1)
    markers.keep([Marker(5, 40, b"new"), Marker(6, 40, b"other")], 40)

    assert [marker.ids for marker in markers.markers({5}, 40 - WINDOW_DAYS)] == [b"new"]
    assert {marker.ids for marker in markers.markers({5, 6}, 0)} == {b"old", b"new", b"other"}
    markers.keep([], 1 + 2 * WINDOW_DAYS + 1)
    assert {marker.ids for marker in markers.markers({5}, 0)} == {b"new"}


def test_a_finding_that_is_told_again_after_thirty_days_counts_again() -> None:
    log = MemoryLog()
    finding = said(1, minute(1))
    log.put(finding, recorded_us=minute(2))
    log.put(finding, recorded_us=minute(2) + 30 * DAY_US)
    log.put(finding, recorded_us=minute(2) + 62 * DAY_US)

    assert backtest(log, [rule()], DAY, make_judge=plain_judge, timer_ns=lambda: 0).findings == 2


def test_an_alert_is_over_if_a_resolver_came_behind_it_in_whichever_order_they_are_told() -> None:
    resolving = Resolving()

    assert resolving.resolver(("a",), 10, "r10") == []
    assert resolving.alert(("a",), 9, "first") == (10, "r10")
    assert resolving.alert(("a",), 10, "second") is None
    assert resolving.alert(("b",), 1, "other") is None
    assert resolving.resolver(("a",), 11, "r11") == ["second"]
    assert resolving.resolver(("a",), 5, "r5") == []
    assert resolving.count == 2


def test_an_alert_that_was_over_before_its_run_came_to_it_is_resolved_at_once() -> None:
    log = MemoryLog(shards=2)
    shards = [shard.id for shard in log.shards()]
    log.put(said(2, minute(2), word="good"), shard=shards[0], recorded_us=minute(2))
    log.put(said(1, minute(1)), shard=shards[1], recorded_us=minute(3))

    assert run(log, rule(resolve={}, group_by=("group",))).resolved == 1
    assert len(bodies(log, "alert.resolved")) == 1


def test_a_run_began_when_its_id_was_drawn() -> None:
    assert Run("018f3000-0000-7000-8000-000000000001", DAY).began_us == 0x018F30000000 * 1000


def test_a_stretch_is_the_last_fortnight_unless_it_is_said_otherwise() -> None:
    assert asking.stretch(None, None, now_us=20 * DAY_US) == Stretch(6 * DAY_US, 20 * DAY_US)
    assert asking.stretch(None, DAY_US, now_us=20 * DAY_US) == Stretch(0, DAY_US)
    assert asking.stretch(1, 2, now_us=0, count_late=True) == Stretch(1, 2, count_late=True)


@pytest.mark.parametrize("given", [{}, {"text": "id: x", "rule_id": "storm"}])
def test_a_job_names_a_rule_in_one_way(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="give the rule's text, or a rule_id"):
        Which(**given)


class Nothing:
    """Nobody ever published a routing."""

    def routing(self) -> None:
        return None


def test_who_is_not_to_know_addresses_takes_each_channel_for_connected() -> None:
    assert with_every_channel(cast("Decided", Nothing())).connected == {"default"}


def test_channels_without_an_address_are_not_connected() -> None:
    settings = Settings(slack_webhook=SecretStr("https://127.0.0.1/hook"))

    assert with_channels(cast("Decided", Nothing()), settings, {}).connected == {"default"}
    assert with_channels(cast("Decided", Nothing()), Settings(), {}).connected == set()
