"""What delivery puts around items, and how it comes off. The one table of wrappers; wrappers may nest, at most 8 deep.

Each thing in a wrapper becomes one unit: an item, or what cannot become one and why. Nothing vanishes: an array, a batch or a
payload with nothing in it and a control message (CloudWatch Logs' ``CONTROL_MESSAGE``, SNS' subscription confirmation) is one
unit with a fault too, so that somebody sees that it came, and can follow the link to confirm a subscription.
Sources: AWS Lambda Developer Guide, "Using Lambda with Amazon SNS / Amazon SQS / Kinesis / CloudWatch Logs"; Amazon Data Firehose
Developer Guide, "Transform source data" and "HTTP endpoint delivery request and response specifications"; Amazon SNS Developer
Guide, "Parsing Amazon SNS message formats".
"""

from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import orjson

from pipeline.errors import ItemRejected, NotUnpacked, quoted
from pipeline.sources.reading import Json, sub
from pipeline.unwrap import documents
from pipeline.unwrap.documents import Document
from pipeline.unwrap.here import Here, Unit
from pipeline.unwrap.packing import PACKED, Budget, from_base64, unpacked

DEEPEST: Final = 8

_HUB: Final = "aws.securityhub"
_KPL: Final = b"\xf3\x89\x9a\xc2"
_VOLATILE: Final = {"receiptHandle", "ReceiptHandle", "ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp"}
_SIGNING_UP: Final = ("SubscriptionConfirmation", "UnsubscribeConfirmation")


def units(document: Document, budget: Budget) -> Iterator[Unit]:
    """The units in one document, in order."""
    here = Here(document, budget)
    if document.fault:
        yield here.faulty(document.raw, f"the input {document.fault}")
    else:
        yield from _units(document.value, _on_one_line(document.raw), here)


def _units(value: Any, raw: bytes | None, here: Here) -> Iterator[Unit]:
    if type(value) is dict:
        wrapper = None if "detail-type" in value else next((wrapper for wrapper in WRAPPERS if wrapper.fits(value)), None)
        several = None if wrapper else several_findings(value)
        if several:
            yield from _elements(several, here.at("detail.findings"))
        elif wrapper is None:
            yield here.unit(value, raw)
        elif here.depth >= DEEPEST:
            yield here.faulty(value, f"the item is wrapped more than {DEEPEST} times")
        else:
            try:
                yield from wrapper.open(value, here)
            except ItemRejected as rejected:
                yield here.faulty(_steady(value), str(rejected), rejected.faults[0].field)
    elif type(value) is list:
        yield from _elements(value, here)
    else:
        yield here.faulty(value, f"{quoted(value)} is no item: expected a JSON object")


def _elements(values: list[Any], here: Here) -> Iterator[Unit]:
    if not values:
        yield here.faulty(values, f"{here.place or 'the array'} is empty")
    elif here.depth >= DEEPEST:
        yield here.faulty(values, f"the item is wrapped more than {DEEPEST} times")
    else:
        for index, value in enumerate(values):
            yield from _units(value, None, here.at(f"[{index}]"))


def _content(data: bytes, here: Here) -> Iterator[Unit]:
    """The units in the content of a message: JSON in any arrangement, perhaps packed. Other text is one unit with a fault."""
    if data.startswith(_KPL):
        yield here.faulty(data, f"{here.place} is an aggregated Kinesis record (KPL), which is not taken apart here")
        return
    try:
        plain = unpacked(data, here.budget) if data.startswith(PACKED) else data
    except NotUnpacked as broken:
        yield here.faulty(data, f"{here.place} {broken}")
        return
    if not plain.lstrip().startswith((b"{", b"[")):
        yield here.faulty(data, f"{here.place} is no JSON: {quoted(plain.decode(errors='replace'))}")
        return
    for document in documents.in_bytes(plain):
        if document.fault:
            yield here.faulty(document.raw, f"{here.place} {document.fault}")
        else:
            yield from _units(document.value, _on_one_line(document.raw), here)


def _on_one_line(raw: bytes) -> bytes | None:
    return None if b"\n" in raw else raw


class Wrapper(NamedTuple):
    """A wrapper: its name, how it is told, and how it is opened."""

    name: str
    fits: Callable[[Json], bool]
    open: Callable[[Json, Here], Iterator[Unit]]


def _sqs(record: Json, here: Here) -> Iterator[Unit]:
    """A message as Lambda and Pipes (``body``) or ``ReceiveMessage`` (``Body``) give it."""
    key = "body" if "body" in record else "Body"
    return _text(record[key], here.at(key, lambda inner: orjson.dumps({**_steady(record), key: _as_text(inner)})))


def _sns_record(record: Json, here: Here) -> Iterator[Unit]:
    message = sub(record, "Sns")
    return _sns(message, here.at("Sns", lambda inner: orjson.dumps({**record, "Sns": orjson.Fragment(inner)})))


def _sns(message: Json, here: Here) -> Iterator[Unit]:
    if message.get("Type") in _SIGNING_UP:
        about = f"{message['Type']} of {quoted(message.get('TopicArn'))}"
        reason = f"SNS {about} is no finding; confirm it by its SubscribeURL if it is yours"
        yield here.faulty(message, reason, "Type")
        return
    yield from _text(
        message.get("Message"), here.at("Message", lambda inner: orjson.dumps({**message, "Message": _as_text(inner)}))
    )


