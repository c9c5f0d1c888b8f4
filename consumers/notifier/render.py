"""From an event to a Slack message, by template.

Escaping cannot be forgotten: whatever an expression of a template prints is escaped for Slack and then for JSON, unless it is
``Escaped`` (made by our own filters, still escaped for JSON) or a template's own output. No filter or function that could mark
text as safe is in reach of a template, and an unknown name is an error, not an empty text.
Limits hold by construction: every text passes ``cut``, every list is bounded. A test sends all templates to a Slack that counts.
Messages are plain dictionaries: ``text`` (for the notification), ``blocks`` (the headline) and one coloured attachment.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import orjson
from jinja2 import Environment, PackageLoader, StrictUndefined, TemplateError, pass_context
from jinja2.filters import do_batch
from jinja2.runtime import Context
from markupsafe import Markup

from consumers.notifier.errors import Unrenderable
from consumers.notifier.text import Escaped, clean, cut, escape, line
from consumers.notifier.view import View, utc, view
from consumers.palette import SEVERITIES
from consumers.reports.daily import DailyReport
from schemas.envelope import Envelope

_CUTS: Final = "cuts"


class Renderer:
    """Renders events; ``console_url`` is where the links of messages lead. Holds no state between messages."""

    def __init__(self, console_url: str) -> None:
        self._console_url = console_url
        self._templates = environment()

    def render(self, event: Envelope, *, resent: bool = False) -> dict[str, Any]:
        """The message for ``event``. ``resent`` says, discreetly, that it may be a repeat.

        Raises ``Unrenderable``, which only a fault in a template or in this package can cause.
        """
        try:
            seen = view(event, self._console_url)
            return self._fill(seen, resent=resent)
        except (
            TemplateError,
            orjson.JSONDecodeError,
            ArithmeticError,
            AttributeError,
            LookupError,
            TypeError,
            ValueError,
        ) as fault:
            message = f"event {event.id}: {type(fault).__name__}: {fault}"
            raise Unrenderable(message) from fault

    def _fill(self, seen: View, *, resent: bool) -> dict[str, Any]:
        template = self._templates.get_template(f"{seen.template}.json.j2")
        names = {name: getattr(seen, name) for name in View.__slots__}
        message: dict[str, Any] = orjson.loads(template.render({**names, "resent": resent, _CUTS: []}))
        return message


def preview(event: Envelope, console_url: str) -> dict[str, Any]:
    """What ``event`` would look like in Slack: the message, ready for Slack's Block Kit Builder. Nothing is sent or kept."""
    return Renderer(console_url).render(event)


def environment() -> Environment:
    """Jinja, with what our templates need and nothing else."""
    jinja = Environment(
        loader=PackageLoader("consumers.notifier"),
        autoescape=True,
        finalize=_finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.filters.clear()
    jinja.filters.update(
        batch=do_batch, count=len, code=_code, cut=_cut, given=_given, joined=_joined, line=line, unfolded=_unfolded
    )
    jinja.filters.update(utc=utc, told=_told, ranked=_ranked, by_severity=_by_severity, top_resources=_top_resources)
    jinja.globals.clear()
    return jinja


def _finalize(value: Any) -> Markup:
    """What an expression prints, within a JSON string."""
    if isinstance(value, Markup):
        return value
    text = escape(value if isinstance(value, str) else str(value))
    return Markup(orjson.dumps(str(text)).decode()[1:-1])  # noqa: S704  # this is where text becomes safe


@pass_context
def _cut(context: Context, value: Any, limit: int) -> Escaped:
    """At most ``limit`` units of ``value``; that something is missing is remembered for the message's last line."""
    text, shortened = cut(str(value), limit)
    if shortened:
        context[_CUTS].append(limit)
    return text


def _code(value: str) -> str:
    """``value`` for a code block, which its backticks would end."""
    return value.replace("`", "\N{MODIFIER LETTER GRAVE ACCENT}")


def _unfolded(value: str) -> str:
    """``value`` with line ends where its source wrote a backslash and an n."""
    return clean(value.replace("\\n", "\n"))


def _given(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The pairs of label and text that have a text."""
    return [(label, text) for label, text in pairs if text]


def _joined(texts: Sequence[str], between: str) -> str:
    """The texts that are not empty, with ``between`` between them."""
    return between.join(filter(None, texts))


def _told(count: int, change: int = 0) -> str:
    """A count, and in brackets its change with a sign, if there is one."""
    return f"{count:,} ({change:+,})" if change else f"{count:,}"


def _ranked(counts: Mapping[str, int], change: Mapping[str, int]) -> list[tuple[str, str]]:
    """Counts and their changes in words, the largest first; what came to nothing is told too."""
    names = sorted({**counts, **change}, key=lambda name: (-counts.get(name, 0), name))
    return [(name or "none", _told(counts.get(name, 0), change.get(name, 0))) for name in names]


def _by_severity(report: DailyReport) -> list[tuple[str, str]]:
    """The worst first, all of them."""
    counts, change = report.totals.severity, report.change.severity
    worst_first = list(enumerate(SEVERITIES))[::-1]
    return [(f"{tone.emoji} {tone.word}", _told(counts.get(str(n), 0), change.get(str(n), 0))) for n, tone in worst_first]


def _top_resources(report: DailyReport) -> list[tuple[str, str]]:
    return [(top.resource, _told(top.count)) for top in report.top_resources]
