"""Delivery wrappers come off, in any nesting; what they hold comes out one by one; what is no item is kept narrowed."""

import gzip
import zlib
from base64 import b64encode
from typing import Any

import orjson
import pytest

from pipeline import recognise
from pipeline.recognise import Refused
from pipeline.unwrap.packing import MEBIBYTE, Budget
from schemas.envelope import Envelope
from tests.sources import items

Item = dict[str, Any]


def answers(value: Any) -> list[Envelope | Refused]:
    raw = value if isinstance(value, bytes) else orjson.dumps(value)
    budget = Budget(MEBIBYTE)
    return list(recognise.events(recognise.documents(raw, budget), frozenset(), budget))


def ids(value: Any) -> list[str]:
    found = answers(value)
    return [answer.id if isinstance(answer, Envelope) else answer.reason for answer in found]


def refused(value: Any) -> list[Refused]:
    return [answer for answer in answers(value) if isinstance(answer, Refused)]


def text(value: Any) -> str:
    return orjson.dumps(value).decode()


def base64(value: Any) -> str:
    return b64encode(value if isinstance(value, bytes) else orjson.dumps(value)).decode()


def sqs(body: str, **more: Any) -> Item:
    return {
        "messageId": "m-1",
        "receiptHandle": "handle-1",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1", "ApproximateFirstReceiveTimestamp": "7", "SenderId": "s"},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-central-1:210987654321:in",
    } | more


def sns(message: Any, **more: Any) -> Item:
    return {"Type": "Notification", "MessageId": "n-1", "TopicArn": "arn:topic", "Message": message} | more


def sns_record(message: str) -> Item:
    return {"EventSource": "aws:sns", "EventVersion": "1.0", "Sns": sns(message)}


def kinesis(data: str) -> Item:
    return {"kinesis": {"partitionKey": "p", "data": data}, "eventSource": "aws:kinesis", "eventID": "shard:1"}


def firehose(*data: Any) -> Item:
    return {
        "invocationId": "i",
        "deliveryStreamArn": "arn:firehose",
        "records": [{"recordId": str(number), "data": one} for number, one in enumerate(data)],
    }


ALARM = items.alarm()
PLAIN = ids(ALARM)[0]


@pytest.mark.parametrize(
    "wrapped",
    [
        [ALARM],
        sqs(text(ALARM)),
        {"Records": [sqs(text(ALARM))]},
        {"Messages": [{"MessageId": "m", "ReceiptHandle": "h", "Body": text(ALARM)}]},
        sns(text(ALARM)),
        {"Records": [sns_record(text(ALARM))]},
        {"Records": [sqs(text(sns(text(ALARM))))]},
        {"Records": [kinesis(base64(ALARM))]},
        {"eventSource": "aws:kinesis", "partitionKey": "p", "data": base64(ALARM)},
        [{"eventSource": "aws:kinesis", "partitionKey": "p", "data": base64(gzip.compress(orjson.dumps(ALARM)))}],
        firehose(base64(ALARM)),
        {"requestId": "r", "timestamp": 1, "records": [{"data": base64(ALARM)}]},
        firehose(base64({"Records": [sqs(text(sns(text([ALARM]))))]})),
    ],
    ids=[
        "array",
        "SQS record",
        "SQS batch",
        "SQS received",
        "SNS message",
        "SNS batch",
        "SQS of SNS",
        "Kinesis batch",
        "Kinesis from Pipes",
        "Kinesis gzip",
        "Firehose",
        "Firehose HTTP",
        "all of it",
    ],
)
def test_an_item_in_wrappers_is_the_item(wrapped: Any) -> None:
    assert ids(wrapped) == [PLAIN]


def test_an_alarm_message_in_sns_in_sqs_is_an_alarm() -> None:
    assert ids({"Records": [sqs(text(sns(text(items.alarm_by_sns()))))]}) == ids(items.alarm_by_sns())


def test_gzip_around_all_is_opened() -> None:
    assert ids(gzip.compress(orjson.dumps([ALARM]))) == [PLAIN]


def test_a_redelivered_message_has_the_same_id() -> None:
    again = sqs(text(ALARM), receiptHandle="handle-2", attributes={"ApproximateReceiveCount": "2"})

    assert ids({"Records": [again]}) == [PLAIN]


