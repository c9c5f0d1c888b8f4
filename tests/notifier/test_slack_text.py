"""Text from outside: what of it reaches Slack."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.notifier.messages.text import ELLIPSIS, Escaped, clean, cut, escape, line, width


def test_the_three_control_characters_are_escaped_and_nothing_else() -> None:
    assert escape("<!channel> & \"quotes\" 'too'") == "&lt;!channel&gt; &amp; \"quotes\" 'too'"


def test_what_looks_escaped_already_is_escaped_as_the_text_that_it_is() -> None:
    assert escape("&lt;!channel&gt;") == "&amp;lt;!channel&amp;gt;"


def test_our_own_notation_is_not_escaped_twice() -> None:
    assert escape(Escaped("<https://console|here>")) == "<https://console|here>"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\x00b", "a\ufffdb"),
        ("a\ud800b", "a\ufffdb"),
        ("one\r\ntwo\rthree\u2028four", "one\ntwo\nthree\nfour"),
        ("abc\u202egnp.exe", "abcgnp.exe"),
        ("\u200b\ufeff ", ""),
        ("مرحبا שלום", "مرحبا שלום"),
        ("👩\u200d🚒", "👩\u200d🚒"),
    ],
)
def test_a_text_is_cleaned_of_what_cannot_be_shown(text: str, expected: str) -> None:
    assert clean(text) == expected


def test_a_line_holds_no_line_ends() -> None:
    assert line("*Account*\n\n  999\t9") == "*Account* 999 9"


def test_a_text_that_fits_is_left_whole() -> None:
    assert cut("abc", 3) == ("abc", False)


def test_a_longer_text_ends_in_an_ellipsis_within_the_limit() -> None:
    assert cut("abcd", 3) == ("ab…", True)


def test_an_entity_is_kept_whole_or_left_out() -> None:
    assert cut("a<<<<", 10) == ("a&lt;&lt;…", True)


def test_an_emoji_counts_as_two_and_is_kept_whole_or_left_out() -> None:
    assert cut("😀😀", 4) == ("😀😀", False)
    assert cut("a😀😀", 4) == ("a😀…", True)


def test_a_mark_is_not_parted_from_its_letter_nor_a_family_from_its_members() -> None:
    assert cut("abe\u0301fg", 4) == ("ab…", True)
    assert cut("ab👩\u200d🚒fg", 7) == ("ab…", True)
    assert cut("ab👍🏽fg", 5) == ("ab…", True)


def test_endless_marks_do_not_swallow_the_text_before_them() -> None:
    text, shortened = cut("a" + "\u0301" * 500, 100)

    assert shortened
    assert width(text) == 100


def test_a_text_of_a_hundred_kilobytes_is_cut_without_reading_all_of_it() -> None:
    text, shortened = cut("&" * 100_000, 3000)

    assert shortened
    assert text == "&amp;" * 599 + ELLIPSIS


def test_invisible_bulk_is_told_as_cut() -> None:
    assert cut("\u200b" * 100_000, 10) == (ELLIPSIS, True)


@given(
    text=st.text(alphabet=st.characters() | st.sampled_from("<>&`*_~\n\u200d\ufe0f\u0301\u202e😀👍🏽"), max_size=200),
    limit=st.integers(1, 120),
)
def test_whatever_comes_in_what_goes_out_is_safe_and_short(text: str, limit: int) -> None:
    result, shortened = cut(text, limit)

    assert width(result) <= limit
    assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)", result)
    assert shortened or result == escape(clean(text))
    result.encode("utf-8", "strict")
