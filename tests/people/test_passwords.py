"""Which passwords are accepted, and how they are compared."""

from unicodedata import normalize

import bcrypt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.people.errors import PasswordRefused
from consumers.people.passwords import MAX_BYTES, MIN_CHARACTERS, Passwords

PASSWORDS = Passwords(rounds=4)


@given(st.text(max_size=80))
def test_what_is_accepted_matches_itself_and_what_is_not_is_refused_with_the_limits(password: str) -> None:
    accepted = (
        len(password) >= MIN_CHARACTERS
        and "\0" not in password
        and len(normalize("NFC", password).encode("utf-8", "surrogatepass")) <= MAX_BYTES
    )
    if accepted:
        assert PASSWORDS.match(password, PASSWORDS.hashed(password))
    else:
        with pytest.raises(PasswordRefused, match="12 characters at least and 72 bytes at most"):
            PASSWORDS.hashed(password)


def test_a_password_that_only_begins_like_the_right_one_is_wrong() -> None:
    kept = PASSWORDS.hashed("x" * 72)

    assert PASSWORDS.match("x" * 72, kept)
    assert not PASSWORDS.match("x" * 73, kept)
    assert not PASSWORDS.match("x" * 71, kept)


def test_what_looks_the_same_is_the_same() -> None:
    assert PASSWORDS.match("Grußworte a\u0308u\u0308o\u0308", PASSWORDS.hashed("Grußworte äüö"))


def test_where_nothing_is_kept_nothing_matches_and_as_much_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []
    real = bcrypt.checkpw

    def noted(password: bytes, kept: bytes) -> bool:
        asked.append(kept[:7])
        return real(password, kept)

    monkeypatch.setattr(bcrypt, "checkpw", noted)

    assert not PASSWORDS.match("nobody has this one", None)
    assert not PASSWORDS.match("wrong", PASSWORDS.hashed("right and long"))
    assert asked == [b"$2b$04$", b"$2b$04$"]
