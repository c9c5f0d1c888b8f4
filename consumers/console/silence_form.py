"""The form for a silence: read leniently from an address or a post, told back as it was given, and made a request of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import ValidationError

from consumers.api.errors import RequestRefused, ValueRefused
from consumers.api.routing_checks import sound_matchers
from consumers.api.silence_models import NewSilence
from schemas.identity import MICROSECONDS

HOURS: Final = (1, 4, 24, 72, 168, 720)
"""Which lengths are offered; any other end can be given exactly."""
USUAL_HOURS: Final = 4

_MOST_TEXT: Final = 70_000
_HOUR_SECONDS: Final = 3600
_WRONG: Final = "the silence cannot be created like this"


@dataclass(frozen=True, slots=True)
class Form:
    """What stands in the form, as text. ``until`` (UTC), if it is given, counts instead of ``hours``."""

    matchers: tuple[str, ...] = ()
    hours: str = str(USUAL_HOURS)
    until: str = ""
    comment: str = ""
    key: str = ""

    @classmethod
    def of(cls, given: Mapping[str, Sequence[str]]) -> "Form":
        """What was given. ``matcher`` may come several times, and may hold several lines; the first of the rest counts."""
        texts = {name: (given.get(name) or [""])[0].strip()[:_MOST_TEXT] for name in ("hours", "until", "comment", "key")}
        lines = [line.strip() for text in given.get("matcher", ()) for line in text[:_MOST_TEXT].splitlines()]
        return cls(
            matchers=tuple(line for line in lines if line),
            hours=texts["hours"] or str(USUAL_HOURS),
            until=texts["until"],
            comment=texts["comment"],
            key=texts["key"],
        )

    def wanted(self, *, now_us: int) -> NewSilence:
        """The silence that is asked for. Raises ``ValueRefused`` naming all fields that are wrong, matchers by their lines."""
        wrong = [*self._of_matchers(), *(() if self.comment else [("comment", "is empty: say why")])]
        now, ends = now_us / MICROSECONDS, 0.0
        try:
            ends = self._ends(now)
            wrong += [("ends", "must lie in the future")] if ends <= now else []
        except ValueRefused as refused:
            wrong += refused.fields
        told: dict[str, Any] = {"matchers": list(self.matchers), "comment": self.comment, "ends": ends}
        try:
            silence = NewSilence.model_validate(told)
        except ValidationError as broken:
            told_of = {_line(field) for field, _ in wrong}
            fields = [(_line(".".join(map(str, error["loc"]))), error["msg"]) for error in broken.errors(include_url=False)]
            raise ValueRefused(_WRONG, fields=wrong + [each for each in fields if each[0] not in told_of]) from None
        if wrong:
            raise ValueRefused(_WRONG, fields=wrong)
        return silence

    def _of_matchers(self) -> list[tuple[str, str]]:
        if not self.matchers:
            return [("matchers", "there are none: say what is silenced")]
        try:
            sound_matchers(self.matchers)
        except ValueRefused as refused:
            return [(_line(field), why) for field, why in refused.fields]
        return []

    @property
    def length_us(self) -> int | None:
        """How long it lasts; None if its end is given, or what is given is no length."""
        if self.until or not (self.hours.isascii() and self.hours.isdigit() and len(self.hours) < 6):  # noqa: PLR2004 -- years
            return None
        return int(self.hours) * _HOUR_SECONDS * MICROSECONDS

    def _ends(self, now: float) -> float:
        """When it ends, in Unix seconds."""
        if self.until:
            try:
                return datetime.fromisoformat(self.until).replace(tzinfo=UTC).timestamp()
            except ValueError:
                raise ValueRefused(_WRONG, fields=[("ends", "give a time as 2026-01-31T09:00, in UTC")]) from None
        if self.length_us is not None:
            return now + self.length_us / MICROSECONDS
        raise ValueRefused(_WRONG, fields=[("ends", "give a number of hours")])


def _line(field: str) -> str:
    """A field as the form shows it, which has a line for each matcher."""
    name, _, index = field.partition(".")
    return f"line {int(index) + 1}" if name == "matchers" and index.isdigit() else field


def by_line(refusal: RequestRefused) -> RequestRefused:
    """The refusal with its matchers called by their lines."""
    refusal.fields = tuple((_line(field), why) for field, why in refusal.fields)
    return refusal
