"""Users, keys and tokens as the API shows them."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from consumers.api.models import seconds, seconds_or_none
from consumers.api.people_models import KeyMade, KeyView, TokenPair, UsersStats, UserView
from consumers.people.principal import Role
from consumers.people.session import IngestKey
from consumers.people.sign_in import Pair
from consumers.people.tokens import LIFETIMES, Use
from consumers.people.user import User

_DAY_US: Final = 86_400 * 1_000_000


def user(shown: User) -> UserView:
    """A user."""
    return UserView(
        id=shown.id,
        email=shown.email,
        full_name=shown.full_name,
        role=shown.role,
        active=shown.active,
        preferences=dict(shown.preferences),
        created=seconds(shown.created_us),
        updated=seconds(shown.updated_us),
        last_login=seconds_or_none(shown.last_login_us),
        version=shown.version,
    )


def pair(shown: Pair) -> TokenPair:
    """The tokens of a sign-in."""
    return TokenPair(
        token_type="Bearer",  # noqa: S106 -- the name of a scheme
        access_token=shown.access,
        expires_in=round(LIFETIMES[Use.ACCESS].total_seconds()),
        refresh_token=shown.refresh,
        refresh_expires_in=round(LIFETIMES[Use.REFRESH].total_seconds()),
        user=user(shown.user),
    )


def key(shown: IngestKey) -> KeyView:
    """A key."""
    return KeyView(
        id=shown.id,
        name=shown.name,
        created=seconds(shown.created_us),
        created_by=shown.created_by,
        last_used=seconds_or_none(shown.last_used_us),
        revoked=seconds_or_none(shown.revoked_us),
    )


def made(shown: IngestKey, secret: str) -> KeyMade:
    """A new key with its secret."""
    return KeyMade(**key(shown).model_dump(), secret=secret)


def stats(users: Sequence[User], *, now_us: int) -> UsersStats:
    """Figures of all users."""
    roles = Counter(one.role for one in users)
    since = [now_us - one.last_login_us for one in users if one.last_login_us is not None]
    active = sum(one.active for one in users)
    return UsersStats(
        total=len(users),
        by_role={role.value: roles[role] for role in Role},
        active=active,
        inactive=len(users) - active,
        signed_in_24_hours=sum(ago_us <= _DAY_US for ago_us in since),
        signed_in_30_days=sum(ago_us <= 30 * _DAY_US for ago_us in since),
        never_signed_in=len(users) - len(since),
    )
