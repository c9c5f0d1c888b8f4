r"""The interchange form of an event: CloudEvents 1.0, JSON, structured mode.

Lossless: ``decode(encode(event)) == event`` for every valid event whose body is written as orjson writes JSON. Other
          spellings (escapes, white space, numbers beyond 64 bits) pass as values; ``schemas.codec`` keeps the bytes.
Source:   ``/aws/<account>/<region>/<source>``, percent-encoded, ``-`` for what does not apply. The account and region are
          extension attributes too, and those count.
Texts:    CloudEvents allows no control characters and noncharacters in attributes. Ours stand there as ``\u{1f}``, and a
          backslash is doubled.
Known extensions: partitionkey (Partitioning), recordedtime (Recorded Time), correlationid and causationid (Correlation).
          ``resources`` is a JSON array as text, because attributes have no lists.
Sources:  CloudEvents 1.0.2, "CloudEvents - Version 1.0.2" and "JSON Event Format for CloudEvents".
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote, unquote

import orjson
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from schemas import rfc3339
from schemas.envelope import Envelope, checked
from schemas.errors import EventRejected

SCHEMA_URN: Final = "urn:findstream:schema:"
"""What ``dataschema`` begins with in all our events, and in nobody else's; ``<type>:<version>`` follows."""

_NONCHARACTERS: Final = "\ufdd0-\ufdef" + "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
_DISALLOWED: Final = re.compile(f"[\x00-\x1f\x7f-\x9f{_NONCHARACTERS}]")
_TO_ESCAPE: Final = re.compile(rf"[\\\x00-\x1f\x7f-\x9f{_NONCHARACTERS}]")
_ESCAPED: Final = re.compile(r"\\(?:\\|u\{([0-9a-f]{1,5}|10[0-9a-f]{4})\})")
_PLACES: Final = 4096
"""How many accounts, regions and sources together are remembered."""
_ATTRIBUTE: Final = {"version": "schemaversion", "time_us": "time", "body": "data"}


