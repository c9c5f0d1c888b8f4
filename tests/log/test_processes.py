"""Several processes on one file at once: append, tail, re-pack."""

from pathlib import Path

from pipeline.log.sqlite import SqliteLog
from tests.log.made_up import Clock
from tests.log.running import acknowledged, appender, assert_held

BATCHES = 60
PATIENCE_SECONDS = 30.0


def test_processes_append_re_pack_and_tail_at_once(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    log = SqliteLog(path, clock=Clock())
    told = sum(batch % 20 + 1 for batch in range(BATCHES))
    seen = log.heads()
    tailed = list(seen.values())
    children = [appender(path, name, 0, "--batches", str(BATCHES), "--repack-every", "7") for name in range(3)]

    while len(tailed) < 3 * told:
        assert log.wait(seen, PATIENCE_SECONDS), f"only {len(tailed)} of {3 * told} events came"
        for shard in log.shards():
            tailed += log.read(shard.id, seen.get(shard.id), 100).positions
        seen = {position.shard: position for position in tailed}

    for child in children:
        with child:
            assert child.stdout
            assert acknowledged(child.stdout.read()) == told
        assert child.returncode == 0
    assert len(set(tailed)) == len(tailed)
    assert seen == log.heads()
    for name in range(3):
        assert_held(log, name, told)
    assert log.check() == []
    log.close()


def test_processes_that_append_the_same_events_store_each_once(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    children = [appender(path, 0, 0, "--batches", "30", "--size", str(size)) for size in (5, 7, 11)]
    for child in children:
        with child:
            assert child.stdout
            child.stdout.read()
        assert child.returncode == 0

    log = SqliteLog(path, clock=Clock())

    assert log.behind({}) == 30 * 11
    assert_held(log, 0, 30 * 11)
    assert log.check() == []
    log.close()
