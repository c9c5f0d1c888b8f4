"""The pages: what each shows, gathered from the same questions and models as the API's answers.

Escaping: every text that comes from findings is escaped by the templates (autoescape is on for all); none is put into script.
Threads:  rendering reads the projections, so the methods are called in threads, not on the event loop.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from consumers.api import views
from consumers.api.errors import NothingHere, RequestRefused, refusal_for
from consumers.api.events import find
from consumers.api.figures import DAY_US, floor, slots
from consumers.api.overview import Overviews
from consumers.console import words
from consumers.console.chart import Chart, chart
from consumers.console.filters import HOURS, PAGE, Asked
from consumers.notifier.errors import NotifierError
from consumers.notifier.why.explain import Explanation
from consumers.palette import SEVERITIES
from consumers.people.principal import Principal
from consumers.people.sign_in import SignedIn
from pipeline.log.port import Log
from pipeline.quarantine.port import Quarantine
from projections.errors import CursorRejected
from projections.reading import AgentStatus, Reading

HERE: Final = Path(__file__).parent
CHART_DAYS: Final = 14
AGENTS_SHOWN: Final = 12

_URGENCY: Final = ("failed", "offline", "deploying", "pending", "unregistered", "disabled", "active")
"""The order in which agents are shown: who needs a look comes first."""

_FILTERS: Final[Mapping[str, Callable[..., str]]] = {
    "clock_time": words.clock_time,
    "day_time": words.day_time,
    "machine_time": words.machine_time,
    "duration": words.duration,
    "count": words.count,
    "segment": lambda text: quote(text, safe=""),
}


class Pages:
    """Renders pages.

    ``feed_at`` answers where the live feed stands, so that nothing is missed between rendering and connecting. ``notices``
    answers how many notices have each state, if there is a ledger to ask. ``me`` answers who asks, if
    somebody signed in; ``principal`` the same where somebody has to be. ``why`` explains who was told of an event.
    """

    def __init__(
        self,
        reading: Reading,
        log: Log,
        quarantine: Quarantine,
        overviews: Overviews,
        *,
        clock: Callable[[], int],
        version: str,
        feed_at: Callable[[], str],
        notices: Callable[[], Mapping[str, int]] | None = None,
        me: Callable[[], SignedIn | None] = lambda: None,
        principal: Callable[[], Principal],
        why: Callable[[str], Explanation],
    ) -> None:
        self._reading = reading
        self._log = log
        self._quarantine = quarantine
        self._overviews = overviews
        self._clock = clock
        self._feed_at = feed_at
        self._notices = notices
        self._me = me
        self._principal = principal
        self._why = why
        self._templates = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(_FILTERS)
        self._templates.globals.update(version=version, severities=SEVERITIES, change=words.change)

    def home(self, _request: Request) -> Response:
        """The first page. The feed's place is taken before the findings are read, so none can fall between."""
        feed_at = self._feed_at()
        return self.render("home.html", here="home", feed_at=feed_at, **self._state())

    def state(self, _request: Request) -> Response:
        """The changing part of the first page, for its script to put in place of the old one."""
        return self.render("_state.html", **self._state())

    def events(self, request: Request) -> Response:
        """Findings by filters, a page at a time."""
        now_us = self._clock()
        asked = Asked.of(request.query_params, now_us=now_us)
        try:
            page = self._reading.events(asked.query(), now_us=now_us)
        except CursorRejected as rejected:
            return self.refused(rejected, back=asked.address())
        return self.render(
            "events.html",
            here="events",
            asked=asked,
            all_hours=HOURS,
            items=[views.event(entry) for entry in page.entries],
            next_page=asked.address(page.next) if page.next else "",
            previous_page=asked.address(page.previous) if page.previous else "",
        )

    def event(self, request: Request) -> Response:
        """One event, whole."""
        raw_path: bytes = request.scope.get("raw_path") or quote(request.url.path).encode()
        event_id = unquote(raw_path.decode("latin-1").removeprefix("/events/"))
        try:
            event = find(self._reading, self._log, event_id, now_us=self._clock())
        except RequestRefused as refused:
            return self.refused(refused)
        facts = event.data.get("facts")
        return self.render(
            "event.html",
            here="events",
            event=event,
            facts=facts if isinstance(facts, dict) else {},
            why=self._explained(event.id),
            body=orjson.dumps(event.data, option=orjson.OPT_INDENT_2).decode(),
        )

    def _explained(self, event_id: str) -> Explanation | None:
        """Who was told; a page about the event comes in any case."""
        try:
            return self._why(event_id)
        except NotifierError:
            return None

    def quarantine(self, request: Request) -> Response:
        """What is held in quarantine, newest first."""
        items = self._quarantine.list(after=request.query_params.get("after", "")[:256], limit=PAGE)
        return self.render(
            "quarantine.html",
            here="quarantine",
            items=[views.quarantined(item) for item in items],
            counts={status.value: count for status, count in self._quarantine.count().items() if count},
            preview_bytes=views.PREVIEW_BYTES,
            next_page=f"/quarantine?after={quote(items[-1].id)}" if len(items) == PAGE else "",
        )

    def agents(self, _request: Request) -> Response:
        """All agents, who needs a look first."""
        return self.render("agents.html", here="", agents=[views.agent(agent) for agent in self._agents(self._clock())])

    def lost(self, _request: Request) -> Response:
        """What a browser gets where there is nothing."""
        return self.refused(NothingHere("there is nothing at this path"))

    def docs(self, _request: Request) -> Response:
        """The browsable API documentation."""
        return self.render("docs.html", here="docs")

    def refused(self, error: Exception, *, back: str = "/") -> Response:
        """An error as a page; ``back`` is where to go on."""
        refusal = refusal_for(error)
        return self.render("error.html", status=refusal.status, headers=refusal.headers, here="", refusal=refusal, back=back)

    def _state(self) -> dict[str, Any]:
        now_us = self._clock()
        return {
            "overview": self._overviews.at(now_us, self._principal()),
            "chart": self._chart(now_us),
            "agents": [views.agent(agent) for agent in self._agents(now_us)[:AGENTS_SHOWN]],
            "notices": dict(self._notices()) if self._notices else None,
        }

    def _agents(self, now_us: int) -> list[AgentStatus]:
        return sorted(self._reading.agents(now_us=now_us), key=lambda agent: (_URGENCY.index(agent.status), agent.account))

    def _chart(self, now_us: int) -> Chart:
        until_us = floor(now_us, DAY_US) + DAY_US
        since_us = max(0, until_us - CHART_DAYS * DAY_US)
        return chart(slots(self._reading.daily(since_us, until_us), since_us, until_us, DAY_US, "severity"))

    def render(self, template: str, *, status: int = 200, headers: Mapping[str, str] | None = None, **shown: Any) -> Response:
        """A template as a page, with what it shows."""
        signed_in = self._me()
        html = self._templates.get_template(template).render(shown, me=signed_in.user if signed_in else None)
        return HTMLResponse(html, status, headers={"Cache-Control": "no-store", **(headers or {})})


def palette_css() -> str:
    """The palette as custom properties, so that Slack and page cannot come apart."""
    properties = "".join(f"--sev-{number}:{tone.color};" for number, tone in enumerate(SEVERITIES))
    return f":root{{{properties}}}\n"
