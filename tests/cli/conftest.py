"""The command line as the tests use it: in this process, on a data folder of its own."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from consumers.cli import call
from consumers.composition import open_log, open_store
from pipeline.settings import Settings
from projections.projector import Projector
from tests.cli.shell import Answer, Findstream


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty place for data, and settings that point to it."""
    folder = tmp_path / "var"
    monkeypatch.setenv("FINDSTREAM_HOME", str(folder))
    monkeypatch.delenv("FINDSTREAM_SLACK_WEBHOOK", raising=False)
    return folder


@pytest.fixture
def findstream(home: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> Findstream:
    """Call the command line with these arguments."""
    assert home

    def run(*arguments: str) -> Answer:
        capsysbinary.readouterr()
        code = call(arguments)
        told = capsysbinary.readouterr()
        return Answer(code, told.out.decode(errors="surrogateescape"), told.err.decode())

    return run


@pytest.fixture
def fold(home: Path) -> Callable[[], None]:
    """Fold what is on the log, as the projector would."""
    assert home

    def run() -> None:
        settings = Settings.load()
        with open_log(settings) as log, closing(open_store(settings)) as store:
            projector = Projector(log, store, token="test")
            while projector.step():
                pass
            projector.close()

    return run
