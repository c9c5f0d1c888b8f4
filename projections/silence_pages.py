"""Silences as readers ask for them: all that have not ended, or pages of many, the last to end first."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import orjson

from projections.errors import CursorRejected
from projections.policies import ENDING, SILENCES, KnownSilence, SilenceStatus, known_silence, place
from projections.projection import Rows
from projections.stores.port import GenerationRows
from schemas.envelope import MAX_TIME_US

_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class SilenceQuery:
    """A question for silences; ``status`` None: however they stand. ``cursor`` is a page's ``next`` for the same status."""

    status: SilenceStatus | None = None
    limit: int = 50
    cursor: str = ""


@dataclass(frozen=True, slots=True)
class SilencePage:
    """Silences, the last to end first, and an opaque cursor to the following page ("": there is none)."""

    silences: tuple[KnownSilence, ...]
    next: str


def live(rows: GenerationRows, ending_after_us: int) -> list[KnownSilence]:
    """All that end after a time, the last to end first."""
    found = (silence for silence, _ in _from(rows, place(MAX_TIME_US)))
    living: list[KnownSilence] = []
    for silence in found:
        if silence.ends_us <= ending_after_us:
            break
        living.append(silence)
    return living


def find(rows: Rows, silence_id: str) -> KnownSilence | None:
    """The silence of this id; None if none was ever created."""
    key = f"{SILENCES}/{silence_id}"
    document = rows.documents([key]).get(key)
    return known_silence(document) if document else None


def page(rows: GenerationRows, query: SilenceQuery, *, now_us: int) -> SilencePage:
    """A page. How a silence stands is as of ``now_us``. Raises ``CursorRejected``."""
    matching: list[KnownSilence] = []
    after = _read_cursor(query) or place(now_us if query.status == "ended" else MAX_TIME_US)
    for silence, key in _from(rows, after):
        if query.status in ("active", "pending") and silence.ends_us <= now_us:
            break
        if query.status in (None, silence.status(now_us)):
            if len(matching) == query.limit:
                return SilencePage(tuple(matching), _cursor(query, after))
            matching.append(silence)
        after = key
    return SilencePage(tuple(matching), "")


def _from(rows: GenerationRows, after: str) -> Iterator[tuple[KnownSilence, str]]:
    """The silences behind a place, each with its own."""
    while leads := rows.documents_from(ENDING, after, _AT_ONCE):
        documents = rows.documents({f"{SILENCES}/{lead['id']}" for _, lead in leads})
        for key, lead in leads:
            silence = known_silence(documents[f"{SILENCES}/{lead['id']}"])
            if silence.ends_us == lead["ends_us"]:
                yield silence, key
        after = leads[-1][0]


def _cursor(query: SilenceQuery, after: str) -> str:
    return urlsafe_b64encode(orjson.dumps([query.status, after])).decode().rstrip("=")


def _read_cursor(query: SilenceQuery) -> str:
    """The place behind which the page begins; "" without a cursor. Raises ``CursorRejected``."""
    if not query.cursor:
        return ""
    try:
        status, after = orjson.loads(urlsafe_b64decode(query.cursor + "=" * (-len(query.cursor) % 4)))
    except (ValueError, TypeError):
        status = after = None
    if type(after) is not str or not after.startswith(f"{ENDING}//"):
        message = "cursor: not one of this system's; leave it out to begin at the first page"
        raise CursorRejected(message)
    if status != query.status:
        message = "cursor: made for another status; keep it the same while paging"
        raise CursorRejected(message)
    return after
