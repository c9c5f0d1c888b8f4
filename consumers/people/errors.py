"""What can break about people and sign-in. The docstring says when, then what the operator does."""

from pipeline.errors import PipelineError


class PeopleError(PipelineError):
    """The base of all below."""


class PeopleUnavailable(PeopleError):
    """The store of people cannot be read or written just now (locked, full disk, network). Nothing of the call was kept.

    Do: mend the cause that the message names, and try again.
    """


class PeopleUnreadable(PeopleError):
    """The file of people is damaged. Do: restore it from a backup; passwords changed since are the old ones again."""


class SigningKeysUnusable(PeopleError):
    """The keys that sign tokens cannot be read or written. Do: as the message says; without them nobody can sign in."""


class EmailTaken(PeopleError):
    """Another user has this e-mail address. Do: choose another, or edit that user."""


class NobodyThere(PeopleError):
    """No user has this id. Do: check it; the user may have been removed."""


class UserChanged(PeopleError):
    """Somebody else changed the user meanwhile; nothing of this change was kept. Do: read again, decide anew."""


class LastAdmin(PeopleError):
    """Nobody would be left who may administer. Do: make another user an admin first."""


class PasswordRefused(PeopleError):
    """A new password is too short or too long; the message says what is accepted. Do: choose another."""


class SignInRefused(PeopleError):
    """E-mail address and password do not belong together, or the user may not sign in. Which of these is not told."""


class SignInThrottled(PeopleError):
    """Too many attempts failed. Do: wait ``retry_seconds``, then try again."""

    def __init__(self, retry_seconds: int) -> None:
        super().__init__(f"too many attempts failed; try again in {retry_seconds} s")
        self.retry_seconds = retry_seconds


class TokenRefused(PeopleError):
    """A token or key is forged, of another kind, expired or revoked. Do: sign in again."""


class TokenReused(TokenRefused):
    """A refresh token was used a second time: it may have been stolen, so the session has ended. Do: sign in again."""


class KeyUnknown(PeopleError):
    """No ingest key has this id. Do: check it against the list of keys."""
