"""The pages of silences: which there are, and the form that makes one, which links in messages lead to.

Forgery: posts are refused by ``Guard`` if they come from a page of another origin; who posts is known by the session's cookie.
Twice:   a form has a key of its own, so that posting it twice makes one silence.
Script:  none. What the form would match is shown by asking for the same page again.
"""

from dataclasses import replace
from typing import Final, cast, get_args
from urllib.parse import parse_qs, quote, urlencode

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from consumers.api.errors import KeyUsed, RequestRefused, ValueRefused, refusal_for
from consumers.api.freshness import Freshness
from consumers.api.gateway import read_body
from consumers.api.silence_models import Previewed, SilenceView, Status
from consumers.api.silencing import Silencing
from consumers.console.pages import Pages
from consumers.console.silence_form import HOURS, Form, by_line
from consumers.people.user import Entropy
from pipeline.desks.errors import KeyReused
from pipeline.errors import PipelineError
from projections.errors import NotFresh, ProjectionError
from projections.silence_pages import SilenceQuery

MAX_FORM_BYTES: Final = 256 * 1024
PREVIEW_HOURS: Final = 24
PAGE: Final = 50

_MADE_ALREADY: Final = "this form made a silence before, with other values; send it again to make another one"
_REFUSALS: Final = (RequestRefused, PipelineError, ProjectionError)
_SEE_OTHER: Final = 303
_STATUSES: Final = get_args(Status)
_DONE: Final = {"created": "The silence was created.", "ended": "The silence was ended."}


class SilencePages:
    """Over what people may do to silences. ``entropy`` draws the keys of forms."""

    def __init__(self, silencing: Silencing, pages: Pages, freshness: Freshness, *, entropy: Entropy) -> None:
        self._silencing = silencing
        self._pages = pages
        self._freshness = freshness
        self._entropy = entropy

    def listed(self, request: Request) -> Response:
        """All silences, those that have not ended first; behind a command, as that left them."""
        asked = request.query_params
        if asked.get("status", "") not in ("", *_STATUSES):
            return self._pages.refused(ValueRefused(f"status is one of {', '.join(_STATUSES)}"), back="/silences")
        status = cast("Status | None", asked.get("status") or None)
        self._await_written(asked.get("id", ""), asked.get("revision", ""))
        try:
            page = self._silencing.page(SilenceQuery(status, PAGE, asked.get("cursor", "")[:1024]))
        except ProjectionError as refused:
            return self._pages.refused(refused, back="/silences")
        more = {"status": status or "", "cursor": page.next or ""}
        return self._pages.render(
            "silences.html",
            here="silences",
            items=page.items,
            chosen=status or "",
            statuses=_STATUSES,
            done=_DONE.get(asked.get("done", ""), ""),
            next_page="/silences?" + urlencode({name: value for name, value in more.items() if value}) if page.next else "",
        )

    def form(self, request: Request) -> Response:
        """The form, with what the address says in it, and what that would match."""
        given = {name: request.query_params.getlist(name) for name in request.query_params}
        return self._form(Form.of(given))

    async def create(self, request: Request) -> Response:
        """Create the silence that the form asks for; show the form again if it cannot be."""
        form = Form.of(await _posted(request))
        return await to_thread.run_sync(self._created, form)

    async def expire(self, request: Request) -> Response:
        """End a silence now."""
        comment = Form.of(await _posted(request)).comment
        return await to_thread.run_sync(self._expired, str(request.path_params["silence_id"]), comment)

    def _created(self, form: Form) -> Response:
        try:
            wanted = form.wanted(now_us=self._silencing.clock())
            made = self._silencing.create(wanted, form.key, length_us=form.length_us)
        except KeyReused:
            return self._form(replace(form, key=""), KeyUsed(_MADE_ALREADY))
        except _REFUSALS as error:
            return self._form(form, refusal_for(error))
        return _back(made, "created")

    def _expired(self, silence_id: str, comment: str) -> Response:
        try:
            return _back(self._silencing.expire(silence_id, comment, ""), "ended")
        except _REFUSALS as error:
            return self._pages.refused(error, back="/silences")

    def _form(self, form: Form, refusal: RequestRefused | None = None) -> Response:
        preview: Previewed | None = None
        if form.matchers:
            try:
                preview = self._silencing.preview(form.matchers, PREVIEW_HOURS)
            except _REFUSALS as wrong:
                refusal = refusal or by_line(refusal_for(wrong))
        return self._pages.render(
            "silence_new.html",
            status=refusal.status if refusal else 200,
            here="silences",
            form=form,
            key=form.key or self._entropy(16).hex(),
            all_hours=HOURS,
            preview=preview,
            preview_hours=PREVIEW_HOURS,
            refusal=refusal,
        )

    def _await_written(self, silence_id: str, revision: str) -> None:
        """Wait for what a command did, for a while; the page comes in any case."""
        if revision.isascii() and revision.isdigit() and len(revision) < 10:  # noqa: PLR2004 -- a version
            try:
                self._freshness.at_least(int(revision), lambda: self._revision(silence_id))
            except NotFresh:
                return

    def _revision(self, silence_id: str) -> int:
        silence = self._silencing.known(silence_id)
        return silence.revision if silence else 0


async def _posted(request: Request) -> dict[str, list[str]]:
    body = await read_body(request, limit=MAX_FORM_BYTES)
    return parse_qs(body.decode("utf-8", "replace"))


def _back(silence: SilenceView, done: str) -> Response:
    """To the list, which then shows what was done."""
    address = f"/silences?done={done}&id={quote(silence.id)}&revision={silence.revision}"
    return RedirectResponse(address, _SEE_OTHER, headers={"Cache-Control": "no-store"})
