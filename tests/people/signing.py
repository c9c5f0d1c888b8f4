"""A whole sign-in over a store, with a clock that a test moves."""

from dataclasses import dataclass, field
from datetime import timedelta

from consumers.people.keyring import Keyring, first
from consumers.people.port import People
from consumers.people.sign_in import SignIn
from consumers.people.tokens import Tokens
from tests.people.stores import NOW_US, entropy


class Clock:
    """Stands still until a test moves it."""

    def __init__(self, now_us: int = NOW_US) -> None:
        self.now_us = now_us

    def __call__(self) -> int:
        return self.now_us

    def pass_by(self, **time: float) -> None:
        self.now_us += timedelta(**time) // timedelta(microseconds=1)


class MemoryKeys:
    """A keyring that a test replaces."""

    def __init__(self, keyring: Keyring | None = None) -> None:
        self.keyring = keyring or first(NOW_US, entropy)

    def read(self) -> Keyring:
        return self.keyring

    def write(self, keyring: Keyring) -> None:
        self.keyring = keyring


@dataclass
class Door:
    """What a test needs of it."""

    people: People
    clock: Clock = field(default_factory=Clock)
    keys: MemoryKeys = field(default_factory=MemoryKeys)

    def __post_init__(self) -> None:
        self.tokens = Tokens(self.keys, clock=self.clock, entropy=entropy)
        self.sign_in = SignIn(self.people, self.tokens, clock=self.clock, entropy=entropy)