class CloudEvent(BaseModel):
    """An event of ours in its interchange form. Attributes that are empty are left out; unknown ones are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    specversion: Literal["1.0"]
    id: str
    source: Annotated[str, Field(pattern=r"^/aws/[^/]+/[^/]+/[^/]+$", json_schema_extra={"format": "uri-reference"})]
    type: str
    subject: str
    time: Annotated[str, Field(json_schema_extra={"format": "date-time"})]
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: Annotated[str, Field(pattern=f"^{SCHEMA_URN}", json_schema_extra={"format": "uri"})]
    schemaversion: int
    partitionkey: str = ""
    recordedtime: Annotated[str, Field(json_schema_extra={"format": "date-time"})] = ""
    account: str = ""
    region: str = ""
    severity: int = 0
    summary: str = ""
    resources: Annotated[str, Field(json_schema_extra={"contentMediaType": "application/json"})] = "[]"
    sourceid: str = ""
    correlationid: str = ""
    causationid: str = ""
    data: dict[str, Any]


def attributes(event: Envelope, *, recorded_us: int | None = None) -> dict[str, Any]:
    """The context attributes of ``event``, in a fixed order and without ``data``; ``recorded_us`` as the log stamped it."""
    subject = _escaped(event.subject)
    told = {
        "specversion": "1.0",
        "id": event.id,
        "source": _place(event.account, event.region, event.source),
        "type": event.type,
        "subject": subject,
        "time": rfc3339.text(event.time_us),
        "datacontenttype": "application/json",
        "dataschema": f"{SCHEMA_URN}{event.type}:{event.version}",
        "schemaversion": event.version,
        "partitionkey": subject,
        "severity": event.severity,
    }
    if recorded_us is not None:
        told["recordedtime"] = rfc3339.text(recorded_us)
    if event.account:
        told["account"] = event.account
    if event.region:
        told["region"] = _escaped(event.region)
    if event.summary:
        told["summary"] = _escaped(event.summary)
    if event.resources:
        told["resources"] = _listed(event.resources)
    for name, text in (
        ("sourceid", event.source_id),
        ("correlationid", event.correlation_id),
        ("causationid", event.causation_id),
    ):
        if text:
            told[name] = _escaped(text)
    return told


def encode(event: Envelope, *, recorded_us: int | None = None) -> dict[str, Any]:
    """``event`` as a CloudEvent, parsed; ``schemas.codec`` writes it as bytes."""
    return {**attributes(event, recorded_us=recorded_us), "data": event.data}


def is_own(ce: Mapping[str, Any]) -> bool:
    """Whether this JSON object is an event of ours in its interchange form, to be given to ``decode``.

    It tells by ``dataschema``; anybody can write that, so what is decoded from outside still goes through ``Registry.check``.
    """
    schema = ce.get("dataschema")
    return ce.get("specversion") == "1.0" and isinstance(schema, str) and schema.startswith(SCHEMA_URN)


def decode(ce: Mapping[str, Any], *, body: bytes | None = None) -> Envelope:
    """The event that ``encode`` made this from, its header validated, its body of any type and version.

    ``body`` is ``data`` as it stood in the JSON text, if the caller has it: only so is a body kept byte for byte. Raises
    ``EventRejected`` naming the attribute and the accepted form.
    """
    try:
        own = CloudEvent.model_validate(ce)
    except ValidationError as broken:
        raise EventRejected.of(broken) from None
    if own.dataschema != f"{SCHEMA_URN}{own.type}:{own.schemaversion}":
        reason = "does not agree with type and schemaversion"
        raise EventRejected(reason, "dataschema")
    fields = {
        "id": own.id,
        "type": own.type,
        "version": own.schemaversion,
        "time_us": _time(own.time),
        "source": unquote(own.source.rpartition("/")[2]),
        "account": own.account,
        "region": _unescaped(own.region),
        "subject": _unescaped(own.subject),
        "severity": own.severity,
        "summary": _unescaped(own.summary),
        "resources": _unlisted(own.resources),
        "source_id": _unescaped(own.sourceid),
        "correlation_id": _unescaped(own.correlationid),
        "causation_id": _unescaped(own.causationid),
        "body": _body(own.data) if body is None else body,
    }
    try:
        return checked(fields)
    except ValidationError as broken:
        refused = EventRejected.of(broken)
        name = _ATTRIBUTE.get(refused.field, refused.field.replace("_", ""))
        raise EventRejected(refused.reason, name) from None


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of the interchange form."""
    published = CloudEvent.model_json_schema()
    header = TypeAdapter(Envelope).json_schema()["properties"]
    for field in ("id", "type", "version", "account", "severity"):
        published["properties"][_ATTRIBUTE.get(field, field)].update(
            {keyword: value for keyword, value in header[field].items() if keyword not in {"title", "type"}}
        )
    return published


@lru_cache(maxsize=_PLACES)
def _place(account: str, region: str, source: str) -> str:
    return "/aws/" + "/".join(quote(part, safe="") for part in (account or "-", region or "-", source))


def _escaped(text: str) -> str:
    """Printable texts, which are nearly all, are known at once to hold none of the disallowed."""
    if text.isprintable() and "\\" not in text:
        return text
    return _TO_ESCAPE.sub(lambda found: "\\\\" if found[0] == "\\" else f"\\u{{{ord(found[0]):x}}}", text)


def _unescaped(text: str) -> str:
    """Backslashes that begin no escape of ours stay as they are, for texts written by hand."""
    if "\\" not in text:
        return text
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)) if found[1] else "\\", text)


def _listed(texts: Sequence[str]) -> str:
    listed = orjson.dumps(texts).decode()
    return listed if listed.isprintable() else _DISALLOWED.sub(lambda found: _utf16_escape(found[0]), listed)


def _utf16_escape(character: str) -> str:
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))


def _unlisted(text: str) -> tuple[str, ...]:
    try:
        listed = orjson.loads(text)
    except orjson.JSONDecodeError:
        listed = None
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        reason = "is not a JSON array of texts"
        raise EventRejected(reason, "resources")
    return tuple(listed)


def _time(timestamp: str) -> int:
    try:
        return rfc3339.microseconds(timestamp)
    except ValueError as broken:
        raise EventRejected(str(broken), "time") from None


def _body(data: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(data)
    except TypeError as broken:
        raise EventRejected(str(broken), "data") from None