def test_log_events_come_out_one_by_one_however_they_are_wrapped() -> None:
    payload = items.logs(items.log_event("ERROR a", id="1"), items.log_event("ERROR b", id="2"))
    packed = gzip.compress(orjson.dumps(payload))
    alone = [ids(items.logs(event))[0] for event in payload["logEvents"]]

    assert len(set(alone)) == 2
    for wrapped in (
        payload,
        {"awslogs": {"data": base64(packed)}},
        {"awslogs": {"data": base64(zlib.compress(orjson.dumps(payload)))}},
        {"Records": [kinesis(base64(packed))]},
        firehose(base64(packed)),
    ):
        assert ids(wrapped) == alone


def test_findings_of_a_batch_come_out_one_by_one() -> None:
    batch = {"Findings": [items.asff(Id="a"), items.from_sdk(items.guardduty()), {"odd": 1}], "NextToken": "t"}

    first, second, third = answers(batch)

    assert isinstance(first, Envelope)
    assert isinstance(second, Envelope)
    assert [first.source, second.source] == ["aws.securityhub", "aws.guardduty"]
    assert isinstance(third, Refused)
    assert orjson.loads(third.unit.payload()) == {"odd": 1}


def test_a_security_hub_envelope_with_several_findings_is_several() -> None:
    detail = {"actionName": "Mend", "findings": [items.asff(Id="a"), items.asff(Id="b", Severity={"Label": "LOW"})]}
    envelope = items.envelope("aws.securityhub", "Security Hub Findings - Custom Action", detail)

    both = [answer for answer in answers(envelope) if isinstance(answer, Envelope)]

    assert [(event.subject, event.severity) for event in both] == [("securityhub/a", 3), ("securityhub/b", 1)]
    assert both[0].source_id == both[1].source_id
    assert [event.data["raw"]["detail"]["findings"][0]["Id"] for event in both] == ["a", "b"]


def test_a_file_of_cloudtrail_and_an_answer_of_lookup_events() -> None:
    records = [items.trail(eventID="1"), items.trail(eventID="2")]
    looked_up = {"Events": [{"EventId": "1", "CloudTrailEvent": text(record)} for record in records]}

    assert ids({"Records": records}) == ids(looked_up) == ids(records)


def test_a_message_may_hold_lines() -> None:
    lines = orjson.dumps(ALARM) + b"\n" + orjson.dumps(items.stack()) + b"\nrubbish\n"

    found = ids({"Records": [kinesis(base64(lines))]})

    assert found == [
        PLAIN,
        ids(items.stack())[0],
        "Records[0].kinesis.data is no JSON: unexpected character, expected a JSON value",
    ]


def test_text_that_is_no_json_is_one_unit_of_any_number_of_lines() -> None:
    [one] = refused({"Records": [sns_record("All\nis\nwell")]})

    assert one.reason == "Records[0].Sns.Message is no JSON: 'All\\nis\\nwell'"
    assert one.faults[0].field == "Records[0].Sns.Message"
    assert one.unit.place == "Records[0].Sns.Message"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([], "the array is empty"),
        ({"Records": []}, "Records is empty"),
        ({"Findings": []}, "Findings is empty"),
        (firehose(), "records is empty"),
        (items.logs() | {"logEvents": []}, "logEvents is empty"),
        (items.logs(messageType="CONTROL_MESSAGE"), "CloudWatch Logs CONTROL_MESSAGE is a check of the destination, no finding"),
        (
            sns("You have chosen to subscribe", Type="SubscriptionConfirmation", SubscribeURL="https://sns.example/"),
            "SNS SubscriptionConfirmation of 'arn:topic' is no finding; confirm it by its SubscribeURL if it is yours",
        ),
        ({"Records": [kinesis("%")]}, "Records[0].kinesis.data is not base64"),
        ({"awslogs": {"data": None}}, "awslogs.data is not base64"),
        ({"awslogs": "x"}, "awslogs.data is not base64"),
        (
            {"awslogs": {"data": base64(b"\x1f\x8bno")}},
            "awslogs.data is damaged gzip: Error -3 while decompressing data: unknown compression method",
        ),
        (
            {"Records": [kinesis(base64(b"\xf3\x89\x9a\xc2rest"))]},
            "Records[0].kinesis.data is an aggregated Kinesis record (KPL), which is not taken apart here",
        ),
        (firehose({"no": "text"}), "records[0].data is not base64"),
        ({"requestId": "r", "records": [5]}, "records[0].data is not base64"),
        (sqs("") | {"body": {"no": "text"}}, "body is not text"),
        (sns(None), "Message is not text"),
        ({"CloudTrailEvent": 5}, "CloudTrailEvent is not text"),
        (5, "'5' is no item: expected a JSON object"),
        (["x"], "'x' is no item: expected a JSON object"),
        (b"rubbish", "the input is no JSON: unexpected character, expected a JSON value"),
        (gzip.compress(b"x" * (2 << 20)), "the input unpacks to more than 1 MiB"),
        ({"awslogs": {"data": base64(gzip.compress(b"x" * (2 << 20)))}}, "awslogs.data unpacks to more than 1 MiB"),
    ],
)
def test_what_is_no_item_says_why(value: Any, reason: str) -> None:
    assert ids(value) == [reason]


