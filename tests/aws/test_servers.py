import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError

from tests.aws import servers
from tests.aws.clients import Server
from tests.aws.servers import Program
from tests.aws.streams import stream
from tests.local.running import wait_until

if TYPE_CHECKING:
    from types_boto3_kinesis import KinesisClient

SLEEPER = Program("sleeper", (sys.executable, "-c", "import sys; sys.exit('no licence')"), Path(sys.executable))
ABSENT = Program("nowhere", (sys.executable,), Path("/nowhere"))


@pytest.mark.parametrize("name", ["kinesalite", "kinesis_local", "moto", "ministack"])
def test_a_stream_gives_back_what_was_put(name: str, request: pytest.FixtureRequest) -> None:
    server: Server = request.getfixturevalue(name)
    kinesis = server.client("kinesis")

    with stream(kinesis, shards=2) as ours:
        put = kinesis.put_record(StreamName=ours, PartitionKey="a", Data=b"hello")
        start = kinesis.get_shard_iterator(StreamName=ours, ShardId=put["ShardId"], ShardIteratorType="TRIM_HORIZON")
        records = kinesis.get_records(ShardIterator=start["ShardIterator"])["Records"]

    assert [(r["Data"], r["PartitionKey"], r["SequenceNumber"]) for r in records] == [(b"hello", "a", put["SequenceNumber"])]


@pytest.mark.parametrize("name", ["moto", "ministack"])
def test_a_table_a_bucket_and_a_queue_keep_what_they_get(name: str, request: pytest.FixtureRequest) -> None:
    server: Server = request.getfixturevalue(name)
    dynamodb, s3, sqs = server.client("dynamodb"), server.client("s3"), server.client("sqs")
    dynamodb.create_table(
        TableName="kept",
        KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    s3.create_bucket(Bucket="kept", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    queue = sqs.create_queue(QueueName="kept")["QueueUrl"]

    dynamodb.transact_write_items(TransactItems=[{"Put": {"TableName": "kept", "Item": {"key": {"S": "a"}}}}])
    s3.put_object(Bucket="kept", Key="a", Body=b"hello")
    sqs.send_message(QueueUrl=queue, MessageBody="hello")

    assert dynamodb.get_item(TableName="kept", Key={"key": {"S": "a"}})["Item"] == {"key": {"S": "a"}}
    assert s3.get_object(Bucket="kept", Key="a")["Body"].read() == b"hello"
    assert [m["Body"] for m in sqs.receive_message(QueueUrl=queue)["Messages"]] == ["hello"]


def test_accounts_of_ministack_do_not_see_each_other(ministack: Server) -> None:
    ministack.client("s3", account="111111111111").create_bucket(
        Bucket="private", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )

    assert "private" not in {
        bucket["Name"] for bucket in ministack.client("s3", account="222222222222").list_buckets()["Buckets"]
    }


@pytest.mark.parametrize("start", [servers.kinesalite, servers.moto])
def test_a_server_is_gone_after_its_context(start: Callable[[], AbstractContextManager[Server]]) -> None:
    with start() as server:
        kinesis = server.client("kinesis")
        kinesis.list_streams()

    with pytest.raises(EndpointConnectionError):
        kinesis.list_streams()


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="only setpriv keeps a server on a leash")
def test_a_server_does_not_outlive_a_killed_starter() -> None:
    if not servers.MOTO.there():
        servers.refuse("moto is absent: make emulators")
    starter = "from tests.aws.servers import moto\nwith moto() as server: print(server.url, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", starter], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=servers.ROOT
    ) as process:
        assert process.stdout is not None
        kinesis = Server("moto", process.stdout.readline().strip()).client("kinesis")
        assert kinesis.list_streams()["StreamNames"] == []
        process.kill()

    wait_until(lambda: not answers(kinesis))


def answers(kinesis: "KinesisClient") -> bool:
    try:
        kinesis.list_streams()
    except (EndpointConnectionError, ConnectionClosedError):
        return False
    return True


def test_a_server_that_does_not_start_fails_with_what_it_said() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"sleeper does not start.*no licence"), servers.serving(SLEEPER):
        pass


def test_an_absent_server_skips_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)

    with pytest.raises(pytest.skip.Exception, match="nowhere is absent: make emulators"), servers.serving(ABSENT):
        pass


def test_an_absent_server_fails_the_test_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")

    with pytest.raises(pytest.fail.Exception, match="nowhere is absent: make emulators"), servers.serving(ABSENT):
        pass
