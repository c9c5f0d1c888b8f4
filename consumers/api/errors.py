"""What the API refuses, and why: each refusal has a status, a stable code for programs and a message for people.

Every error of every route leaves in one shape: ``{"error": {"code", "message", "details": [{"field", "message"}]}}``.
``refusal_for`` is the only place where errors of other packages become answers; what it does not know is a 500, whose
message tells nothing of the inside.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Final

from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import (
    RequestUnsupportedContentType,
    RequestValidationError,
)

from consumers.api.forms import WORDS
from consumers.feed.errors import FeedError
from consumers.jobs.errors import JobsError
from consumers.notifier.errors import (
    ChannelsElsewhere,
    ChannelsRejected,
    LedgerUnavailable,
    NotifierBusy,
    NotifierFailed,
    NotifierSilent,
)
from consumers.people.errors import (
    EmailTaken,
    KeyUnknown,
    LastAdmin,
    NobodyThere,
    PasswordRefused,
    PeopleError,
    PeopleUnavailable,
    SigningKeysUnusable,
    SignInRefused,
    SignInThrottled,
    TokenRefused,
    UserChanged,
)
from pipeline.desks.errors import AlreadyThere, CommandRefused, DeskError, KeyReused, NothingThere, Over, VersionConflict
from pipeline.errors import Fault, InputRejected, LogFull, LogUnavailable, QuarantineUnavailable, RejectedItem
from projections.errors import CursorRejected, NotFresh, ProjectionError

RETRY_SECONDS: Final = 1
"""What ``Retry-After`` says where the cause passes by itself (lag, a locked log)."""

BUSY_SECONDS: Final = 5
"""The same, while the notifier sends: a turn of its takes seconds."""

VERSION_HEADER: Final = "Findstream-Version"
"""Of the answer to a conflict: the version that there is."""

_MOST_DETAILS: Final = 100


class RequestRefused(Exception):
    """The base of all below. ``fields`` pairs the name of a wrong field with what is wrong about it. Do: read the message."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "bad_request"
    field: ClassVar[str] = ""
    """The field that is always the wrong one, if there is such."""

    def __init__(self, message: str, *, fields: Sequence[tuple[str, str]] = (), headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fields = tuple(fields)[:_MOST_DETAILS] or (((self.field, message),) if self.field else ())
        self.headers = dict(headers or {})

    def body(self) -> dict[str, object]:
        """The answer's body, ready for JSON."""
        details = [{"field": field, "message": message} for field, message in self.fields]
        return {"error": {"code": self.code, "message": self.message, "details": details}}


class CursorUnknown(RequestRefused):
    """A page cursor is not one of ours, or goes with other filters. Do: start from the first page."""

    code = "cursor_rejected"
    field = "cursor"


class SignInNeeded(RequestRefused):
    """Nobody knows who asks, or no longer. Do: sign in, or exchange the refresh token."""

    status = 401
    code = "sign_in_needed"


class SignInFailed(RequestRefused):
    """E-mail address and password do not belong together, or the user may not sign in; which is not told. Do: try again."""

    status = 401
    code = "sign_in_failed"


class NotAllowed(RequestRefused):
    """Who asks is known, and may not. Do: ask an admin."""

    status = 403
    code = "not_allowed"


class Conflict(RequestRefused):
    """What is there does not allow it. Do: as the message says; of a stale edit, read again and decide anew."""

    status = 409
    code = "conflict"


class TooManyAttempts(RequestRefused):
    """Too many attempts failed. Do: wait for the seconds of ``Retry-After``."""

    status = 429
    code = "too_many_attempts"


class OriginForeign(RequestRefused):
    """A page of another origin tried to write. Do: name the origin in ``FINDSTREAM_CORS_ORIGINS`` if you trust it."""

    status = 403
    code = "origin_foreign"


class NothingHere(RequestRefused):
    """No such path, or no such thing. Do: check the id; what was just written is seen with ``fresh``."""

    status = 404
    code = "not_found"


class MethodUnknown(RequestRefused):
    """The path exists, the method does not. Do: use one that the ``Allow`` header names."""

    status = 405
    code = "method_not_allowed"


class BodyTooLarge(RequestRefused):
    """A request body is over the limit. Do: send it in parts."""

    status = 413
    code = "body_too_large"


class BodyUnreadable(RequestRefused):
    """A content type or encoding that is not read here. Do: send JSON or NDJSON, plain or gzip."""

    status = 415
    code = "body_unreadable"


class HostForeign(RequestRefused):
    """The ``Host`` header names another machine (DNS rebinding). Do: use the loopback address."""

    status = 421
    code = "host_foreign"


class ValueRefused(RequestRefused):
    """A parameter or a field of the input has no acceptable value. Do: correct the fields named."""

    status = 422
    code = "value_refused"


class StaleEdit(Conflict):
    """Somebody was faster. ``Findstream-Version`` tells which version there is. Do: read it again, decide anew."""

    code = "version_conflict"


class ThereAlready(Conflict):
    """What was to be made is there already. Do: change it instead."""

    code = "already_there"


class KeyUsed(RequestRefused):
    """An idempotency key came with another command before. Do: draw a new key for each command."""

    status = 422
    code = "key_reused"
    field = "Idempotency-Key"


class Broken(RequestRefused):
    """A defect of this program. Do: look into the server's log, report it."""

    status = 500
    code = "internal"


class NotifierBroken(RequestRefused):
    """What this server asked of the notifier's function came to nothing. Do: look into that function's log."""

    status = 502
    code = "notifier_failed"


class NotifierLate(RequestRefused):
    """The notifier's function did not answer in time; it may have done what was asked. Do: look, then ask again."""

    status = 504
    code = "notifier_silent"


class Unavailable(RequestRefused):
    """Something this answer needs is not there just now. Do: retry after the seconds of ``Retry-After``."""

    status = 503
    code = "unavailable"

    def __init__(self, message: str, *, fields: Sequence[tuple[str, str]] = (), retry_seconds: int = RETRY_SECONDS) -> None:
        super().__init__(message, fields=fields, headers={"Retry-After": str(retry_seconds)})


class Occupied(Unavailable):
    """The notifier is sending, and does one thing at a time. Do: retry after the seconds of ``Retry-After``."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retry_seconds=BUSY_SECONDS)


class Stale(Unavailable):
    """A projection did not reach the asked position in time. Do: retry."""

    code = "not_fresh"


class DiskFull(Unavailable):
    """The disk under the log is full; nothing of the call was accepted. Do: free space, retry."""

    code = "log_full"


class Unready(Unavailable):
    """The readiness probe found a reason against sending work here. Do: read the details."""

    code = "not_ready"


_TRANSLATIONS: Final[tuple[tuple[type[Exception], type[RequestRefused], str], ...]] = (
    (NothingThere, NothingHere, "there is no such thing here, or it was removed"),
    (KeyReused, KeyUsed, "this idempotency key came with another command before; draw a new one for each command"),
    (DeskError, Unavailable, "the desks cannot be reached just now; send the command again with the same idempotency key"),
    (CursorRejected, CursorUnknown, "the cursor was not made here for these filters; start from the first page"),
    (NotFresh, Stale, "the projection has not reached the asked position yet"),
    (LogFull, DiskFull, "the disk under the log is full; nothing of this request was accepted"),
    (LogUnavailable, Unavailable, "the log cannot be reached just now; nothing of this request was accepted"),
    (QuarantineUnavailable, Unavailable, "the quarantine cannot be reached just now"),
    (ProjectionError, Unavailable, "the projection cannot be read just now"),
    (RequestUnsupportedContentType, BodyUnreadable, "this content type is not read here"),
    (NotFoundError, NothingHere, "there is nothing at this path"),
    (JobsError, Unavailable, "jobs cannot be reached just now; nothing of this request was kept"),
    (SigningKeysUnusable, Unavailable, "nobody can sign in just now; the server's log tells why"),
    (PeopleUnavailable, Unavailable, "the store of people cannot be reached just now"),
    (LedgerUnavailable, Unavailable, "the ledger of notices cannot be reached just now"),
    (
        ChannelsElsewhere,
        Conflict,
        "this server is not given the channels' secrets; findstream notify test tries them where they are",
    ),
    (NotifierBusy, Occupied, "the notifier is busy sending just now, and nothing was sent; try again in some seconds"),
    (NotifierFailed, NotifierBroken, "the notifier could not be asked, or failed; its log tells why"),
    (NotifierSilent, NotifierLate, "the notifier did not answer in time; the message may have arrived, or may arrive yet"),
    (ChannelsRejected, Unavailable, "the channels cannot be opened; the server's settings are wrong"),
    (FeedError, Unavailable, "no more clients can follow just now; try again later"),
)
"""First match wins, so a subclass stands before its base. The messages are ours: those of other packages may name paths."""


def refusal_for(error: Exception) -> RequestRefused:
    """The answer to ``error``, whatever it is."""
    if isinstance(error, RequestRefused):
        return error
    if isinstance(error, PeopleError) and (told := _of_people(error)):
        return told
    return _refusal_of_input(error) or next(
        (refusal(message) for expected, refusal, message in _TRANSLATIONS if isinstance(error, expected)),
        Broken("the server met a defect of its own; its log tells more"),
    )


def _refusal_of_input(error: Exception) -> RequestRefused | None:
    """The answer to what is wrong about the request; None if something else is."""
    if isinstance(error, RequestValidationError):
        return ValueRefused("the request has wrong values; see details", fields=[_field(e) for e in error.errors()])
    if isinstance(error, CommandRefused | VersionConflict | AlreadyThere):
        return _of_command(error)
    if isinstance(error, InputRejected):
        return ValueRefused(
            "the input was not accepted, none of it; see details",
            fields=[_item(item, several=error.several) for item in error.items],
        )
    return None


_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="findstream"'}
_INVALID: Final = {"WWW-Authenticate": 'Bearer realm="findstream", error="invalid_token"'}
_WRONG: Final = "the request has wrong values; see details"

_PEOPLE: Final[tuple[tuple[tuple[type[PeopleError], ...], Callable[[PeopleError], RequestRefused]], ...]] = (
    ((SignInRefused,), lambda error: SignInFailed(str(error), headers=_CHALLENGE)),
    ((TokenRefused,), lambda error: SignInNeeded(str(error), headers=_INVALID)),
    ((EmailTaken,), lambda _: Conflict("another user has this e-mail address", fields=[("email", "is taken")])),
    ((LastAdmin, UserChanged), lambda error: Conflict(str(error))),
    ((NobodyThere, KeyUnknown), lambda _: NothingHere("there is no such user or key")),
    ((PasswordRefused,), lambda error: ValueRefused(_WRONG, fields=[("password", str(error))])),
)


def _of_people(error: PeopleError) -> RequestRefused | None:
    """The answer to what is refused about people; None if it is our own trouble."""
    if isinstance(error, SignInThrottled):
        return TooManyAttempts(str(error), headers={"Retry-After": str(error.retry_seconds)})
    return next((answer(error) for kinds, answer in _PEOPLE if isinstance(error, kinds)), None)


def _field(error: Mapping[str, object]) -> tuple[str, str]:
    """Where and what, of one pydantic error: ``("query", "limit")`` is told as ``limit``."""
    location = error["loc"]
    parts = [str(part) for part in location[1:]] if isinstance(location, tuple | list) else []
    context = error.get("ctx")
    form = context.get("pattern") if isinstance(context, Mapping) else None
    return ".".join(parts) or "body", WORDS.get(str(form)) or str(error["msg"]).removeprefix("Value error, ")


def _of_command(error: CommandRefused | VersionConflict | AlreadyThere) -> RequestRefused:
    if isinstance(error, Over):
        return Conflict(f"this {error.faults[0].reason}", fields=[_named(fault) for fault in error.faults])
    if isinstance(error, CommandRefused):
        return ValueRefused("this cannot be done so; see details", fields=[_named(fault) for fault in error.faults])
    kind = StaleEdit if isinstance(error, VersionConflict) else ThereAlready
    fields = [("version", f"is {error.version} by now")]
    return kind(str(error), fields=fields, headers={VERSION_HEADER: str(error.version)})


def _named(fault: Fault) -> tuple[str, str]:
    """A field of a command as the API calls it."""
    return fault.field.removesuffix("_us") or "body", fault.reason


def _item(item: RejectedItem, *, several: bool) -> tuple[str, str]:
    """Where and what, of one bad item; its number stands before the field, unless there is but one."""
    place = f"[{item.index}]" if several or item.index else ""
    field = item.field.removeprefix(place)
    return ".".join(part for part in (place, field) if part) or "body", item.reason
