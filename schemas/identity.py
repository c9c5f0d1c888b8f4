"""Deterministic event ids: the same fact, told again, has the same id.

Form: ``<unix seconds>-<uuid>``. The uuid is version 8 (RFC 9562, section 5.8: custom), the first 122 free bits of a SHA-256 over
the canonical JSON array of the parts. Canonical JSON here is orjson's with sorted keys: UTF-8, no white space.
The golden ids in ``tests/`` freeze this form: changing it would make every retry of an old event a new one.
"""

from hashlib import sha256
from typing import Any, Final

import orjson

MICROSECONDS: Final = 1_000_000

_VERSION: Final = "8"
_VARIANT: Final = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
"""The hexadecimal digit with its first two bits set to 10, as RFC 9562 wants them in the 17th."""


def canonical(value: Any) -> bytes:
    """``value`` as canonical JSON: keys sorted, no white space. Raises ``TypeError`` if it is no JSON."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def event_id(time_us: int, *parts: Any) -> str:
    """The id of the fact that happened at ``time_us`` and is told apart from all others by ``parts`` (JSON values, in order)."""
    h = sha256(canonical(parts)).hexdigest()
    return f"{time_us // MICROSECONDS}-{h[:8]}-{h[8:12]}-{_VERSION}{h[13:16]}-{_VARIANT[h[16]]}{h[17:20]}-{h[20:32]}"


def finding_id(time_us: int, *, account: str, region: str, source: str, source_id: str, detail: Any) -> str:
    """The id of a finding: two that share the id their source gave them stay two if they differ in anything."""
    return event_id(time_us, "finding.observed", account, region, source, time_us, source_id, detail)


def derived_id(time_us: int, kind: str, *causes: str) -> str:
    """The id of a fact of type ``kind`` concluded from others: from its causes, so that concluding twice tells one fact."""
    return event_id(time_us, kind, *causes)
