"""Which agents fell silent: concluded by a timer, told as a fact on the log, once a silence.

The id of ``agent.went_silent`` derives from the agent and the last sign of life, so that two timers, or one that restarts,
tell one fact. The event's time is the moment at which the silence was long enough, not the moment of noticing.
Freshness: nothing is concluded until the projection has folded what the log held. One that is folded anew (after a restore, or
while an outdated one is rebuilt) would call every agent silent whose last beats it has not come to yet.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from pipeline.log.port import Log, Outcome
from projections.agent_status import SILENT_AFTER_US, AgentStatuses
from projections.errors import NotFresh
from projections.reading import AgentStatus, Reading
from schemas.agents import AgentWentSilent
from schemas.envelope import Envelope
from schemas.identity import derived_id

_HIGH: Final = 3
_SOURCE: Final = "monitoring.findstream"
_FRESH_SECONDS: Final = 5.0

_logger = logging.getLogger(__name__)


@dataclass(slots=True)
class SilenceWatch:
    """Appends ``agent.went_silent`` for every agent that is offline. Repeating a step appends nothing new in effect."""

    log: Log
    reading: Reading
    clock: Callable[[], int]
    fresh_seconds: float = _FRESH_SECONDS
    """How long a step waits for the projection."""
    _told: set[str] = field(default_factory=set)
    """Ids told by this process: a log that does not refuse repeats is not told every minute again."""

    def step(self) -> int:
        """Look once; returns how many agents were found to have fallen silent. Raises ``LogUnavailable``."""
        now_us = self.clock()  # before the heads: a beat that comes behind them ends no silence of before
        try:
            self.reading.wait_for(AgentStatuses.name, list(self.log.heads().values()), self.fresh_seconds)
        except NotFresh as behind:
            _logger.info("silent agents are looked for later: %s", behind)
            return 0
        offline = (agent for agent in self.reading.agents(now_us=now_us) if agent.status == "offline")
        silent = [event for event in map(went_silent, offline) if event.id not in self._told]
        receipts = self.log.append(silent)
        self._told.update(receipt.id for receipt in receipts if receipt.outcome is not Outcome.FAILED)
        return len(receipts)


def went_silent(agent: AgentStatus) -> Envelope:
    """The fact that ``agent``, which is offline, has been silent for too long since its last sign of life."""
    alive_us = max(agent.last_heartbeat_us or 0, agent.deployed_at_us or 0)
    time_us = alive_us + SILENT_AFTER_US
    return Envelope(
        id=derived_id(time_us, "agent.went_silent", agent.account),
        type="agent.went_silent",
        version=1,
        time_us=time_us,
        source=_SOURCE,
        account=agent.account,
        region=agent.region,
        subject=f"agent/{agent.account}",
        severity=_HIGH,
        summary=f"The agent in account {agent.account} has not been heard of for ten minutes",
        resources=(),
        source_id="",
        correlation_id="",
        causation_id="",
        body=AgentWentSilent(last_heartbeat_us=alive_us).encoded(),
    )
