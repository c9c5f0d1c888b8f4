"""The log's events as an event source mapping brings them: the same positions as reading gives, and failures named by record."""

from typing import TYPE_CHECKING, Any

from pipeline.log.kinesis import batches_of
from tests.aws.event_source import EventSource
from tests.aws.kinesis_logs import log_on
from tests.aws.streams import stream
from tests.log.made_up import events

if TYPE_CHECKING:
    from pipeline.log.port import Record
    from tests.aws.clients import Server


def test_events_arrive_where_reading_finds_them_and_a_failed_one_comes_again_with_its_record(kinesalite: "Server") -> None:
    kinesis = kinesalite.client("kinesis")
    fails = iter([False, False, True, False, True])
    arrived: list[Record] = []

    with stream(kinesis, 2) as name:
        log = log_on(kinesis, name, aggregate_bytes=3_000)

        def handler(event: dict[str, Any], _: Any) -> dict[str, Any]:
            """Take half of what comes, if it is to fail, and report the event behind that."""
            (decoded,) = batches_of(event, log.keys_of)
            batch = decoded.batch
            taken = len(batch) // 2 if next(fails, False) else len(batch)
            arrived.extend(batch.select(range(taken)).records())
            failed = [str(position.sequence) for position in batch.positions[taken : taken + 1]]
            return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}

        log.append(events(0, 200))
        EventSource(kinesis, name, handler, batch_size=5).drain()
        read = {record.position: record for shard in log.shards() for record in log.read(shard.id, None, 1000).records()}

    assert len(arrived) > len(read) == 200
    first = {record.position: record for record in arrived}
    assert read == first
    for shard in {position.shard for position in read}:
        assert sorted(position for position in first if position.shard == shard) == [p for p in first if p.shard == shard]
