"""Who a user is: names and addresses in one form, ids that sort by time."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.people.principal import Principal, Role
from consumers.people.user import email_of, name_of, new_id


@pytest.mark.parametrize(
    ("written", "kept"), [("Ada@Example.ORG", "ada@example.org"), ("  a+b@x.co ", "a+b@x.co"), ("a@localhost", "a@localhost")]
)
def test_an_email_address_is_kept_in_lower_case(written: str, kept: str) -> None:
    assert email_of(written) == kept


@pytest.mark.parametrize(
    "text", ["", "ada", "@x.org", "a@", "a b@x.org", "a@x..", "a@-x", "a\n@x.org", "ä@x.org", "a@" + "x" * 300]
)
def test_what_is_no_email_address_is_refused_with_the_accepted_form(text: str) -> None:
    with pytest.raises(ValueError, match="name@domain"):
        email_of(text)


def test_a_name_has_two_to_a_hundred_printable_characters() -> None:
    assert name_of("  Ada   King ") == "Ada King"
    assert name_of("李白") == "李白"
    for text in ("", "A", "x" * 101, "a\x00b", "\u202eabc"):
        with pytest.raises(ValueError, match="2 to 100"):
            name_of(text)


@given(st.integers(0, (1 << 48) * 1000 - 1), st.binary(min_size=10, max_size=10))
def test_ids_are_version_7_and_carry_their_millisecond(now_us: int, drawn: bytes) -> None:
    made = UUID(new_id(now_us, lambda size: drawn[:size]))

    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert made.int >> 80 == now_us // 1000


def test_an_admin_may_do_everything() -> None:
    assert Principal("u", Role.ADMIN).is_admin
    assert not Principal("u", Role.USER).is_admin