def _kinesis(record: Json, here: Here) -> Iterator[Unit]:
    """A record as Lambda gives it, with ``kinesis.data``, or as Pipes does, with ``data`` beside the rest."""
    if "kinesis" not in record:
        return _packed(record.get("data"), here.at("data", lambda inner: orjson.dumps({**record, "data": _as_base64(inner)})))
    kinesis = sub(record, "kinesis")
    within = here.at("kinesis.data", lambda inner: orjson.dumps({**record, "kinesis": {**kinesis, "data": _as_base64(inner)}}))
    return _packed(kinesis.get("data"), within)


def _firehose(batch: Json, here: Here) -> Iterator[Unit]:
    if not batch["records"]:
        yield here.faulty(batch, "records is empty", "records")
    for index, record in enumerate(batch["records"]):
        alone = here.at(f"records[{index}]", lambda inner: orjson.dumps({**batch, "records": [orjson.Fragment(inner)]}))
        try:
            yield from _firehose_record(record, alone)
        except ItemRejected as rejected:
            yield alone.faulty(record, str(rejected), rejected.faults[0].field)


def _firehose_record(record: Any, here: Here) -> Iterator[Unit]:
    data = record.get("data") if isinstance(record, dict) else None
    return _packed(data, here.at("data", lambda inner: orjson.dumps({**record, "data": _as_base64(inner)})))


def _awslogs(event: Json, here: Here) -> Iterator[Unit]:
    return _packed(sub(event, "awslogs").get("data"), here.at("awslogs.data"))


def _logs(payload: Json, here: Here) -> Iterator[Unit]:
    """A subscription payload: each log event with the payload's own fields around it."""
    told = payload["logEvents"]
    if payload.get("messageType") == "CONTROL_MESSAGE":
        yield here.faulty(payload, "CloudWatch Logs CONTROL_MESSAGE is a check of the destination, no finding", "messageType")
    elif not told:
        yield here.faulty(payload, "logEvents is empty", "logEvents")
    for index, event in enumerate(told):
        if payload.get("messageType") != "CONTROL_MESSAGE":
            yield here.at(f"logEvents[{index}]").unit({**payload, "logEvents": [event]})


def _listed(key: str) -> Callable[[Json, Here], Iterator[Unit]]:
    """The opener of a batch whose elements stand for themselves."""
    return lambda batch, here: _elements(batch[key], here.at(key))


def _lookup(event: Json, here: Here) -> Iterator[Unit]:
    return _text(event.get("CloudTrailEvent"), here.at("CloudTrailEvent"))


def several_findings(envelope: Json) -> list[Any] | None:
    """An envelope of Security Hub with several findings as envelopes with one each; None if it has not several."""
    if envelope.get("source") != _HUB:
        return None
    detail = sub(envelope, "detail")
    found = detail.get("findings")
    if not isinstance(found, list) or len(found) < 2:  # noqa: PLR2004 - several
        return None
    return [{**envelope, "detail": {**detail, "findings": [finding]}} for finding in found]


def _text(value: Any, here: Here) -> Iterator[Unit]:
    if not isinstance(value, str):
        raise ItemRejected.of(here.place, f"{here.place} is not text")
    return _content(value.encode(), here)


def _packed(value: Any, here: Here) -> Iterator[Unit]:
    try:
        data = from_base64(value)
    except NotUnpacked as broken:
        raise ItemRejected.of(here.place, f"{here.place} {broken}") from None
    return _content(data, here)


def _steady(record: Json) -> Json:
    """A record without what changes from delivery to delivery."""
    kept = {name: value for name, value in record.items() if name not in _VOLATILE}
    for name in ("attributes", "Attributes"):
        if isinstance(kept.get(name), dict):
            kept[name] = {key: value for key, value in kept[name].items() if key not in _VOLATILE}
    return kept


def _as_text(data: bytes) -> str:
    return data.decode(errors="replace")


def _as_base64(data: bytes) -> str:
    return b64encode(data).decode()


def _is_list(key: str) -> Callable[[Json], bool]:
    return lambda item: isinstance(item.get(key), list)


def _is_firehose(item: Json) -> bool:
    return isinstance(item.get("records"), list) and ("deliveryStreamArn" in item or "requestId" in item)


WRAPPERS: Final = (
    Wrapper("SQS message", lambda item: item.get("eventSource") == "aws:sqs" and "body" in item, _sqs),
    Wrapper("SQS message as received", lambda item: "Body" in item and "MessageId" in item, _sqs),
    Wrapper("SNS record", lambda item: item.get("EventSource") == "aws:sns" and "Sns" in item, _sns_record),
    Wrapper("SNS message", lambda item: "TopicArn" in item and "Message" in item and "Type" in item, _sns),
    Wrapper("Kinesis record", lambda item: item.get("eventSource") == "aws:kinesis", _kinesis),
    Wrapper("Firehose batch", _is_firehose, _firehose),
    Wrapper("CloudWatch Logs for Lambda", lambda item: "awslogs" in item, _awslogs),
    Wrapper("CloudWatch Logs payload", _is_list("logEvents"), _logs),
    Wrapper("batch of Lambda, file of CloudTrail", _is_list("Records"), _listed("Records")),
    Wrapper("findings of GetFindings", _is_list("Findings"), _listed("Findings")),
    Wrapper("findings of a detail", _is_list("findings"), _listed("findings")),
    Wrapper("messages of ReceiveMessage", _is_list("Messages"), _listed("Messages")),
    Wrapper("events of LookupEvents", _is_list("Events"), _listed("Events")),
    Wrapper("event of LookupEvents", lambda item: "CloudTrailEvent" in item, _lookup),
)
