"""From a story to a Slack message, by template.

Escaping cannot be forgotten: whatever an expression of a template prints is escaped for Slack and then for JSON, unless it is
``Escaped`` (made by our own filters, still escaped for JSON) or a template's own output. No filter or function that could mark
text as safe is in reach of a template, and an unknown name is an error, not an empty text.
Limits hold by construction: every text passes ``cut``, every list is bounded. A test sends all templates to a Slack that counts.
Messages are plain dictionaries: ``text`` (for the notification), ``blocks`` (the headline) and one coloured attachment.
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson
from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.filters import do_batch
from jinja2.runtime import Context
from markupsafe import Markup

from consumers.notifier.channels.port import Message
from consumers.notifier.messages.rendering import rendered
from consumers.notifier.messages.report import counted, tables
from consumers.notifier.messages.story import Story
from consumers.notifier.messages.text import Escaped, cut, escape, line

_CUTS: Final = "cuts"


class Blocks:
    """Renders stories. Templates are compiled when it is made, so that the first message waits for none; no other state."""

    def __init__(self) -> None:
        self._templates = environment()
        for name in self._templates.list_templates(filter_func=lambda name: name.startswith("slack/")):
            self._templates.get_template(name)

    def render(self, story: Story) -> dict[str, Any]:
        """The message, ready for Slack's Block Kit Builder. A fault in a template raises what it raises."""
        template = self._templates.get_template(f"slack/{story.shape}.json.j2")
        message: dict[str, Any] = orjson.loads(template.render({"story": story, _CUTS: []}))
        return message


def slack_shown(message: Message, console_url: str) -> Mapping[str, Any]:
    """The message as Slack would show it, for whom there is no channel. Raises ``Unrenderable``."""
    return rendered(message, console_url, "", Blocks().render)


def environment() -> Environment:
    """Jinja, with what our templates need and nothing else."""
    jinja = Environment(
        loader=PackageLoader("consumers.notifier"),
        autoescape=True,
        finalize=_finalize,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.filters.clear()
    jinja.filters.update(batch=do_batch, count=len, code=_code, cut=_cut, label=_label, line=line, tables=tables, told=counted)
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


def _label(value: str) -> str:
    """``value`` as the label of a link, which a bar would end."""
    return line(value).replace("|", "\N{BROKEN BAR}") or "event"
