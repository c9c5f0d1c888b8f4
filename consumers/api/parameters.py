"""Query parameters and headers that several routes share: their form, their limits, their words in the OpenAPI document."""

from collections.abc import Iterable
from typing import Annotated, Any, Final

from aws_lambda_powertools.event_handler.openapi.params import Header, Query
from pydantic import BeforeValidator, Field, WithJsonSchema

from consumers.api.errors import ValueRefused
from consumers.api.forms import ACCOUNT_OR_NONE
from consumers.palette import SEVERITIES
from schemas.envelope import MAX_TIME_US

MICROSECONDS: Final = 1_000_000
MAX_SECONDS: Final = MAX_TIME_US // MICROSECONDS

_WORDS: Final = {tone.word: number for number, tone in enumerate(SEVERITIES)}
_HIGHEST: Final = len(SEVERITIES) - 1
_WRONG: Final = "the request has wrong values; see details"


def parse_severity(value: Any) -> int:
    """A severity by number (5 counts as CRITICAL) or by word in any case. Raises ``ValueError`` naming the accepted forms."""
    text = str(value).strip().upper()
    if text in _WORDS:
        return _WORDS[text]
    if text.isascii() and text.isdigit() and int(text) <= _HIGHEST + 1:
        return min(int(text), _HIGHEST)
    message = f"is no severity: give 0 to {_HIGHEST} or {', '.join(_WORDS)}"
    raise ValueError(message)


def micros(seconds: float) -> int:
    """Unix seconds as microseconds."""
    return round(seconds * MICROSECONDS)


def check_names(given: Iterable[str], accepted: Iterable[str]) -> None:
    """Raise ``ValueRefused`` naming each parameter that a route does not have: ignored, a filter would widen in silence."""
    known = list(accepted)
    told = f"accepted are {', '.join(known)}" if known else "there are none"
    if unknown := [name for name in given if name not in known]:
        raise ValueRefused(_WRONG, fields=[(name, f"is no parameter here; {told}") for name in unknown])


def check_range(since: float | None, until: float | None) -> None:
    """Raise ``ValueRefused`` for a range that holds no time at all."""
    if since is not None and until is not None and since >= until:
        raise ValueRefused(_WRONG, fields=[("to", "must be later than from")])


Moment = Annotated[float, Field(ge=0, lt=MAX_SECONDS)]

Severity = Annotated[
    int,
    BeforeValidator(parse_severity),
    WithJsonSchema({"type": "string", "enum": [*"012345", *_WORDS, *(word.lower() for word in _WORDS)], "default": "0"}),
    Query(description="At least this grave: a number (0-5) or a word, in any case."),
]
Since = Annotated[Moment | None, Query(alias="from", description="Unix seconds, inclusive.")]
Until = Annotated[Moment | None, Query(alias="to", description="Unix seconds, exclusive.")]
Source = Annotated[str, Field(max_length=256), Query(description="Exactly this source, for example `aws.guardduty`.")]
Account = Annotated[
    str, Field(pattern=ACCOUNT_OR_NONE), Query(description="Exactly this AWS account, 12 digits.", examples=["111122223333"])
]
Resource = Annotated[str, Field(max_length=2048), Query(description="Exactly this resource, for example an ARN.")]
Text = Annotated[
    str, Field(max_length=200), Query(description="Words that the summary contains, all of them, in any case and order.")
]
Limit = Annotated[int, Field(ge=1, le=200), Query(description="Most items of a page.")]
Fresh = Annotated[
    str,
    Field(max_length=65_536),
    Query(description="Positions, comma separated, as `POST /events` answers them: the answer is at least as fresh as these."),
]
FreshHeader = Annotated[
    str, Field(max_length=65_536), Header(alias="Findstream-Fresh", description="The same as `fresh`, as a header.")
]
