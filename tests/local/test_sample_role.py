"""The role that makes findings up: what the log did not take is given again."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Event

import pytest

from consumers.roles import sample
from pipeline.errors import LogUnavailable
from pipeline.settings import Settings


class Desk:
    """Refuses the first call, then takes three and tells to stop."""

    def __init__(self, stop: Event) -> None:
        self.stop = stop
        self.calls: list[list[bytes]] = []

    def take_lines(self, lines: Iterable[bytes], *, origin: str) -> None:
        assert origin == "sample"
        self.calls.append(list(lines))
        if len(self.calls) == 1:
            message = "the disk is busy"
            raise LogUnavailable(message)
        if len(self.calls) == 4:
            self.stop.set()


def test_what_was_not_taken_is_given_again(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    stop = Event()
    desk = Desk(stop)

    @contextmanager
    def open_desk(_: Settings) -> Iterator[Desk]:
        yield desk

    monkeypatch.setattr(sample, "open_ingest", open_desk)
    monkeypatch.setattr(sample, "_PATIENCE_SECONDS", 0.01)

    sample.run(Settings(sample_rate=500), stop)

    assert desk.calls[0] == desk.calls[1]
    assert desk.calls[1] != desk.calls[2]
    assert "waiting: the disk is busy" in caplog.text
