"""The page of notices: what was told, what was not, and why, in a sentence each; and dead letters to be sent on their way again.

Forgery: the post is refused by ``Guard`` if it comes from a page of another origin; the table of permissions says who may.
"""

from typing import Final, TypeVar
from urllib.parse import parse_qs, urlencode

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from consumers.api import notice_views
from consumers.api.errors import NothingHere
from consumers.api.gateway import read_body
from consumers.api.telling import Telling
from consumers.console.pages import Pages
from consumers.notifier.errors import NotifierError
from consumers.notifier.ledger.port import Wanted
from consumers.notifier.notice import Key, Reason, State
from projections.errors import CursorRejected

PAGE: Final = 50
MAX_FORM_BYTES: Final = 16 * 1024
_SEE_OTHER: Final = 303

_Word = TypeVar("_Word", State, Reason)


class NotificationPages:
    """Over what may be asked of notifying."""

    def __init__(self, telling: Telling, pages: Pages) -> None:
        self._telling = telling
        self._pages = pages

    def listed(self, request: Request) -> Response:
        """Notices, the last decided first. A filter that is none does not filter."""
        asked = request.query_params
        state, reason = _one_of(State, asked.get("state", "")), _one_of(Reason, asked.get("reason", ""))
        channel, event = asked.get("channel", "")[:64], asked.get("event", "")[:512]
        try:
            page = self._telling.page(Wanted(state, reason, channel, event, limit=PAGE), asked.get("cursor", "")[:4096])
            channels = self._telling.channels()
        except (NotifierError, CursorRejected) as refused:
            return self._pages.refused(refused, back="/notifications")
        given = {"state": state or "", "reason": reason or "", "channel": channel, "event": event}
        return self._pages.render(
            "notifications.html",
            here="notifications",
            items=notice_views.listed(page).items,
            channels=channels,
            states=list(State),
            asked=given,
            filtered=any(given.values()),
            done=asked.get("redriven", "") if asked.get("redriven", "").isdigit() else "",
            tried=asked.get("tried", "") if asked.get("tried", "") in {each.name for each in channels} else "",
            next_page=_address(given | {"cursor": page.next}) if page.next else "",
        )

    async def redrive(self, request: Request) -> Response:
        """Make the dead letter that the form names pending again, and go back to the list."""
        form = parse_qs((await read_body(request, limit=MAX_FORM_BYTES)).decode("utf-8", "replace"))
        return await to_thread.run_sync(self._redriven, form.get("key", [""])[0])

    async def retry(self, request: Request) -> Response:
        """Have the channel that the form names tried now, and go back to the list."""
        form = parse_qs((await read_body(request, limit=MAX_FORM_BYTES)).decode("utf-8", "replace"))
        return await to_thread.run_sync(self._tried, form.get("channel", [""])[0])

    def _tried(self, channel: str) -> Response:
        try:
            self._telling.retry(channel)
        except (NotifierError, NothingHere) as refused:
            return self._pages.refused(refused, back="/notifications")
        return RedirectResponse(
            f"/notifications?{urlencode({'tried': channel})}", _SEE_OTHER, headers={"Cache-Control": "no-store"}
        )

    def _redriven(self, text: str) -> Response:
        try:
            done = self._telling.redrive([Key.parse(text)])
        except ValueError:
            done = 0
        except NotifierError as refused:
            return self._pages.refused(refused, back="/notifications")
        return RedirectResponse(f"/notifications?redriven={done}", _SEE_OTHER, headers={"Cache-Control": "no-store"})


def _one_of(kind: type[_Word], text: str) -> _Word | None:
    try:
        return kind(text)
    except ValueError:
        return None


def _address(given: dict[str, str]) -> str:
    return "/notifications?" + urlencode({name: value for name, value in given.items() if value})
