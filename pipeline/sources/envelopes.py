"""Items that come in an envelope with a header of its own: EventBridge's, and CloudEvents that are not ours.

What tells an item apart, beside its header: detail-type, resources and ``detail``, or ``type``, ``subject`` and ``data``; of what
our own agents put on a bus, the id that they gave it (``restated``).
Source, account, region and detail-type come again and again: they are checked once and remembered.
Sources: Amazon EventBridge User Guide, "AWS service event metadata"; CloudEvents 1.0.2, "JSON Event Format for CloudEvents".
"""

from base64 import b64decode
from functools import lru_cache
from typing import Any, Final

import orjson

from pipeline.errors import Fault, ItemRejected, NotATime
from pipeline.sources import fields, kinds, restated
from pipeline.sources.reading import Header, Json, Told, distinct
from pipeline.timestamps import micros

_Unhashable: Final = TypeError


def eventbridge(item: Json, custom: frozenset[str]) -> Told:
    """What an envelope of EventBridge says. Raises ``ItemRejected`` naming all fields of the header that are wrong."""
    get = item.get
    detail, given_id, resources = get("detail"), get("id"), get("resources")
    try:
        source, account, region, detail_type, read = _place(
            get("source"), get("account"), get("region"), get("detail-type"), custom
        )
        if type(detail) is not dict:
            detail = fields.thing(detail, "detail")
        header = Header(
            source, account, region, micros(get("time")), fields.source_id(given_id), detail_type, fields.resources(resources)
        )
    except (ItemRejected, NotATime, _Unhashable):
        raise ItemRejected(_faults(item, custom)) from None
    if told := restated.header(detail, header):
        return told, read(detail, told), (detail_type, told.source_id)
    return header, read(detail, header), (detail_type, header.resources, detail)


@lru_cache(maxsize=4096)
def _place(
    source: Any, account: Any, region: Any, detail_type: Any, custom: frozenset[str]
) -> tuple[str, str, str, str, kinds.Reader]:
    """The header fields that come again and again, checked, and their reader. What is refused is not remembered."""
    words = fields.words(detail_type, "detail-type")
    known = fields.source(source, custom)
    return known, fields.account(account), fields.region(region), words, kinds.reader(known, words)


def _faults(item: Json, custom: frozenset[str]) -> list[Fault]:
    """All that is wrong with an envelope's header, not only the first."""
    checks = (
        (lambda value: fields.source(value, custom), "source"),
        (fields.account, "account"),
        (fields.region, "region"),
        (fields.time, "time"),
        (fields.source_id, "id"),
        (lambda value: fields.words(value, "detail-type"), "detail-type"),
        (fields.resources, "resources"),
        (lambda value: fields.thing(value, "detail"), "detail"),
    )
    found: list[Fault] = []
    for check, key in checks:
        try:
            check(item.get(key))
        except ItemRejected as rejected:
            found += rejected.faults
    return found


def cloudevent(item: Json, custom: frozenset[str]) -> Told:
    """A foreign CloudEvent: ``type`` is the detail-type, ``data`` the detail, extensions ``account`` and ``region`` the place."""
    if item.get("specversion") != "1.0":
        raise ItemRejected.of(field="specversion", reason="specversion is not 1.0")
    data = item.get("data")
    if data is None and isinstance(item.get("data_base64"), str):
        data = _decoded(item["data_base64"])
    about = item.get("subject")
    header = Header(
        fields.source(item.get("source"), custom),
        fields.account(item.get("account")),
        fields.region(item.get("region")),
        fields.time(item.get("time")),
        fields.source_id(item.get("id")),
        fields.words(item.get("type"), "type"),
        distinct([about]),
    )
    detail = fields.thing(data, "data")
    return header, kinds.reader(header.source, header.detail_type)(detail, header), (header.detail_type, header.resources, detail)


def _decoded(data: str) -> Any:
    try:
        return orjson.loads(b64decode(data, validate=True))
    except ValueError:
        raise ItemRejected.of(field="data_base64", reason="data_base64 is not JSON in base64") from None
