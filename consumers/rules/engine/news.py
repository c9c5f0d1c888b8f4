"""News of rules on the log itself: who reads them there knows that the book is behind, before it shows.

Without this a lane would go on judging by what it knew for as long as relay, projector and refresh take together. With it, what
stands on the log with the news or behind them is judged by the versions of its time. If the book does not follow within
``PATIENCE_US`` (the text cannot be read by this build), judging goes on without.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import orjson

from consumers.rules.engine.book import Book
from consumers.rules.engine.errors import BookBehind
from consumers.rules.engine.rule_set import RuleSet
from pipeline.log.port import Batch

PATIENCE_US: Final = 3_000_000

_PUBLISHED: Final = "rule.published"
_ENDED: Final = frozenset({"rule.retired", "rule.switched_off"})


class News:
    """Has a book brought up to what batches tell of rules. ``clock`` gives microseconds since the epoch."""

    def __init__(self, book: Book, *, clock: Callable[[], int], patience_us: int = PATIENCE_US) -> None:
        self._book = book
        self._clock = clock
        self._patience_us = patience_us
        self._waiting_since_us: int | None = None

    def wait_for(self, batches: Iterable[Batch]) -> None:
        """Refresh the book if the batches tell of rules. Raises ``BookBehind`` if it lacks what they tell: try again soon."""
        told = [one for batch in batches for one in _told(batch)]
        if told and not all(_known(self._book.rules, *one) for one in told):
            self._book.refresh(now=True)
        missing = [one for one in told if not _known(self._book.rules, *one)]
        if not missing:
            self._waiting_since_us = None
            return
        now_us = self._clock()
        if self._waiting_since_us is None:
            self._waiting_since_us = now_us
        if now_us - self._waiting_since_us < self._patience_us:
            kind, body, _ = missing[0]
            message = f"the log tells of {kind} of {body['rule_id']}, which the rules that were read do not know yet"
            raise BookBehind(message)


def _told(batch: Batch) -> Iterator[tuple[str, dict[str, Any], int]]:
    kinds = batch.columns.type
    if _PUBLISHED in kinds or not _ENDED.isdisjoint(kinds):
        for index, kind in enumerate(kinds):
            if kind == _PUBLISHED or kind in _ENDED:
                yield kind, orjson.loads(batch.bodies[index]), batch.columns.time_us[index]


def _known(rules: RuleSet, kind: str, body: dict[str, Any], time_us: int) -> bool:
    rule_id = body["rule_id"]
    if kind == _PUBLISHED:
        return (rule_id, body["version"]) in rules.versions
    versions = [version for (rule, _), version in rules.versions.items() if rule == rule_id and version.since_us <= time_us]
    if "version" in body:
        versions = [version for version in versions if version.number == body["version"]]
    return all(version.until_us <= body.get("until_us", time_us) for version in versions)
