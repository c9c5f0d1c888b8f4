"""Samples in time: told when due, together where several are, none skipped, and stopped when asked."""

from threading import Event

from consumers.sample import Item
from consumers.sample.pacing import due

ITEMS = [Item(b"{}", "own", at_us) for at_us in (10, 20, 20, 30)]


class Clock:
    """Steps on by itself, a microsecond a look."""

    def __init__(self, now_us: int) -> None:
        self.now_us = now_us

    def __call__(self) -> int:
        self.now_us += 1
        return self.now_us


def test_what_is_due_comes_together() -> None:
    assert list(due(ITEMS, lambda: 25, Event()).__next__()) == ITEMS[:3]


def test_nothing_comes_early_and_nothing_is_skipped() -> None:
    clock = Clock(0)
    told = []
    for batch in due(ITEMS, clock, Event()):
        assert max(item.at_us for item in batch) <= clock.now_us
        told += batch

    assert told == ITEMS


def test_after_a_pause_everything_comes_at_once() -> None:
    assert list(due(ITEMS, lambda: 1000, Event())) == [ITEMS]


def test_a_stop_ends_it() -> None:
    stop = Event()
    stop.set()

    assert list(due(ITEMS, lambda: 0, stop)) == []


def test_a_batch_has_a_limit() -> None:
    many = [Item(b"{}", "own", 1)] * 2500

    assert [len(batch) for batch in due(many, lambda: 5, Event())] == [1000, 1000, 500]
