"""How figures and times read, and what is taken out of text from outside."""

import pytest
import typer

from consumers.cli.arguments import level, time_us
from consumers.cli.output import moment, plain, size


@pytest.mark.parametrize(
    ("number", "reads"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1_500_000, "1.4 MiB"), (5 << 30, "5.0 GiB"), (3 << 40, "3.0 TiB")],
)
def test_bytes_read_well(number: int, reads: str) -> None:
    assert size(number) == reads


def test_a_time_reads_in_utc() -> None:
    assert moment(1_700_000_000_000_000) == "2023-11-14 22:13:20Z"
    assert moment(None) == "-"


@pytest.mark.parametrize("steering", ["\x00", "\x1b[31m", "\x7f", "\x9b", "\u202e", "\u2066", "\r\n"])
def test_nothing_that_steers_a_terminal_passes(steering: str) -> None:
    assert not any(character in plain(f"a{steering}b") for character in steering if not character.isprintable())
    assert plain("plain, äöü 漢字 🔴") == "plain, äöü 漢字 🔴"


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("1970-01-01", 0),
        ("1970-01-02T00:00:00Z", 86_400_000_000),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T00:00:00.000001Z", 1),
    ],
)
def test_times_can_be_written_in_several_ways(text: str, us: int) -> None:
    assert time_us(text) == us


def test_a_time_ago_counts_from_now() -> None:
    assert 3_599_000_000 < time_us("1h") - time_us("2h") < 3_601_000_000


@pytest.mark.parametrize(("text", "number"), [("high", 3), ("CRITICAL", 4), ("0", 0), ("4", 4)])
def test_a_severity_is_a_word_or_a_number(text: str, number: int) -> None:
    assert level(text) == number


@pytest.mark.parametrize("text", ["5", "-1", "²", "", "loud"])
def test_what_is_no_severity_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is no severity"):
        level(text)


@pytest.mark.parametrize("text", ["", "1y", "-1h", "2026", "2026-01-31T09:00", "tomorrow", "99999999d"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is no time"):
        time_us(text)
