"""What the routes of people take and answer. No password, hash or token is in any answer but those that hand it out."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from consumers.api.models import Answer, Seconds
from consumers.people.passwords import MAX_BYTES, MIN_CHARACTERS
from consumers.people.principal import Role
from consumers.people.user import MAX_EMAIL, MAX_NAME, MIN_NAME, email_of, name_of

UserId = Annotated[
    str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", examples=["01a1fb67-1800-7000-8000-000000000001"])
]
Email = Annotated[
    str,
    AfterValidator(email_of),
    Field(max_length=MAX_EMAIL, description="Kept in lower case; unique.", examples=["ada@example.org"]),
]
FullName = Annotated[str, AfterValidator(name_of), Field(min_length=MIN_NAME, max_length=MAX_NAME, examples=["Ada Lovelace"])]
NewPassword = Annotated[
    SecretStr,
    Field(
        description=f"{MIN_CHARACTERS} characters at least, {MAX_BYTES} bytes of UTF-8 at most.",
        examples=["correct horse battery staple"],
    ),
]


class Taken(BaseModel):
    """The base of all bodies: what is not asked for is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Credentials(Taken):
    """Who wants to sign in."""

    email: Annotated[str, Field(max_length=1024, examples=["ada@example.org"])]
    password: Annotated[SecretStr, Field(max_length=1024, examples=["correct horse battery staple"])]


class Renewal(Taken):
    """What is exchanged."""

    refresh_token: Annotated[SecretStr, Field(max_length=4096)]


class SigningOut(Taken):
    """How far."""

    everywhere: Annotated[bool, Field(description="End all sessions of the user, not only this one.")] = False


class NewUser(Taken):
    """A user to be."""

    email: Email
    full_name: FullName
    role: Role = Role.USER
    password: NewPassword


class UserChange(Taken):
    """What is to be another; what is left out stays. Role and activity are for admins to change."""

    full_name: FullName | None = None
    email: Email | None = None
    role: Role | None = None
    active: Annotated[bool | None, Field(description="False: may not sign in, and is signed out.")] = None
    current_password: Annotated[SecretStr | None, Field(max_length=1024, description="For another address of one's own.")] = None
    version: Annotated[int | None, Field(ge=1, lt=2**53, description="As read: a stale edit is refused with 409.")] = None


class PasswordChange(Taken):
    """A new password. Whoever changes their own gives the present one too."""

    password: NewPassword
    current_password: Annotated[SecretStr | None, Field(max_length=1024)] = None


class NewKey(Taken):
    """An ingest key to be."""

    name: Annotated[
        str, AfterValidator(name_of), Field(min_length=MIN_NAME, max_length=MAX_NAME, examples=["agent in 111122223333"])
    ]


class UserView(Answer):
    """A user."""

    id: UserId
    email: Annotated[str, Field(examples=["ada@example.org"])]
    full_name: Annotated[str, Field(examples=["Ada Lovelace"])]
    role: Role
    active: bool
    preferences: dict[str, Any]
    created: Seconds
    updated: Seconds
    last_login: Seconds | None
    version: Annotated[int, Field(description="Counts changes; send it back to refuse a stale edit.")]


class UserList(Answer):
    """Users in the order in which they were made. ``total`` counts all that match, not only those shown."""

    items: list[UserView]
    total: int


class TokenPair(Answer):
    """What a client shows from now on."""

    token_type: Literal["Bearer"]
    access_token: Annotated[str, Field(description="For the Authorization header.")]
    expires_in: Annotated[int, Field(description="Seconds that the access token is good for.", examples=[900])]
    refresh_token: Annotated[str, Field(description="Good once, for /auth/refresh.")]
    refresh_expires_in: Annotated[int, Field(description="Seconds that the refresh token is good for.", examples=[604800])]
    user: UserView


class KeyView(Answer):
    """An ingest key, without its secret."""

    id: UserId
    name: str
    created: Seconds
    created_by: Annotated[str, Field(description="A user's id; empty if it was made on the server's machine.")]
    last_used: Annotated[Seconds | None, Field(description="To the minute.")]
    revoked: Seconds | None


class KeyMade(KeyView):
    """A new key with its secret, which is told this once."""

    secret: Annotated[str, Field(description="For the producer's Authorization header; it is kept nowhere.")]


class KeyList(Answer):
    """All keys in the order in which they were made."""

    items: list[KeyView]


class UsersStats(Answer):
    """Users by role and by activity. No one is named."""

    total: int
    by_role: Annotated[dict[str, int], Field(examples=[{"admin": 1, "user": 7}])]
    active: int
    inactive: int
    signed_in_24_hours: Annotated[int, Field(description="Signed in at least once in the last 24 hours.")]
    signed_in_30_days: int
    never_signed_in: int