def test_one_bad_record_spoils_no_other() -> None:
    assert ids({"Records": [kinesis("%"), kinesis(base64(ALARM))]})[1:] == [PLAIN]
    assert ids(firehose("%", base64(ALARM)))[1:] == [PLAIN]


def test_wrappers_nest_at_most_8_deep() -> None:
    item: Any = ALARM
    for _ in range(8):
        item = sns(text(item))
    assert ids(item) == [PLAIN]

    assert ids(sns(text(item))) == ["the item is wrapped more than 8 times"]
    nested: Any = [[[[[[[[[ALARM]]]]]]]]]
    assert ids(nested) == ["the item is wrapped more than 8 times"]


WRONG = items.alarm() | {"account": "1"}


@pytest.mark.parametrize(
    "wrapped",
    [
        WRONG,
        [WRONG, ALARM],
        {"Records": [sqs(text(ALARM)), sqs(text(WRONG))]},
        {"Records": [sqs("rubbish")]},
        {"Records": [sns_record(text(WRONG))]},
        {"Records": [sqs(text(sns(text([ALARM, WRONG]))))]},
        {"Records": [kinesis(base64(gzip.compress(orjson.dumps(ALARM) + b"\n" + orjson.dumps(WRONG))))]},
        {"Records": [kinesis("%")]},
        firehose(base64(ALARM), base64(WRONG), "%"),
        {"awslogs": {"data": base64(gzip.compress(orjson.dumps(items.logs(items.log_event(), {"message": "no time"}))))}},
        {"Findings": [items.asff(), items.asff(AwsAccountId="x")]},
        items.logs(messageType="CONTROL_MESSAGE"),
        {"Events": [{"CloudTrailEvent": text(items.trail(eventTime=None))}]},
        b"rubbish\n" + orjson.dumps(ALARM),
        b'{\n "a": 1,\n' + orjson.dumps(ALARM),
    ],
)
def test_what_is_kept_of_a_refusal_gives_the_same_refusal_and_nothing_else(wrapped: Any) -> None:
    bad = refused(wrapped)
    assert bad

    for one in bad:
        kept = one.unit.payload()
        [again] = answers(kept)

        assert isinstance(again, Refused)
        assert [fault.reason.rpartition("] ")[2] for fault in again.faults]
        assert again.unit.payload() == kept


def test_what_is_kept_tells_the_topic_but_not_the_delivery() -> None:
    [first] = refused({"Records": [sqs(text(sns("rubbish")))]})
    [second] = refused({"Records": [sqs(text(sns("rubbish")), receiptHandle="other", attributes={"SenderId": "s"})]})

    kept = orjson.loads(first.unit.payload())

    assert first.unit.payload() == second.unit.payload()
    assert orjson.loads(kept["body"])["TopicArn"] == "arn:topic"
    assert "receiptHandle" not in kept


def test_of_what_is_nested_too_deep_to_be_written_the_whole_is_kept() -> None:
    raw = b'[{"x": ' + b"[" * 500 + b"]" * 500 + b"}, 1]"

    deep, one = refused(raw)

    assert deep.unit.payload() == raw
    assert one.unit.payload() == b"1"
