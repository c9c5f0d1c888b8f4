"""What stands on the log behind news of a rule is judged by a book that knows them."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from consumers.rules.engine.errors import BookBehind
from consumers.rules.engine.news import PATIENCE_US
from schemas.envelope import Envelope
from tests.engine.judging_world import MINUTE_US, World, rule, seen
from tests.support.facts import MORNING_US, fact


def news(kind: str, at: int, **body: Any) -> Envelope:
    told = {"rule_id": "sign-ins"} | body
    return fact(kind, MORNING_US + at * MINUTE_US, [kind, body], subject="rule/sign-ins", body=orjson.dumps(told))


def test_what_comes_with_a_publication_waits_until_the_book_knows_it(world: World) -> None:
    world.tell(news("rule.published", 1, version=1), seen(2, what="failed"))
    engine = world.start()
    with pytest.raises(BookBehind, match=r"rule\.published of sign-ins"):
        engine.step()
    world.publish(rule(), since_us=MORNING_US + MINUTE_US)
    world.judge()
    assert len(world.alerts()) == 1


@pytest.mark.parametrize(("kind", "body"), [("rule.retired", {}), ("rule.switched_off", {"version": 1})])
def test_what_comes_with_the_end_of_a_rule_waits_until_the_book_knows_it(world: World, kind: str, body: dict[str, int]) -> None:
    world.publish(rule())
    world.judge()
    world.tell(news(kind, 1, **body), seen(2, what="failed"))
    engine = world.start()
    with pytest.raises(BookBehind):
        engine.step()
    world.versions[0] = replace(world.versions[0], until_us=MORNING_US + MINUTE_US)
    world.judge()
    assert world.alerts() == []


def test_news_that_nobody_can_read_are_waited_for_a_moment_only(world: World) -> None:
    world.publish(rule())
    world.tell(news("rule.published", 1, version=2), seen(2, what="failed"))
    engine = world.start()
    with pytest.raises(BookBehind):
        engine.step()
    world.now_us += PATIENCE_US
    world.judge()
    assert len(world.alerts()) == 1
