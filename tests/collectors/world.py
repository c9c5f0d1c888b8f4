"""An agent among fakes."""

from dataclasses import dataclass, field, replace
from typing import Any

from pipeline.collectors.agent import Agent, Report
from pipeline.collectors.options import Options
from tests.collectors.fake_aws import BUS_ARN, PLACE, Clock, FakeBus, FakeFunctions, FakeLogs

OPTIONS = Options(bus_arn=BUS_ARN, version="1.4.0")
RUN_SECONDS = 240.0


@dataclass
class World:
    options: Options = OPTIONS
    clock: Clock = field(default_factory=Clock)
    bus: FakeBus = field(default_factory=FakeBus)
    functions: FakeFunctions = field(default_factory=lambda: FakeFunctions({"orders": None}))

    def __post_init__(self) -> None:
        self.logs = FakeLogs(self.clock)
        self.agent = self.restarted()

    def restarted(self, **changed: Any) -> Agent:
        """An agent in a new process, which remembers nothing."""
        self.agent = Agent(
            replace(self.options, **changed),
            logs=self.logs,
            functions=self.functions,
            events=self.bus,
            now_ms=self.clock.now_ms,
            clock=self.clock,
            sleep=self.clock.sleep,
            random=lambda: 0.5,
        )
        return self.agent

    def run(self, event: dict[str, Any] | None = None, *, seconds: float = RUN_SECONDS) -> Report:
        return self.agent.run(event or {}, PLACE, remaining_seconds=seconds)
