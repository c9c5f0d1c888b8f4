"""An alert, as far as people act on it: somebody has seen to it, it is over, it is not over.

Standing: that an alert is raised, closed by a finding or withdrawn is concluded elsewhere and does not pass this desk. So a
          command carries how the alert stood, and which revision was shown, where its sender looked; what people did since
          counts more.
Identity: the aggregate's id is the alert's. It is blank until somebody acts; who commands has seen that the alert is there.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Literal, get_args

from pipeline.desks.entity import Act, Entity, checked
from pipeline.desks.errors import CommandRefused
from pipeline.desks.fact import Fact
from schemas import alerts
from schemas.body import Body

Status = Literal["open", "acknowledged", "resolved"]
"""What people can say of an alert; ``open`` takes back the other two."""


@dataclass(frozen=True, slots=True)
class MoveAlert:
    """Say how the alert stands from now on. ``cause`` is the id of the event that raised it.

    ``standing`` is how it stood when its sender looked (``withdrawn`` among others), ``seen`` the revision that was shown then.
    """

    status: str
    comment: str = ""
    standing: str = field(default="open", compare=False)
    seen: int = field(default=0, compare=False)
    cause: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class AlertState:
    """What people said of an alert last. Times are microseconds since the epoch."""

    status: Status
    by: str
    time_us: int


class Alert(Entity):
    """The aggregate."""

    noun: ClassVar[str] = "alert"
    made_elsewhere: ClassVar[bool] = True
    state: AlertState | None

    @classmethod
    def state_of(cls, plain: dict[str, Any]) -> AlertState:
        """The state from a snapshot's JSON."""
        return AlertState(**plain)

    def obey(self, command: MoveAlert, act: Act) -> None:
        """Do what is asked. Raises ``CommandRefused``."""
        standing = self.state.status if self.state and command.seen < self.version else command.standing
        if command.status not in get_args(Status):
            raise CommandRefused.of(field="status", reason=f"is none of {', '.join(get_args(Status))}")
        if command.status == standing:
            if command.comment.strip():
                reason = f"would be lost, since the alert is {standing} already: leave it out, or give it with a change"
                raise CommandRefused.of(field="comment", reason=reason)
            return
        if standing not in _FROM[command.status]:
            reason = f"cannot become {command.status}: the alert is {standing}; reopen it first"
            raise CommandRefused.of(field="status", reason=reason)
        model, done = _TOLD[command.status]
        told = checked(model, alert_id=str(self.id), revision=self.version + 1, by=act.by, comment=command.comment.strip())
        self.tell(act, told, subject=f"alert/{self.id}", summary=f"Alert {done}", cause=command.cause)

    def take(self, fact: Fact) -> None:
        """Fold a fact into the state."""
        self.state = AlertState(_MEANS[fact.kind], fact.body["by"], fact.time_us)


_FROM: Final = {
    "acknowledged": ("open",),
    "resolved": ("open", "acknowledged"),
    "open": ("acknowledged", "resolved", "withdrawn"),
}
"""How an alert may stand before."""
_TOLD: Final[dict[str, tuple[type[Body], str]]] = {
    "acknowledged": (alerts.AlertAcknowledged, "acknowledged"),
    "resolved": (alerts.AlertResolved, "resolved"),
    "open": (alerts.AlertReopened, "reopened"),
}
_MEANS: Final[dict[str, Status]] = {
    "alert.acknowledged": "acknowledged",
    "alert.resolved": "resolved",
    "alert.reopened": "open",
}
