"""A backup of the desks, taken while people command: desks and log in it agree; what the log lacks is relayed again."""

import threading
from contextlib import closing
from pathlib import Path

from consumers.home import Home
from consumers.keeping import back_up, restore
from pipeline.desks.desk import Asked
from pipeline.desks.recorder.sqlite import open_sqlite
from pipeline.desks.relay import Relay
from pipeline.desks.task import CommentOnTask, Task
from pipeline.log.sqlite import SqliteLog
from tests.desks.editor import desk_over, now_us
from tests.desks.world import create


def _live(home: Home, stop: threading.Event, started: threading.Event) -> None:
    """Command and relay until told to stop."""
    recorders = open_sqlite(home.desks)
    desk = desk_over(recorders)
    task = desk.make(Task, create(), Asked("ada"))
    with closing(SqliteLog(home.log, shards=2, clock=now_us)) as log:
        relay = Relay(recorders, log, batch=3)
        number = 0
        while not stop.is_set():
            number += 1
            desk.do(Task, task.id, CommentOnTask(f"Hm {number}."), Asked("ada", key=f"k{number}"))
            if number % 2:
                relay.step()
            if number > 5:
                started.set()
    recorders.close()


def _facts(home: Home) -> list[int]:
    with closing(SqliteLog(home.log, clock=now_us)) as log:
        return [record.event.data["version"] for shard in log.shards() for record in log.read(shard.id, None, 100_000).records()]


def test_desks_and_log_of_a_backup_agree(tmp_path: Path) -> None:
    home = Home(tmp_path / "var")
    home.make()
    stop, started = threading.Event(), threading.Event()
    living = threading.Thread(target=_live, args=(home, stop, started))
    living.start()
    assert started.wait(60)
    manifests = [back_up(home, tmp_path / f"copy-{number}", clock=now_us) for number in range(5)]
    stop.set()
    living.join(60)

    for number, manifest in enumerate(manifests):
        again = Home(tmp_path / f"again-{number}")
        restore(tmp_path / f"copy-{number}", again, clock=now_us)
        recorders = open_sqlite(again.desks)
        (task,) = {n.originator_id for n in recorders.events.select_notifications(None, 1, topics=["task.created"])}
        stored = [event.originator_version for event in recorders.events.select_events(task)]
        with closing(SqliteLog(again.log, clock=now_us)) as log:
            relay = Relay(recorders, log)
            before = _facts(again)
            assert relay.mend(log.find) == 0
            while relay.step():
                pass
        recorders.close()

        assert [entry.name for entry in manifest.parts] == ["desks", "log"]
        assert before == stored[: len(before)]
        assert _facts(again) == stored
