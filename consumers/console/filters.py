"""What the events page was asked: read leniently from the address, because people and links write it, and told back on the form.

A wrong value does not filter and is named, so that a page comes in any case.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode

from consumers.api.parameters import MAX_SECONDS, micros, parse_severity
from projections.event_index import EventQuery

PAGE: Final = 50
HOURS: Final = (1, 24, 168, 720)

_MOST: Final = {"source": 256, "account": 12, "resource": 2048, "text": 200, "cursor": 4096}
_NAMES: Final = (*_MOST, "severity", "hours", "from", "to")
_SHOWN: Final = 64
_HOUR_SECONDS: Final = 3600


@dataclass(frozen=True, slots=True)
class Asked:
    """The filters, as text for the form and as values for the question. ``wrong`` names what was not understood."""

    texts: Mapping[str, str]
    severity: int = 0
    hours: int = 0
    since: float | None = None
    until: float | None = None
    wrong: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, parameters: Mapping[str, str], *, now_us: int) -> "Asked":
        """What the address asks. ``hours`` is counted back from ``now_us``, to the minute, unless ``from`` says it exactly."""
        wrong = {name[:_SHOWN]: "is no filter of this page" for name in parameters if name not in _NAMES}
        texts = {name: parameters.get(name, "").strip()[:most] for name, most in _MOST.items()}
        if texts["account"] and not (texts["account"].isascii() and texts["account"].isdigit()):
            wrong["account"] = "is no account: give its 12 digits"
            texts["account"] = ""
        severity = 0
        try:
            severity = parse_severity(parameters.get("severity") or 0)
        except ValueError as error:
            wrong["severity"] = str(error)
        hours = _number(parameters, "hours", wrong) or 0
        since, until = _number(parameters, "from", wrong), _number(parameters, "to", wrong)
        if hours and since is None:
            since = (now_us // 60_000_000) * 60 - hours * _HOUR_SECONDS
        if since is not None and until is not None and since >= until:
            wrong["to"], until = "must be later than from", None
        return cls(texts, severity, int(hours), since, until, wrong)

    @property
    def filtered(self) -> bool:
        """Whether anything but the page is asked."""
        return bool(self.severity or self.since or self.until or any(v for n, v in self.texts.items() if n != "cursor"))

    def query(self) -> EventQuery:
        """The question to the index, newest first."""
        return EventQuery(
            since_us=None if self.since is None else micros(max(0.0, self.since)),
            until_us=None if self.until is None else micros(self.until),
            source=self.texts["source"],
            account=self.texts["account"],
            resource=self.texts["resource"],
            min_severity=self.severity,
            text=self.texts["text"],
            limit=PAGE,
            cursor=self.texts["cursor"],
        )

    def address(self, cursor: str = "") -> str:
        """The address of the same filters at ``cursor``; the range is exact, so that pages belong together."""
        pairs = {
            **{name: value for name, value in self.texts.items() if name != "cursor"},
            "severity": str(self.severity or ""),
            "hours": str(self.hours or ""),
            "from": "" if self.since is None else f"{self.since:.6f}".rstrip("0").rstrip("."),
            "to": "" if self.until is None else f"{self.until:.6f}".rstrip("0").rstrip("."),
            "cursor": cursor,
        }
        query = urlencode({name: value for name, value in pairs.items() if value})
        return f"/events?{query}" if query else "/events"


def _number(parameters: Mapping[str, str], name: str, wrong: dict[str, str]) -> float | None:
    text = parameters.get(name, "")
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if 0 <= number < MAX_SECONDS:
        return number
    wrong[name] = "is no number of seconds" if name != "hours" else "is no number of hours"
    return None
