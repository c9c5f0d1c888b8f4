"""From the lines of a log to what the projections tell: each line counts once, though windows overlap and a bus repeats."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from pipeline.ingest import Ingest
from pipeline.log.port import Log
from pipeline.log.sqlite import SqliteLog
from projections.event_index import EventQuery
from projections.reading import AgentStatus
from tests.collectors.fake_aws import ACCOUNT, BUS_REGION, NOON, REGION, line, refused
from tests.collectors.world import World
from tests.ingest.in_memory import MemoryQuarantine
from tests.log.made_up import Clock as LogClock
from tests.support.memory_log import MemoryLog
from tests.support.spine import Spine

NOON_US = NOON * 1_000_000
STACK = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/StackSet-findstream-agent-1f2e/3c4d"


@pytest.fixture(params=["log that refuses repeats", "log that takes repeats"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Log]:
    if "refuses" in request.param:
        with closing(SqliteLog(tmp_path / "log.db", shards=4, clock=LogClock(NOON_US))) as embedded:
            yield embedded
    else:
        yield MemoryLog(shards=3)


class Central:
    """The central account: takes what the bus delivers, twice if told so, and folds it."""

    def __init__(self, log: Log, folder: Path) -> None:
        self.quarantine = MemoryQuarantine()
        self._ingest = Ingest(log, self.quarantine, clock=lambda: 0)
        self._spine = Spine(folder, log)

    def take(self, delivered: Sequence[object], *, times: int = 1) -> None:
        for event in [*delivered] * times:
            self._ingest.take(orjson.dumps(event), origin="sqs")
        self._spine.fold()

    def close(self) -> None:
        self._spine.close()

    def counted(self) -> int:
        counts = self._spine.catalog.daily(0, NOON_US * 2)
        return sum(count.count for count in counts if count.source == "monitoring.agent.logs")

    def messages(self) -> list[str]:
        page = self._spine.catalog.events(EventQuery(source="monitoring.agent.logs", direction="asc"), now_us=NOON_US)
        return [entry.summary for entry in page.entries]

    def agent(self, now_us: int) -> AgentStatus:
        (agent,) = self._spine.catalog.agents(now_us=now_us)
        return agent


@pytest.fixture
def central(log: Log, tmp_path: Path) -> Iterator[Central]:
    with closing(Central(log, tmp_path / "rows")) as central:
        yield central


def collected(world: World) -> World:
    """Three runs, each in a new process, over windows that overlap, with a throttled bus and a slow query on the way."""
    world.logs.add(
        *(line(-60 + number, f"ERROR {number}") for number in range(12)), line(-3, "ERROR twice"), line(-3, "ERROR twice")
    )
    world.bus.scripted.extend([(), ("", "ThrottlingException", "InternalFailure"), refused("InternalFailure", 500)])
    world.run()
    world.logs.add(line(290, "ERROR 290"), line(-200, "ERROR late"), line(10, "all is well"))
    world.clock.seconds = 300
    world.logs.seconds["/aws/lambda/orders"] = 100
    world.restarted()
    world.run()
    world.logs.seconds.clear()
    world.clock.seconds = 600
    world.restarted()
    world.run()
    return world


def test_each_line_counts_once(central: Central) -> None:
    world = collected(World())
    assert len(world.bus.messages) > 16

    central.take(world.bus.delivered, times=2)

    assert central.quarantine.items == {}
    assert central.counted() == 16
    told = [message.removeprefix("/aws/lambda/orders: ERROR ") for message in central.messages()]
    assert told == ["late", *(str(number) for number in range(12)), "twice", "twice", "290"]


def test_a_line_is_told_with_its_place_and_exact_time(central: Central, log: Log) -> None:
    world = World()
    world.logs.add(line(-59.569, "[ERROR] it broke"))
    world.run()

    central.take(world.bus.delivered)

    found = [record.event for shard in log.shards() for record in log.read(shard.id, None, 100).records()]
    (event,) = [event for event in found if event.source == "monitoring.agent.logs"]
    assert (event.account, event.region, event.time_us) == (ACCOUNT, REGION, NOON_US - 59_569_000)
    assert world.bus.delivered[1]["region"] == BUS_REGION
    assert (event.severity, event.subject) == (3, f"logs/{ACCOUNT}/{REGION}//aws/lambda/orders/s/1")
    assert event.resources == (
        f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/orders",
        f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/orders:log-stream:s/1",
        "/aws/lambda/orders",
    )


def test_the_agent_is_deployed_and_beats(central: Central) -> None:
    world = World()
    world.run()
    stack = {
        "detail-type": "CloudFormation Stack Status Change",
        "source": "aws.cloudformation",
        "account": ACCOUNT,
        "region": REGION,
        "time": "2026-03-04T11:59:00Z",
        "resources": [STACK],
        "detail": {"stack-id": STACK, "status-details": {"status": "CREATE_COMPLETE", "status-reason": ""}},
    }

    central.take([stack, *world.bus.delivered])

    agent = central.agent(NOON_US)
    assert agent == AgentStatus(
        account=ACCOUNT,
        region=REGION,
        status="active",
        version="1.4.0",
        deployed_at_us=NOON_US - 60_000_000,
        last_heartbeat_us=NOON_US,
        last_finding_us=None,
        counts=dict.fromkeys(range(5), 0),
    )


def test_what_could_not_be_collected_is_a_finding(central: Central) -> None:
    world = World()
    world.logs.add(line(-60))
    world.logs.seconds["/aws/lambda/orders"] = 100
    world.run()

    central.take(world.bus.delivered)

    page = central._spine.catalog.events(EventQuery(source="monitoring.agent"), now_us=NOON_US)
    (finding,) = [entry for entry in page.entries if entry.severity]
    assert finding.severity == 2
    assert finding.summary.startswith(
        "Log Collection Incomplete: 1 log groups not looked through: Not looked through for error lines"
    )
