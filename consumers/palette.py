"""One palette for Slack and console: what each severity is called, which colour and which sign it has.

Severity 0-4 as in ``schemas.envelope``. Colours are sRGB hex; each stands out against a white and against a dark page.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Tone:
    """How something looks: its word, its colour (``#rrggbb``) and its emoji (one character of text, no Slack name)."""

    word: str
    color: str
    emoji: str


UNKNOWN: Final = Tone("UNKNOWN", "#8a8f98", "⚪")
LOW: Final = Tone("LOW", "#3b82f6", "🔵")
MEDIUM: Final = Tone("MEDIUM", "#d9a404", "🟡")
HIGH: Final = Tone("HIGH", "#ea6a1f", "🟠")
CRITICAL: Final = Tone("CRITICAL", "#d92d2d", "🔴")

RESOLVED: Final = Tone("RESOLVED", "#22a35a", "🟢")
"""Instead of the severity, for what is well again."""

REPORT: Final = Tone("REPORT", "#6366f1", "📊")
"""For what is no finding and has no severity."""

SEVERITIES: Final = (UNKNOWN, LOW, MEDIUM, HIGH, CRITICAL)
"""Index: the severity."""


def tone(severity: int) -> Tone:
    """The tone of a severity; of anything out of range that of UNKNOWN."""
    return SEVERITIES[severity] if 0 <= severity < len(SEVERITIES) else UNKNOWN
