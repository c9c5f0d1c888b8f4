"""A log that ends before what was concluded from it is refused: its new events would be passed over in silence."""

import os
import subprocess
from contextlib import closing
from pathlib import Path
from threading import Event

import orjson
import pytest

from consumers.agreement import beyond
from consumers.composition import open_ingest, open_log, open_store
from consumers.errors import LogCutShort
from consumers.notifier.assembly import open_ledger
from consumers.roles import load
from pipeline.log.port import Position
from pipeline.settings import Settings
from projections.projector import ALL, Projector
from projections.rebuild import Rebuilder
from tests.cli.shell import finding
from tests.local.running import COMMAND, environment, free_port


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A data folder whose five findings were folded and read by the notifier."""
    for name in [name for name in os.environ if name.startswith("FINDSTREAM_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("FINDSTREAM_HOME", str(tmp_path / "var"))
    monkeypatch.setenv("FINDSTREAM_SHARDS", "1")
    settings = Settings.load()
    take(settings, 0, 5)
    with (
        open_log(settings) as log,
        closing(open_store(settings)) as store,
        closing(open_ledger(settings.home)) as ledger,
        closing(Projector(log, store, token="test")) as projector,
    ):
        projector.step()
        ledger.begin(log.heads())
    return settings


def take(settings: Settings, first: int, count: int) -> None:
    with open_ingest(settings) as desk:
        desk.take_lines([orjson.dumps(finding(number)) for number in range(first, first + count)], origin="test")


def cut_short(settings: Settings) -> None:
    """Another log in the place of the first, with fewer events."""
    for path in settings.home.glob("log.db*"):
        path.unlink()
    take(settings, 100, 3)


def stopped() -> Event:
    stop = Event()
    stop.set()
    return stop


def test_what_a_log_reaches_is_not_beyond_it() -> None:
    heads = {"shard-0": Position("shard-0", 7, 1)}

    assert beyond({}, heads) == []
    assert beyond({"shard-0": Position("shard-0", 7, 1)}, heads) == []
    assert beyond({"shard-0": Position("shard-0", 7, 2), "shard-1": Position("shard-1", 0)}, heads) == [
        "shard-0:7:2",
        "shard-1:0:0",
    ]


@pytest.mark.parametrize("role", ["projector", "notifier"])
def test_a_role_goes_on_with_the_log_that_it_knows(settings: Settings, role: str) -> None:
    take(settings, 5, 1)

    load(role)(settings, stopped())


@pytest.mark.parametrize("role", ["projector", "notifier"])
def test_a_role_does_not_go_on_behind_the_end_of_the_log(settings: Settings, role: str) -> None:
    cut_short(settings)

    with pytest.raises(LogCutShort, match="shard-0:4:0"):
        load(role)(settings, stopped())


@pytest.mark.parametrize("missing", [False, True])
def test_a_run_is_refused_before_anything_starts(settings: Settings, *, missing: bool) -> None:
    cut_short(settings)
    if missing:
        for path in settings.home.glob("log.db*"):
            path.unlink()
    shards = {"FINDSTREAM_SHARDS": "1"}

    answer = subprocess.run(
        [*COMMAND, "run", "--sample"], capture_output=True, check=False, env=environment(settings.home, free_port()) | shards
    )

    assert answer.returncode == 1
    assert b"the log ends before shard-0:4:0" in answer.stderr
    assert len(answer.stderr.splitlines()) == 1


def test_after_a_rebuild_and_a_new_ledger_all_goes_on(settings: Settings) -> None:
    cut_short(settings)
    with open_log(settings) as log, closing(open_store(settings)) as store:
        for projection in ALL:
            Rebuilder(log, store, "rebuild").rebuild(projection)
    for path in settings.home.glob("notices.db*"):
        path.rename(path.with_name(f"former-{path.name}"))

    for role in ("projector", "notifier"):
        load(role)(settings, stopped())
