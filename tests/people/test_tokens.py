"""Which tokens are believed, and for what."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import timedelta
from itertools import product
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.people.errors import TokenRefused
from consumers.people.keyring import first, renewed
from consumers.people.tokens import LIFETIMES, LONGEST_US, Tokens, Use
from tests.people.signing import Clock, MemoryKeys
from tests.people.stores import NOW_US, entropy

KEYS = MemoryKeys()
KEY = KEYS.keyring.keys[0]


def tokens(clock: Clock | None = None, keys: MemoryKeys = KEYS) -> Tokens:
    return Tokens(keys, clock=clock or Clock(), entropy=entropy)


def said(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    found: dict[str, Any] = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return found


@pytest.mark.parametrize(("made", "asked"), list(product(Use, Use)))
def test_a_token_is_good_for_its_own_use_only(made: Use, asked: Use) -> None:
    token = tokens().sign(made, "user", "session")

    if made is asked:
        claims = tokens().read(token, asked)
        assert (claims.user_id, claims.session_id) == ("user", "session")
    else:
        with pytest.raises(TokenRefused):
            tokens().read(token, asked)


@pytest.mark.parametrize("use", Use)
def test_a_token_lives_as_long_as_its_use_allows(use: Use) -> None:
    clock = Clock()
    token = tokens(clock).sign(use, "user", "session")

    clock.now_us += LIFETIMES[use] // timedelta(microseconds=1) - 1
    assert tokens(clock).read(token, use).user_id == "user"
    clock.now_us += 1
    with pytest.raises(TokenRefused, match="expired"):
        tokens(clock).read(token, use)


def test_access_lives_a_quarter_of_an_hour_and_refresh_a_week() -> None:
    assert LIFETIMES[Use.ACCESS] == timedelta(minutes=15)
    assert LIFETIMES[Use.REFRESH] == timedelta(days=7)


def test_a_token_tells_ids_only() -> None:
    claims = said(tokens().sign(Use.ACCESS, "user", "session"))

    assert set(claims) == {"iss", "aud", "typ", "sub", "sid", "jti", "iat", "exp"}
    assert tokens().sign(Use.ACCESS, "user", "session") != tokens().sign(Use.ACCESS, "user", "session")


def claims(**changes: Any) -> dict[str, Any]:
    now = NOW_US // 1_000_000
    made = {"iss": "findstream", "aud": "findstream", "typ": "access", "sub": "u", "sid": "s", "jti": "j", "iat": now}
    whole = made | {"exp": now + 60} | changes
    return {name: value for name, value in whole.items() if value is not None}


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_another_algorithm_is_refused_even_with_our_key(algorithm: str) -> None:
    token = jwt.encode(claims(), KEY.secret, algorithm, headers={"kid": KEY.kid})

    with pytest.raises(TokenRefused):
        tokens().read(token, Use.ACCESS)


@pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE"])
def test_an_unsigned_token_is_refused(name: str) -> None:
    def part(told: dict[str, Any]) -> str:
        return urlsafe_b64encode(json.dumps(told).encode()).decode().rstrip("=")

    header = part({"alg": name, "typ": "JWT", "kid": KEY.kid})
    for signature in ("", tokens().sign(Use.ACCESS, "u", "s").rpartition(".")[2]):
        with pytest.raises(TokenRefused):
            tokens().read(f"{header}.{part(claims())}.{signature}", Use.ACCESS)


@pytest.mark.parametrize(
    "changes",
    [
        *({name: None} for name in ("iss", "aud", "typ", "sub", "sid", "jti", "iat", "exp")),
        {"iss": "elsewhere"},
        {"aud": "elsewhere"},
        {"typ": "refresh"},
        {"typ": ["access"]},
        {"exp": "tomorrow"},
        {"exp": 1e400},
        {"exp": -1},
        {"sid": 7},
        {"sub": 7},
        {"sub": ["u"]},
    ],
    ids=str,
)
def test_claims_that_are_missing_or_wrong_are_refused_though_signed(changes: dict[str, Any]) -> None:
    assert tokens().read(jwt.encode(claims(), KEY.secret, "HS256", headers={"kid": KEY.kid}), Use.ACCESS).user_id == "u"
    token = jwt.encode(claims(**changes), KEY.secret, "HS256", headers={"kid": KEY.kid})

    with pytest.raises(TokenRefused):
        tokens().read(token, Use.ACCESS)


@pytest.mark.parametrize("kid", [None, "unknown", "../../etc/passwd", ""])
def test_a_key_that_is_not_ours_is_refused(kid: str | None) -> None:
    token = jwt.encode(claims(), "another secret that is long enough to be one", "HS256", headers={"kid": kid} if kid else None)

    with pytest.raises(TokenRefused):
        tokens().read(token, Use.ACCESS)


GOOD = tokens().sign(Use.ACCESS, "user", "session")


@given(st.integers(0, len(GOOD) - 1), st.characters(codec="ascii"))
def test_a_token_of_which_one_character_is_another_is_refused(place: int, character: str) -> None:
    changed = GOOD[:place] + character + GOOD[place + 1 :]
    try:
        claimed = tokens().read(changed, Use.ACCESS)
    except TokenRefused:
        return
    assert claimed == tokens().read(GOOD, Use.ACCESS)
    assert place == len(GOOD) - 1 or changed == GOOD, "only the unused bits of the last character mean nothing"


@given(st.text(max_size=60) | st.just("x" * 5000) | st.from_regex(r"[\w-]{0,9}\.[\w-]{0,9}\.[\w-]{0,9}", fullmatch=True))
def test_whatever_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(TokenRefused):
        tokens().read(text, Use.ACCESS)


@given(st.lists(st.integers(0, 10 * 86_400), min_size=1, max_size=12))
def test_rotation_signs_nobody_out(pauses: list[int]) -> None:
    clock, keys = Clock(), MemoryKeys(first(NOW_US, entropy))
    signer = tokens(clock, keys)
    signed: list[tuple[int, str]] = []

    for pause in pauses:
        for step in (0, 60, 180):
            clock.now_us += step * 1_000_000
            signed.append((clock.now_us, signer.sign(Use.REFRESH, "u", "s")))
        keys.keyring = renewed(keys.keyring, clock.now_us, entropy, longest_us=LONGEST_US)
        clock.now_us += pause * 1_000_000
        for made_us, token in signed:
            if clock.now_us - made_us < LONGEST_US - 1_000_000:
                assert signer.read(token, Use.REFRESH).user_id == "u"


def test_a_new_key_signs_only_when_everybody_knows_it_and_an_old_one_goes_at_last() -> None:
    clock, keys = Clock(), MemoryKeys()
    old = keys.keyring.keys[0]
    keys.keyring = renewed(keys.keyring, clock.now_us, entropy, longest_us=LONGEST_US)
    new = keys.keyring.keys[1]

    assert keys.keyring.signing(clock.now_us) == old
    clock.pass_by(minutes=2)
    assert keys.keyring.signing(clock.now_us) == new
    clock.pass_by(days=8)
    keys.keyring = renewed(keys.keyring, clock.now_us, entropy, longest_us=LONGEST_US)
    assert old not in keys.keyring.keys
    assert new in keys.keyring.keys


def test_in_an_emergency_no_former_key_is_kept() -> None:
    keys = MemoryKeys()
    token = tokens(keys=keys).sign(Use.ACCESS, "u", "s")
    keys.keyring = renewed(keys.keyring, NOW_US, entropy, longest_us=LONGEST_US, drop=True)

    with pytest.raises(TokenRefused, match="not known"):
        tokens(keys=keys).read(token, Use.ACCESS)
    assert tokens(keys=keys).read(tokens(keys=keys).sign(Use.ACCESS, "u", "s"), Use.ACCESS)


def test_nothing_shows_a_secret() -> None:
    assert KEY.secret not in repr(KEYS.keyring)
