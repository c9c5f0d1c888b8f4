"""Passwords: which are accepted, and how they are kept and compared.

Accepted: ``MIN_CHARACTERS`` characters at least, ``MAX_BYTES`` bytes of UTF-8 at most: bcrypt looks at no more, and a longer one
          would be cut in silence. No rules of composition, no expiry.
Kept:     bcrypt with a salt of its own and a cost of ``rounds`` (2 to the power of it).
Compared: in the same time whether there is such a user or not.
Source: OWASP Password Storage Cheat Sheet, OWASP Authentication Cheat Sheet, NIST SP 800-63B section 3.1.1.
"""

from functools import cached_property
from typing import Final
from unicodedata import normalize

import bcrypt

from consumers.people.errors import PasswordRefused

MIN_CHARACTERS: Final = 12
MAX_BYTES: Final = 72
ROUNDS: Final = 12


def _encoded(password: str) -> bytes:
    """One spelling of what looks the same, whichever keyboard wrote it."""
    return normalize("NFC", password).encode("utf-8", "surrogatepass")


class Passwords:
    """Makes and compares hashes; ``rounds`` below the default are for tests."""

    def __init__(self, rounds: int = ROUNDS) -> None:
        self._rounds = rounds

    def hashed(self, password: str) -> str:
        """What is kept of a new password. Raises ``PasswordRefused``."""
        encoded = _encoded(password)
        if len(password) < MIN_CHARACTERS or len(encoded) > MAX_BYTES or "\0" in password:
            message = f"a password has {MIN_CHARACTERS} characters at least and {MAX_BYTES} bytes at most, and no NUL"
            raise PasswordRefused(message)
        return bcrypt.hashpw(encoded, bcrypt.gensalt(self._rounds)).decode()

    def match(self, password: str, kept: str | None) -> bool:
        """Whether ``kept`` was made of this password. With nothing kept the answer is no, and takes as long."""
        encoded = _encoded(password)
        alike = bcrypt.checkpw(encoded[:MAX_BYTES], (kept or self._decoy).encode())
        return alike and kept is not None and len(encoded) <= MAX_BYTES

    @cached_property
    def _decoy(self) -> str:
        return bcrypt.hashpw(b"nobody has this one", bcrypt.gensalt(self._rounds)).decode()
