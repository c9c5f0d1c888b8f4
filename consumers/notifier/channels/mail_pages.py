"""From a story to the two parts of a mail, by template.

Escaping cannot be forgotten: whatever an expression of an HTML template prints is escaped, and no filter that could mark text as
safe is in reach of a template. The text part has no markup to be misused. Every text passes ``cut``, every list is bounded.
Links lead to the console only; what looks like an address in a finding's text stays text, though a mail program may link it.
"""

from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context

from consumers.notifier.messages.report import counted, tables
from consumers.notifier.messages.story import Story
from consumers.notifier.messages.text import line, shorten

_CUTS: Final = "cuts"
_HTML: Final = ".html.j2"


class Pages:
    """Renders stories. Holds no state between messages."""

    def __init__(self) -> None:
        self._templates = environment()

    def render(self, story: Story) -> tuple[str, str]:
        """The text and the HTML. A fault in a template raises what it raises."""
        names: dict[str, Any] = {"story": story}
        text, html = (
            self._templates.get_template(f"email/{story.shape}.{part}.j2").render({**names, _CUTS: []})
            for part in ("txt", "html")
        )
        return text.strip() + "\n", html


def environment() -> Environment:
    """Jinja, with what our templates need and nothing else."""
    jinja = Environment(
        loader=PackageLoader("consumers.notifier"),
        autoescape=lambda name: name is None or name.endswith(_HTML),  # noqa: S701  # the other part is plain text
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.filters.clear()
    jinja.filters.update(cut=_cut, indented=_indented, length=len, line=line, tables=tables, told=counted)
    jinja.globals.clear()
    return jinja


@pass_context
def _cut(context: Context, value: Any, limit: int) -> str:
    """At most ``limit`` units of ``value``; that something is missing is remembered for the message's end."""
    text, shortened = shorten(str(value), limit)
    if shortened:
        context[_CUTS].append(limit)
    return text


def _indented(value: str) -> str:
    """Each line four characters to the right, so that none can pass for one of ours."""
    return "\n".join(f"    {each}" for each in value.split("\n"))
