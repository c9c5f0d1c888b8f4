"""A silence: what it matches is told to nobody, from when it begins until it ends.

Life:     it begins and ends by itself; people may move its end, or end it before its time. One that has ended is not changed any
          more: whoever wants silence again makes another.
Matchers: who commands has checked them. They never change, so that what a silence held can be told for ever after.
"""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

from pipeline.desks.entity import Act, Entity, checked
from pipeline.desks.errors import AlreadyThere, CommandRefused, Over
from pipeline.desks.fact import Fact
from schemas import silences
from schemas.body import Body

LONGEST_US: Final = 366 * 86_400_000_000
"""From when a silence begins, or from now if it has begun, until it ends; and from now until it begins."""


@dataclass(frozen=True, slots=True)
class CreateSilence:
    """Silence what all matchers match. ``starts_us`` None, or in the past, is now. ``ends_us`` None is ``length_us`` after that.

    A length says the same whenever it is sent again; an end that was computed from a clock does not.
    """

    matchers: tuple[str, ...]
    ends_us: int | None
    comment: str
    starts_us: int | None = None
    length_us: int = 0


@dataclass(frozen=True, slots=True)
class ChangeSilence:
    """Let it end at another time, or say something else of it. None leaves what there is."""

    ends_us: int | None = None
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class ExpireSilence:
    """End it now. One that has ended stays as it is."""

    comment: str = ""


SilenceCommand = CreateSilence | ChangeSilence | ExpireSilence


@dataclass(frozen=True, slots=True)
class SilenceState:
    """A silence as people left it. Times are microseconds since the epoch; ``by`` created it, ``updated_by`` was the last."""

    matchers: tuple[str, ...]
    starts_us: int
    ends_us: int
    comment: str
    by: str
    created_us: int
    updated_by: str
    expired: bool = False
    """Somebody ended it before its time."""


class Silence(Entity):
    """The aggregate. Its id is a UUIDv7."""

    noun: ClassVar[str] = "silence"
    state: SilenceState | None

    @classmethod
    def state_of(cls, plain: dict[str, Any]) -> SilenceState:
        """The state from a snapshot's JSON."""
        return SilenceState(**{**plain, "matchers": tuple(plain["matchers"])})

    def obey(self, command: SilenceCommand, act: Act) -> None:
        """Do what is asked. Raises ``CommandRefused``, ``Over``, ``NothingThere``, ``AlreadyThere``."""
        match command:
            case CreateSilence():
                self._begin(command, act)
            case ChangeSilence():
                self._change(command, act)
            case _:
                self._expire(command, act)

    def take(self, fact: Fact) -> None:
        """Fold a fact into the state."""
        body = fact.body
        if fact.kind == "silence.created":
            known = {name: body[name] for name in ("starts_us", "ends_us", "comment", "by")}
            self.state = SilenceState(matchers=tuple(body["matchers"]), created_us=fact.time_us, updated_by=body["by"], **known)
        elif fact.kind == "silence.changed":
            self.state = replace(self.expect(), ends_us=body["ends_us"], comment=body["comment"], updated_by=body["by"])
        else:
            self.state = replace(self.expect(), ends_us=fact.time_us, updated_by=body["by"], expired=True)

    def _begin(self, command: CreateSilence, act: Act) -> None:
        if self.version:
            raise AlreadyThere(self.noun, self.version)
        starts_us = max(act.now_us, command.starts_us or 0)
        if starts_us > act.now_us + LONGEST_US:
            raise CommandRefused.of(field="starts_us", reason="must lie within a year")
        ends_us = starts_us + command.length_us if command.ends_us is None else command.ends_us
        _check_end(ends_us, starts_us)
        told = checked(
            silences.SilenceCreated,
            silence_id=str(self.id),
            revision=1,
            matchers=command.matchers,
            starts_us=starts_us,
            ends_us=ends_us,
            comment=command.comment.strip(),
            by=act.by,
        )
        self._tell(act, told, f"Silence created: {told.comment}")

    def _change(self, command: ChangeSilence, act: Act) -> None:
        state: SilenceState = self.expect()
        if state.ends_us <= act.now_us:
            raise Over.of(field="ends_us", reason="cannot be changed: the silence has ended; create another")
        ends_us = state.ends_us if command.ends_us is None else command.ends_us
        comment = state.comment if command.comment is None else command.comment.strip()
        if (ends_us, comment) == (state.ends_us, state.comment):
            return
        if ends_us != state.ends_us:
            _check_end(ends_us, max(state.starts_us, act.now_us))
        told = checked(
            silences.SilenceChanged,
            silence_id=str(self.id),
            revision=self.version + 1,
            ends_us=ends_us,
            comment=comment,
            by=act.by,
        )
        self._tell(act, told, f"Silence changed: {told.comment}")

    def _expire(self, command: ExpireSilence, act: Act) -> None:
        state: SilenceState = self.expect()
        if state.ends_us > act.now_us:
            told = checked(
                silences.SilenceExpired,
                silence_id=str(self.id),
                revision=self.version + 1,
                comment=command.comment.strip(),
                by=act.by,
            )
            self._tell(act, told, f"Silence ended: {state.comment}")

    def _tell(self, act: Act, body: Body, summary: str) -> None:
        self.tell(act, body, subject=f"silence/{self.id}", summary=summary)


def _check_end(ends_us: int, begins_us: int) -> None:
    if ends_us <= begins_us:
        raise CommandRefused.of(field="ends_us", reason="must lie in the future, and behind the beginning")
    if ends_us > begins_us + LONGEST_US:
        raise CommandRefused.of(field="ends_us", reason="must lie within a year of the beginning, or of now if it has begun")
