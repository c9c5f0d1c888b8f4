"""A run over history leaves to the engine what the engine has yet to judge: channels are told of live alerts."""

from consumers.rules.engine.passed import passed
from consumers.rules.history.reprocess import Reprocessed, Run, reprocess
from consumers.rules.history.strand import Stretch
from consumers.rules.rule import Version
from schemas.envelope import MAX_TIME_US
from tests.engine.judging_world import World, compiled, make_judge, rule, seen
from tests.engine.test_settling import Mute


def run(world: World, version: Version) -> Reprocessed:
    asked = Run("018f3000-0000-7000-8000-000000000001", Stretch(0, MAX_TIME_US), "u1")
    return reprocess(world.log, compiled(version), asked, make_judge=make_judge, passed=lambda: passed(world.store, world.log))


def raised(world: World) -> list[tuple[bool, bool]]:
    """Of each alert, whether it is backfilled and to be told of, as the log says it first: what it says again is dropped."""
    first: dict[str, tuple[bool, bool]] = {}
    for record in world.log.records():
        if record.event.type == "alert.raised":
            first.setdefault(record.event.id, (record.event.data["backfilled"], record.event.data["notify"]))
    return list(first.values())


def test_what_is_not_judged_live_yet_is_left_to_the_engine(world: World) -> None:
    version = world.publish(rule())
    world.tell(seen(1, what="failed"))
    world.judge()
    world.tell(seen(2, what="failed"))

    told = run(world, version)
    world.judge()

    assert (told.raised, told.standing, told.withdrawn) == (0, 1, 0)
    assert told.left > 0
    assert raised(world) == [(False, True)] * 2


def test_where_no_engine_ever_ran_all_is_judged(world: World) -> None:
    version = world.publish(rule())
    world.tell(seen(1, what="failed"))

    assert (run(world, version).raised, run(world, version).left) == (1, 0)


def test_what_was_judged_and_not_told_is_told_as_live_before_a_run_finds_it(world: World) -> None:
    version = world.publish(rule())
    world.judge()
    world.tell(seen(1, what="failed"))
    mute = Mute(world)
    world.start().step()
    mute.speak()

    run(world, version)

    assert raised(world) == [(False, True)]
