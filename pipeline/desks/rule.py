"""A rule: what its authors publish of it, version by version, and that it is retired.

Identity: a rule is known by the id that its author chose; the aggregate's derives from it, so that two who publish it at once
          cannot both succeed. A retired one can be published again: its versions go on, and its history.
Force:    a version that replaces another, and a retirement, take force ``LEAD_US`` after they were told: whoever judges findings
          knows of it by then, so that each finding is judged by the one version that is in force when it happens.
Text:     who commands has checked it, and read id, title and severity from it. Publishing what is in force already tells nothing.
"""

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Final
from uuid import UUID, uuid5

from pipeline.desks.entity import Act, Entity, checked
from pipeline.desks.errors import AlreadyThere, CommandRefused, NothingThere
from pipeline.desks.fact import Fact
from schemas import rules
from schemas.body import Body

MOST_BYTES: Final = 65_536
"""Of a text in UTF-8: any recorder, log and function takes a fact with it."""
LEAD_US: Final = 15_000_000
"""Longer than news of a rule usually take: relay, projector (on AWS it gathers for five seconds), and the engine's next look."""
MOST_VERSIONS: Final = 1_000
"""Of a rule: whoever reads one reads in short what became of all its versions."""

_SPACE: Final = UUID("0e6c54f5-8f0d-5a5a-9a44-3a5d0c1c2f77")
"""The namespace of the rules' ids. It never changes."""


def rule_uuid(rule_id: str) -> UUID:
    """The aggregate's id of a rule."""
    return uuid5(_SPACE, rule_id)


@dataclass(frozen=True, slots=True)
class PublishRule:
    """Put a rule into force: a new one, or (``change``) the next version of one that is there.

    ``off`` says that whoever commands saw it switched off, so that even the same text puts it into force again.
    """

    rule_id: str
    title: str
    severity: int
    text: str
    comment: str = ""
    change: bool = False
    off: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class RetireRule:
    """Put a rule out of force."""

    comment: str = ""


RuleCommand = PublishRule | RetireRule


@dataclass(frozen=True, slots=True)
class RuleState:
    """A rule as its authors left it. Times are microseconds since the epoch."""

    rule_id: str
    number: int
    title: str
    severity: int
    text: str
    comment: str
    by: str
    since_us: int
    retired: bool = False
    until_us: int = 0
    """If it is retired: when that takes force."""


class Rule(Entity):
    """The aggregate."""

    noun: ClassVar[str] = "rule"
    state: RuleState | None

    @classmethod
    def state_of(cls, plain: dict[str, Any]) -> RuleState:
        """The state from a snapshot's JSON."""
        return RuleState(**plain)

    def obey(self, command: RuleCommand, act: Act) -> None:
        """Do what is asked. Raises ``CommandRefused``, ``NothingThere``, ``AlreadyThere``."""
        match command:
            case PublishRule():
                self._publish(command, act)
            case _:
                self._retire(command, act)

    def take(self, fact: Fact) -> None:
        """Fold a fact into the state."""
        body = fact.body
        if fact.kind == "rule.published":
            known = {name: body[name] for name in ("rule_id", "title", "severity", "text", "since_us", "comment", "by")}
            self.state = RuleState(number=body["version"], **known)
        else:
            self.state = replace(self.expect(), retired=True, until_us=body["until_us"])

    def _publish(self, command: PublishRule, act: Act) -> None:
        state = self._in_force() if command.change else self._out_of_force()
        if command.change and state and state.text == command.text and not command.off:
            return
        number = state.number + 1 if state else 1
        if number > MOST_VERSIONS:
            raise CommandRefused.of(field="text", reason=f"would be version {number}; publish it under another id")
        if len(command.text.encode()) > MOST_BYTES:
            raise CommandRefused.of(field="text", reason=f"may have {MOST_BYTES} bytes")
        told = checked(
            rules.RulePublished,
            rule_id=command.rule_id,
            version=number,
            revision=self.version + 1,
            title=command.title,
            severity=command.severity,
            text=command.text,
            since_us=self._since(command, act),
            comment=command.comment.strip(),
            by=act.by,
        )
        self._tell(act, command.rule_id, told, f"Rule published, version {number}: {told.title}")

    def _retire(self, command: RetireRule, act: Act) -> None:
        state = self._in_force()
        told = checked(
            rules.RuleRetired,
            rule_id=state.rule_id,
            until_us=self._now_us(act) + LEAD_US,
            revision=self.version + 1,
            comment=command.comment.strip(),
            by=act.by,
        )
        self._tell(act, state.rule_id, told, f"Rule retired: {state.title}")

    def _since(self, command: PublishRule, act: Act) -> int:
        """When a version takes force: soon if it ends another, else at once, but behind the end of a retired one."""
        now_us = self._now_us(act)
        if command.change:
            return now_us + LEAD_US
        return max(now_us, self.state.until_us) if self.state else now_us

    def _now_us(self, act: Act) -> int:
        """The time of the fact to be told."""
        return max(act.now_us, self.updated_us)

    def _in_force(self) -> RuleState:
        """The state. Raises ``NothingThere`` for a rule that is retired or was never published."""
        state: RuleState = self.expect()
        if state.retired:
            message = "there is no such rule any more: it was retired; publish it as a new one"
            raise NothingThere(message)
        return state

    def _out_of_force(self) -> RuleState | None:
        """The state, if there ever was one. Raises ``AlreadyThere`` for a rule that is not retired."""
        if self.state is not None and not self.state.retired:
            raise AlreadyThere(what=f"the rule {self.state.rule_id}", version=self.version)
        return self.state

    def _tell(self, act: Act, rule_id: str, body: Body, summary: str) -> None:
        self.tell(act, body, subject=f"rule/{rule_id}", summary=summary)
