"""Law 6: whatever is done again over history, nobody is told again. A Slack on loopback counts the requests."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import SecretStr

from consumers.notifier.channels.slack import SlackChannel
from consumers.rules.history.backtest import Routing, backtest
from consumers.rules.history.reprocess import Run, reprocess
from consumers.rules.history.strand import Stretch
from pipeline.log.sqlite import SqliteLog
from projections.projector import ALL
from projections.rebuild import Rebuilder
from tests.notifier.fake_slack import FakeSlack
from tests.notifier.slack_rules import CONSOLE
from tests.notifier.world import UNHURRIED, World, at_once, drain, routing, world
from tests.rules.history.fakes import minute, plain_judge, rule, said
from tests.support.spine import Spine

DAY = Stretch(0, minute(24 * 60))
RUN = "018f3000-0000-7000-8000-000000000001"


@pytest.fixture
def slack() -> Iterator[FakeSlack]:
    with FakeSlack() as server:
        yield server


@pytest.fixture
def here(tmp_path: Path, slack: FakeSlack) -> Iterator[World]:
    """A notifier over a durable log that holds findings, all told of."""
    channel = SlackChannel(SecretStr(slack.url("ops")), CONSOLE, pace=UNHURRIED)
    with (
        closing(SqliteLog(tmp_path / "log.db", shards=2, clock=lambda: minute(60))) as log,
        world(tmp_path, channels={"ops": channel}) as made,
    ):
        made.log = log  # type: ignore[assignment]  # another log
        notifier = made.start()
        log.append([said(number, minute(number)) for number in range(20)])
        drain(notifier)
        assert len(slack.posts) == 20
        slack.posts.clear()
        yield made


def test_a_rebuild_tells_nobody(here: World, slack: FakeSlack, tmp_path: Path) -> None:
    notifier = here.start()
    with Spine(tmp_path / "rows", here.log) as spine:
        while spine.projector.step():
            pass
        for projection in ALL:
            Rebuilder(here.log, spine.store, "replay").rebuild(projection)
    drain(notifier)

    assert slack.posts == []


def test_a_backtest_tells_nobody(here: World, slack: FakeSlack) -> None:
    notifier = here.start()
    tree = routing(at_once())

    found = backtest(
        here.log, [rule()], DAY, make_judge=plain_judge, timer_ns=lambda: 0, routing=Routing(tree, frozenset({"ops"}))
    )
    drain(notifier)

    assert found.alerts == found.notices["ops"] == 20
    assert slack.posts == []


@pytest.mark.parametrize(("notify", "told"), [(False, 0), (True, 20)])
def test_a_reprocessing_tells_nobody_unless_it_is_asked_to(here: World, slack: FakeSlack, notify: bool, told: int) -> None:  # noqa: FBT001
    notifier = here.start()

    reprocess(here.log, rule(), Run(RUN, DAY, "u1", notify=notify), make_judge=plain_judge)
    drain(notifier)

    assert len(slack.posts) == told


def test_reading_the_whole_log_again_tells_nobody(here: World, slack: FakeSlack) -> None:
    with here.ledger._file.writing() as db:
        db.execute("DELETE FROM marks")

    drain(here.start())

    assert slack.posts == []
