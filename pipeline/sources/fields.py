"""What a header field must be, and the sentence for who sent it otherwise. Each check returns the value to keep.

Account: 12 digits as text (a number of 12 digits is taken as its text; a shorter one has lost zeros and is refused).
Region:  any AWS region, told by the form that the SDKs' ``partitions.json`` gives for each partition (``us-east-1``,
         ``us-gov-west-1``, ``us-isob-east-1``, ``cn-north-1``, ``eusc-de-east-1``), so that regions to come are known already;
         absent, empty, ``global`` and ``aws-global`` mean a global event and give "".
Source:  ``aws.*`` and ``monitoring.*`` and those that the operator registered.
"""

import re
from collections.abc import Set as AbstractSet
from typing import Any, Final

from pipeline.errors import ItemRejected, NotATime, quoted
from pipeline.timestamps import micros

_DIGITS: Final = 12
_REGION: Final = re.compile(r"(?:[a-z]{2}-(?:gov-|iso[a-z]?-)?|eusc-[a-z]{2}-)[a-z]+-[1-9]\d?", re.ASCII)
_SOURCE: Final = re.compile(r"(?:aws|monitoring)\.[A-Za-z0-9][\w.:/@+#-]{0,250}", re.ASCII)
_GLOBAL: Final = frozenset({"", "global", "aws-global"})
_LONGEST_ID: Final = 1024
_LONGEST_WORDS: Final = 256
_LONGEST_REGION: Final = 64
_LONGEST_SOURCE: Final = 256
_KNOWN: Final = (
    "sources begin with aws. or monitoring.; to register one of your own add it to FINDSTREAM_CUSTOM_SOURCES (comma separated)"
)


def account(value: Any, field: str = "account") -> str:
    """The 12 digits of an AWS account. Raises ``ItemRejected``."""
    if type(value) is str and len(value) == _DIGITS and value.isascii() and value.isdigit():
        return value
    if _absent(value):
        raise ItemRejected.of(field, f"{field} is missing")
    if isinstance(value, int) and not isinstance(value, bool):
        if len(str(value)) == _DIGITS and value > 0:
            return str(value)
        raise ItemRejected.of(field, f"{field} is the number {quoted(value)}: numbers lose leading zeros; send 12 digits as text")
    raise ItemRejected.of(field, f"{field} {quoted(value)} is not 12 digits")


def region(value: Any, field: str = "region") -> str:
    """An AWS region, or "" for a global event. Raises ``ItemRejected``."""
    if value is None or (type(value) is str and len(value) <= _LONGEST_REGION and _is_region(value)):
        return "" if value in _GLOBAL else value or ""
    raise ItemRejected.of(field, f"{field} {quoted(value)} is not an AWS region (such as us-east-1, us-gov-west-1, cn-north-1)")


def _is_region(value: str) -> bool:
    return value in _GLOBAL or _REGION.fullmatch(value) is not None


def source(value: Any, custom: AbstractSet[str], field: str = "source") -> str:
    """A source that may send: ``aws.*``, ``monitoring.*`` or one of ``custom``. Raises ``ItemRejected``."""
    if type(value) is str and len(value) <= _LONGEST_SOURCE and (_is_ours(value) or value in custom):
        return value
    if _absent(value):
        raise ItemRejected.of(field, f"{field} is missing")
    raise ItemRejected.of(field, f"{field} {quoted(value)} is not registered: {_KNOWN}")


def _is_ours(value: str) -> bool:
    return _SOURCE.fullmatch(value) is not None


def time(value: Any, field: str = "time") -> int:
    """The item's own time, in microseconds since the epoch. Raises ``ItemRejected``; an item must have a time of its own."""
    try:
        return micros(value)
    except NotATime as broken:
        reason = f"{field} is missing: an event needs a time of its own" if _absent(value) else f"{field} {broken}"
        raise ItemRejected.of(field, reason) from None


def source_id(value: Any, field: str = "id") -> str:
    """The id that the source gave, "" if it gave none. Raises ``ItemRejected``."""
    if type(value) is str and len(value) <= _LONGEST_ID:
        return value
    if value is None:
        return ""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or len(text) > _LONGEST_ID:
        raise ItemRejected.of(field, f"{field} is not text of at most {_LONGEST_ID} characters")
    return text


def words(value: Any, field: str) -> str:
    """Text of at most 256 characters that must be there. Raises ``ItemRejected``."""
    if isinstance(value, str) and value.strip() and len(value) <= _LONGEST_WORDS:
        return value
    wrong = f"is not text of at most {_LONGEST_WORDS} characters"
    raise ItemRejected.of(field, f"{field} is missing" if _absent(value) else f"{field} {quoted(value)} {wrong}")


def resources(value: Any, field: str = "resources") -> list[str]:
    """A list of texts, empty if it is absent. Raises ``ItemRejected``."""
    if not value:
        return []
    if type(value) is list:
        for item in value:
            if type(item) is not str:
                break
        else:
            return value
    raise ItemRejected.of(field, f"{field} is not a list of texts")


def thing(value: Any, field: str) -> dict[str, Any]:
    """A JSON object that must be there. Raises ``ItemRejected``."""
    if isinstance(value, dict):
        return value
    raise ItemRejected.of(field, f"{field} is missing" if value is None else f"{field} is not a JSON object")


def _absent(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())
