"""Which shape an item has, and the event that it becomes. The one table of recognition: the first form that fits reads it.

An item is a JSON object out of all delivery wrappers (``pipeline.unwrap``). What fits no form is refused, never guessed.
Ids:  an id (``schemas.identity.finding_id``) is derived from account, region, source, time, the source's own id and the canonical
      JSON of what happened: of an envelope its detail-type, resources and detail (samples of AWS share an id and a detail, and
      are two), of what our agents put on a bus the id that they gave it, of a log event its group, stream, time and message,
      otherwise the whole item. Nothing of a delivery enters, so
      what is delivered twice has one id.
Body: ``{"kind", "form", "detail_type", "facts", "raw"}``; ``raw`` is the item as it came, byte for byte where it came alone.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import orjson
from pydantic import ValidationError

from pipeline.errors import Fault, ItemRejected, quoted
from pipeline.sources import agent_logs, cloudtrail, cloudwatch, envelopes, guardduty, health, own, securityhub
from pipeline.sources.reading import FINDING, Header, Json, Reading, Told
from schemas.envelope import Envelope, checked
from schemas.identity import event_id

LARGEST: Final = 900_000
"""Most bytes of an item: with its facts it must stay within the envelope's limit for bodies."""

_DEEPEST: Final = 240
_TOO_DEEP: Final = f"the item is nested more than {_DEEPEST} levels deep"


class Form(NamedTuple):
    """A shape of items: its name, how it is told, and its reader."""

    name: str
    fits: Callable[[Json], bool]
    read: Callable[[Json, frozenset[str]], Told]


def event(item: Json, raw: bytes | None, custom: frozenset[str] = frozenset()) -> Envelope:
    """The event that ``item`` is, checked. ``raw`` is its bytes if it came alone on a line; ``custom`` are registered sources.

    Raises ``ItemRejected`` naming each field at fault.
    """
    if "specversion" in item and own.fits(item):
        return own.event(item, lambda inner: event(inner, None, custom))
    form = _EVENTBRIDGE if "detail-type" in item else next((form for form in FORMS if form.fits(item)), None)
    if form is None:
        raise ItemRejected.of(field="", reason=_unknown(item))
    header, reading, identity = form.read(item, custom)
    source, account, region, time_us, source_id = header.source, header.account, header.region, header.time_us, header.source_id
    of_type = reading.type
    try:
        own_id = event_id(time_us, of_type, account, region, source, time_us, source_id, identity)
        if of_type == FINDING:
            body = orjson.dumps(
                {
                    "kind": reading.kind,
                    "form": form.name,
                    "detail_type": header.detail_type,
                    "facts": reading.facts,
                    "raw": orjson.Fragment(_verbatim(item, raw)),
                }
            )
        else:
            body = orjson.dumps(reading.facts)
    except TypeError:
        raise ItemRejected.of(field="", reason=_TOO_DEEP) from None
    try:
        return checked(
            {
                "id": own_id,
                "type": of_type,
                "version": 1,
                "time_us": time_us,
                "source": source,
                "account": account,
                "region": region,
                "subject": reading.subject,
                "severity": reading.severity,
                "summary": reading.summary,
                "resources": reading.resources,
                "source_id": source_id,
                "correlation_id": "",
                "causation_id": "",
                "body": body,
            }
        )
    except ValidationError as broken:
        faults = [Fault(str(error["loc"][0]), f"{error['loc'][0]}: {error['msg']}") for error in broken.errors(include_url=False)]
        raise ItemRejected(faults) from None


def _verbatim(item: Json, raw: bytes | None) -> bytes:
    """The item's bytes. Raises ``TypeError`` if those could not write them who put it into some objects of their own."""
    raw = orjson.dumps(item) if raw is None else raw
    if raw.count(b"{") + raw.count(b"[") > _DEEPEST:
        orjson.dumps([[[[[[[[item]]]]]]]])
    if len(raw) > LARGEST:
        raise ItemRejected.of(field="", reason=f"the item has {len(raw):,} bytes; at most {LARGEST:,} are accepted")
    return raw


def _unknown(item: Json) -> str:
    keys = ", ".join(map(quoted, sorted(item)[:8]))
    known = ", ".join(form.name for form in FORMS)
    return f"the item has no known shape (its keys: {keys or 'none'}); known shapes: {known}"


def _logs(item: Json, _: frozenset[str]) -> Told:
    return agent_logs.bare(item)


def _whole(read: Callable[[Json], tuple[Header, Reading]]) -> Callable[[Json, frozenset[str]], Told]:
    """The reader of a form whose whole item tells it apart."""
    return lambda item, _: (*read(item), item)


def _has(*keys: str) -> Callable[[Json], bool]:
    return lambda item: all(key in item for key in keys)


def _is_guardduty(item: Json) -> bool:
    """CamelCase or camelCase; told from ASFF, which has ``ProductArn`` and no ``Service``."""
    keys = ("service", "severity", "type")
    return all(key in item for key in keys) or (all(key.capitalize() in item for key in keys) and "ProductArn" not in item)


_EVENTBRIDGE: Final = Form("eventbridge", _has("detail-type"), envelopes.eventbridge)

FORMS: Final = (
    _EVENTBRIDGE,
    Form("cloudevent", _has("specversion"), envelopes.cloudevent),
    Form("cwlogs", _has("logEvents", "logGroup"), _logs),
    Form("cloudtrail", _has("eventName", "eventSource", "eventVersion"), _whole(cloudtrail.bare)),
    Form("asff", _has("AwsAccountId", "ProductArn"), _whole(securityhub.bare)),
    Form("guardduty", _is_guardduty, _whole(guardduty.bare)),
    Form("health", _has("eventArn", "eventTypeCode"), _whole(health.bare)),
    Form("alarm_lambda", _has("alarmArn", "alarmData"), _whole(cloudwatch.from_lambda)),
    Form("alarm_sns", _has("AlarmName", "NewStateValue"), _whole(cloudwatch.from_sns)),
)
