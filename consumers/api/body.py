"""Which bodies are read: JSON and NDJSON, plain or gzip. What says that it is something else is refused, not guessed at.

Senders that say nothing of the kind are taken at their word: SNS sends JSON as ``text/plain``, curl as a form unless it is told
otherwise, and ``application/octet-stream`` and gzip say nothing of what is inside.
"""

from typing import Final

from consumers.api.errors import BodyUnreadable
from pipeline.unwrap.packing import GZIP

_NEUTRAL: Final = {
    "text/plain",
    "application/x-www-form-urlencoded",
    "application/octet-stream",
    "binary/octet-stream",
    "application/gzip",
    "application/x-gzip",
}
_PACKED: Final = {"gzip", "x-gzip"}


def check_readable(body: bytes, content_type: str, encoding: str) -> None:
    """Raise ``BodyUnreadable`` for another content type or encoding, and for a body that is not encoded as it says."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind and "json" not in kind.partition("/")[2] and kind not in _NEUTRAL:
        message = "this content type is not read here; send JSON or NDJSON"
        raise BodyUnreadable(message, fields=[("Content-Type", f"{kind[:100]} is not read")])
    coding = encoding.strip().lower()
    if coding not in {"", "identity", *_PACKED}:  # ingest unpacks gzip itself, within bounds
        message = "this content encoding is not read here; send gzip or none"
        raise BodyUnreadable(message, fields=[("Content-Encoding", "is not gzip")])
    if coding in _PACKED and not body.startswith(GZIP):
        message = "the body is not gzip, though its Content-Encoding says so"
        raise BodyUnreadable(message, fields=[("Content-Encoding", "the body is not gzip")])
