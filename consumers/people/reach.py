"""Who may reach the server while nobody can sign in: this machine only."""

from consumers.errors import Refused
from consumers.people.port import People
from pipeline.settings import Settings


class NobodySignsIn(Refused):
    """The server was to be reached from other machines before anybody can sign in. Do: make the first admin."""


def expect_sign_in(settings: Settings, people: People) -> None:
    """Raise ``NobodySignsIn`` if the server is to listen beyond loopback and there is no admin."""
    if not settings.bound_to_loopback and not people.users.admins():
        message = (
            f"FINDSTREAM_BIND={settings.bind} would let other machines in while nobody can sign in; "
            "make the first admin: findstream users bootstrap EMAIL"
        )
        raise NobodySignsIn(message)
