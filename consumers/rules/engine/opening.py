"""How the engine's parts are put together. Only doors use this."""

from collections.abc import Callable
from functools import partial

from consumers.rules.compiled import compile_rule
from consumers.rules.engine.book import REFRESH_US, Book
from consumers.rules.engine.faults import MOST
from consumers.rules.engine.published import Catalog, Published
from consumers.rules.judge import make_judge


def open_book(catalog: Catalog, *, clock: Callable[[], int], refresh_us: int = REFRESH_US) -> Book:
    """The book of what is published, as the catalogue knows it."""
    judge = partial(make_judge, most_slow=MOST["too_slow"])
    return Book(Published(catalog), compile_rule, judge, clock=clock, refresh_us=refresh_us)
