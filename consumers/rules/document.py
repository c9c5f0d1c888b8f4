"""A finding as rules see it: in the shape of an EventBridge event, in whatever form it came in.

Always:  ``version``, ``id`` (the source's), ``detail-type``, ``source``, ``account``, ``time`` (RFC 3339), ``region``,
         ``resources``, ``detail``, and ``finding``, which is ours: ``id``, ``kind``, ``form``, ``severity`` (0 to 4),
         ``summary``, ``subject``, ``facts``.
Header:  source, account, region and detail-type are those of the event's header and body, so that what is indexed by these and
         what is matched agree.
Detail:  an EventBridge event's own, with all its other members; of any other form the item itself; a finding of Security Hub that
         came bare stands in ``findings``, as on a bus, so that one pattern fits both.
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson
from msgspec import Struct

from pipeline.log.port import Batch, Columns
from schemas import rfc3339
from schemas.envelope import Envelope

TYPE: Final = "finding.observed"
"""The only type of event that rules read."""
MEMBERS: Final = ("version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail", "finding")
"""What every document has."""


def of_batch(batch: Batch, index: int) -> dict[str, Any]:
    """The document of the finding at ``index``, made anew. Raises ``ValueError`` if its body is no JSON object of a finding."""
    return of_body(orjson.loads(batch.bodies[index]), batch.columns, index)


def of_envelope(event: Envelope) -> dict[str, Any]:
    """The document of a finding."""
    columns = Columns(
        id=[event.id],
        time_us=[event.time_us],
        source=[event.source],
        account=[event.account],
        region=[event.region],
        subject=[event.subject],
        severity=[event.severity],
        summary=[event.summary],
        resources=[list(event.resources)],
        source_id=[event.source_id],
    )
    return of_body(orjson.loads(event.body), columns, 0)


def of_body(body: Mapping[str, Any], columns: Columns, index: int) -> dict[str, Any]:
    """The document of a finding whose body was parsed for this: its parts go into the document, and are changed."""
    raw, form = body["raw"], body["form"]
    if form == "eventbridge":
        document = raw
    else:
        document = {
            "version": "0",
            "id": columns.source_id[index],
            "time": rfc3339.text(columns.time_us[index]),
            "resources": list(columns.resources[index]),
            "detail": {"findings": [raw]} if form == "asff" else raw,
        }
    document["detail-type"] = body.get("detail_type", "")
    document["source"] = columns.source[index]
    document["account"] = columns.account[index]
    document["region"] = columns.region[index]
    document["finding"] = {
        "id": columns.id[index],
        "kind": body["kind"],
        "form": form,
        "severity": columns.severity[index],
        "summary": columns.summary[index],
        "subject": columns.subject[index],
        "facts": body["facts"],
    }
    found: dict[str, Any] = document
    return found


class Sealed(Struct, eq=False):
    """A finding as it stands in a batch: its body is parsed when somebody first asks for its ``document``."""

    body: bytes
    columns: Columns
    index: int
    _opened: dict[str, Any] | None = None

    @property
    def document(self) -> dict[str, Any]:
        """As ``of_batch``, made once."""
        if self._opened is None:
            self._opened = of_body(orjson.loads(self.body), self.columns, self.index)
        return self._opened
