"""Whole events are found by position, however the batches were cut in which they were kept."""

from collections.abc import Callable  # noqa: TC003
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.bodies import objects
from pipeline.bodies.folder import FolderBodies
from pipeline.bodies.log import LogWithBodies
from pipeline.bodies.port import Bodies
from pipeline.bodies.s3 import S3Bodies
from pipeline.errors import BodiesUnavailable
from pipeline.log.port import Position, Record
from tests.aws.clients import Server
from tests.support.effort import share
from tests.support.facts import finding
from tests.support.memory_log import MemoryLog, batch_of

SHARD = "shard-0"
FIRST = 10**20 - 7
"""Sequence numbers grow a digit on the way."""
RECORDS = [Record(Position(SHARD, FIRST + n // 3, n % 3), 1_000 + n, finding(n)) for n in range(60)]


def folder(_: pytest.FixtureRequest, tmp_path: Path) -> Bodies:
    return FolderBodies(tmp_path / "bodies")


def s3(request: pytest.FixtureRequest, tmp_path: Path) -> Bodies:
    server: Server = request.getfixturevalue("ministack")
    client = server.client("s3")
    client.create_bucket(Bucket=tmp_path.name.replace("_", "-"), CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    return S3Bodies(client, tmp_path.name.replace("_", "-"), "bodies/")


@pytest.fixture(params=[folder, s3], ids=lambda make: make.__name__)
def bodies(request: pytest.FixtureRequest, tmp_path: Path) -> Bodies:
    make: Callable[[pytest.FixtureRequest, Path], Bodies] = request.param
    return make(request, tmp_path)


def test_nothing_is_found_where_nothing_was_kept(bodies: Bodies) -> None:
    bodies.keep(batch_of(SHARD, []))

    assert bodies.fetch([RECORDS[0].position]) == [None]
    assert bodies.fetch([]) == []


def test_events_are_found_whole_in_the_order_asked(bodies: Bodies) -> None:
    bodies.keep(batch_of(SHARD, RECORDS[:20]))
    bodies.keep(batch_of(SHARD, RECORDS[20:]))
    asked = [RECORDS[n] for n in (59, 0, 19, 20, 0)]

    assert bodies.fetch([record.position for record in asked]) == asked


def test_what_was_never_kept_is_none(bodies: Bodies) -> None:
    bodies.keep(batch_of(SHARD, RECORDS[10:20]))
    absent = [RECORDS[9].position, RECORDS[20].position, Position("shard-1", FIRST), RECORDS[12].position._replace(sub=77)]

    assert bodies.fetch(absent) == [None] * 4


def test_a_shard_whose_name_begins_another_s_is_apart(bodies: Bodies) -> None:
    other = [Record(Position("shard-01", FIRST, n), 5, finding(n)) for n in range(3)]
    bodies.keep(batch_of("shard-01", other))

    assert bodies.fetch([RECORDS[0].position, other[1].position]) == [None, other[1]]


@given(cuts=st.lists(st.tuples(st.integers(0, 59), st.integers(1, 60)), min_size=1, max_size=6))
@settings(share(2), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_batches_may_be_delivered_again_and_cut_otherwise(bodies: Bodies, cuts: list[tuple[int, int]]) -> None:
    for first, size in cuts:
        bodies.keep(batch_of(SHARD, RECORDS[first : first + size]))

    kept = {n for first, size in cuts for n in range(first, min(first + size, 60))}
    found = bodies.fetch([record.position for record in RECORDS])
    assert [found[n] for n in sorted(kept)] == [RECORDS[n] for n in sorted(kept)]


def test_a_batch_has_the_same_bytes_whenever_it_is_written() -> None:
    assert objects.encode(batch_of(SHARD, RECORDS)) == objects.encode(batch_of(SHARD, list(RECORDS)))
    assert list(objects.decode(SHARD, objects.encode(batch_of(SHARD, RECORDS))).records()) == RECORDS


def test_a_damaged_object_says_so(bodies: Bodies, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as damaged:
        damaged.setattr(objects, "encode", lambda _: b"nothing of ours")
        bodies.keep(batch_of(SHARD, RECORDS))

    with pytest.raises(BodiesUnavailable):
        bodies.fetch([RECORDS[0].position])


def test_a_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "bodies").write_bytes(b"in the way")

    with pytest.raises(BodiesUnavailable):
        FolderBodies(tmp_path / "bodies").keep(batch_of(SHARD, RECORDS))


def test_a_bucket_that_is_absent_says_so(ministack: Server) -> None:
    with pytest.raises(BodiesUnavailable, match="s3://absent"):
        S3Bodies(ministack.client("s3"), "absent").keep(batch_of(SHARD, RECORDS))


def test_a_log_finds_events_in_the_bodies_first_and_what_is_not_there_in_itself(tmp_path: Path) -> None:
    log = MemoryLog(shards=1)
    log.append([finding(n) for n in range(6)])
    records = log.records()
    bodies = FolderBodies(tmp_path)
    bodies.keep(batch_of(SHARD, records[:3]))
    log.forget(SHARD, 2)
    both = LogWithBodies(log, bodies)

    positions = [record.position for record in records]
    assert both.fetch(positions) == records
    assert both.fetch([]) == []
    assert both.read(SHARD, None, 2).positions == positions[2:4]
    assert both.heads() == log.heads()
    assert both.behind({}) == 4
    assert both.shards() == log.shards()
    assert both.wait({}, 0)
    assert both.append([finding(9)])[0].position == log.heads()[SHARD]
