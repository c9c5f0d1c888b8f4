"""What a follower asks for: read strictly, since a filter that is ignored would widen in silence."""

import re
from collections.abc import Mapping
from typing import Final, Never

from consumers.api.errors import ValueRefused
from consumers.api.parameters import parse_severity
from consumers.feed import vector
from consumers.feed.message import FOR_USERS, Filter
from consumers.people.principal import Principal
from pipeline.log.port import Position

PARAMETERS: Final = ("account", "after", "resource", "severity", "source", "text", "type")
_MOST_CHARACTERS: Final = {"source": 256, "type": 256, "resource": 2048, "text": 200}
_ACCOUNT: Final = re.compile(r"([0-9]{12})?")


def filter_of(parameters: Mapping[str, str], who: Principal) -> Filter:
    """What ``who`` wants, and may have. Raises ``ValueRefused`` naming the field."""
    asked = {name: parameters.get(name, "") for name in _MOST_CHARACTERS}
    for name, most in _MOST_CHARACTERS.items():
        if len(asked[name]) > most:
            _refuse(name, f"may have {most} characters")
    account = parameters.get("account", "")
    if not _ACCOUNT.fullmatch(account):
        _refuse("account", "is no AWS account: give its 12 digits")
    try:
        severity = parse_severity(parameters.get("severity") or 0)
    except ValueError as wrong:
        _refuse("severity", str(wrong))
    return Filter(min_severity=severity, allowed=() if who.is_admin else FOR_USERS, account=account, **asked)


def place_of(headers: Mapping[str, str], parameters: Mapping[str, str]) -> Mapping[str, Position] | None:
    """Where a follower stands; None: at the present. ``headers`` have names in lower case. Raises ``ValueRefused``."""
    for field, text in (("Last-Event-ID", headers.get("last-event-id")), ("after", parameters.get("after"))):
        if text:
            try:
                return vector.decode(text)
            except ValueError as wrong:
                _refuse(field, str(wrong))
    return None


def _refuse(field: str, why: str) -> Never:
    message = "the request has wrong values; see details"
    raise ValueRefused(message, fields=[(field, why)])
