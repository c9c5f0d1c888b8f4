"""Words, charts, filters and negotiation of the pages."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from consumers.api.figures import Slot
from consumers.console import words
from consumers.console.chart import HEIGHT, chart, round_up
from consumers.console.filters import Asked
from consumers.console.negotiation import wants_page
from consumers.console.pages import HERE, palette_css
from consumers.palette import SEVERITIES
from projections.event_index import EventQuery
from tests.api.world import DAY_US, NOW_US

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, "0 s"), (0.0004, "1 ms"), (0.85, "850 ms"), (1, "1 s"), (59.9, "59 s"), (60, "1 min"), (7300, "2 h"), (200_000, "2 d")],
)
def test_durations_have_one_figure(seconds: float, expected: str) -> None:
    assert words.duration(seconds) == expected


@pytest.mark.parametrize(
    ("number", "expected"), [(0, "0"), (0.01, "0"), (0.44, "0.4"), (3.0, "3"), (250.7, "251"), (1e6, "1,000,000")]
)
def test_counts_show_fractions_while_they_matter(number: float, expected: str) -> None:
    assert words.count(number) == expected


@pytest.mark.parametrize(
    ("now", "before", "expected"), [(5, 5, "no change"), (3, 0, "new"), (15, 10, "+50 %"), (5, 10, "\N{MINUS SIGN}50 %")]
)
def test_changes_are_told_in_words(now: int, before: int, expected: str) -> None:
    assert words.change(now, before) == expected


def test_times_are_utc() -> None:
    assert words.day_time(NOW_US / 1e6) == "2026-11-21 00:00:00"
    assert words.clock_time(NOW_US / 1e6 + 61) == "00:01:01"
    assert words.machine_time(NOW_US / 1e6 + 0.25) == "2026-11-21T00:00:00.250000Z"


@given(st.lists(st.dictionaries(st.sampled_from([tone.word for tone in SEVERITIES]), st.integers(0, 10**7)), max_size=14))
def test_a_bar_is_as_high_as_its_count_and_its_pieces_touch(splits: list[dict[str, int]]) -> None:
    drawn = chart([Slot(number * DAY_US, split) for number, split in enumerate(splits)])

    assert drawn.width == len(splits)
    assert drawn.count == sum(sum(split.values()) for split in splits)
    for bar in drawn.bars:
        bottom = HEIGHT
        for piece in bar.pieces:
            assert piece.y + piece.height == pytest.approx(bottom, abs=0.01)
            bottom = piece.y
        assert bottom == pytest.approx(HEIGHT - HEIGHT * bar.count / drawn.top, abs=0.02)
        assert bottom >= -0.01


@given(st.integers(0, 10**9))
def test_the_top_of_the_axis_is_even_near_and_not_below(number: int) -> None:
    top = round_up(number)

    assert top % 2 == 0
    assert number <= top <= max(4, 2 * number)


@pytest.mark.parametrize(
    ("accept", "page"),
    [
        (BROWSER, True),
        ("text/html", True),
        ("*/*", False),
        ("", False),
        ("application/json", False),
        ("application/json, text/html;q=0.5", False),
        ("text/html;q=0.9, application/json;q=0.8", True),
        ("text/html;q=none", False),
        ("text/html;level=1;q=0.3", True),
        ("text/plain", False),
    ],
)
def test_browsers_get_pages_and_programs_get_data(accept: str, page: bool) -> None:  # noqa: FBT001 - a table of cases
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"accept", accept.encode())]}

    assert wants_page(Request(scope)) is page
    assert wants_page(Request({**scope, "method": "POST"})) is False


def test_filters_are_read_and_told_back() -> None:
    asked = Asked.of({"text": " disk full ", "severity": "high", "source": "aws.x", "hours": "24", "cursor": "c"}, now_us=NOW_US)

    assert asked.query() == EventQuery(
        since_us=NOW_US - DAY_US, source="aws.x", min_severity=3, text="disk full", limit=50, cursor="c"
    )
    assert asked.filtered
    assert asked.address("next") == "/events?source=aws.x&text=disk+full&severity=3&hours=24&from=1795132800&cursor=next"


def test_an_exact_range_wins_over_hours_so_that_pages_belong_together() -> None:
    first = Asked.of({"hours": "1"}, now_us=NOW_US)
    later = Asked.of({"hours": "1", "from": "1795215600"}, now_us=NOW_US + DAY_US)

    assert first.query().since_us == later.query().since_us == 1_795_215_600_000_000


@pytest.mark.parametrize(
    ("parameters", "wrong"),
    [
        ({"severity": "terrible"}, "severity"),
        ({"account": "abc"}, "account"),
        ({"from": "yesterday"}, "from"),
        ({"to": "-5"}, "to"),
        ({"hours": "inf"}, "hours"),
        ({"sevrity": "high"}, "sevrity"),
    ],
)
def test_what_is_not_understood_is_named_and_does_not_filter(parameters: dict[str, str], wrong: str) -> None:
    asked = Asked.of(parameters, now_us=NOW_US)

    assert list(asked.wrong) == [wrong]
    assert asked.query() == EventQuery(limit=50)
    assert not asked.filtered


def test_an_empty_range_is_named_and_ends_nowhere() -> None:
    asked = Asked.of({"from": "9", "to": "3"}, now_us=NOW_US)

    assert asked.wrong == {"to": "must be later than from"}
    assert asked.query() == EventQuery(since_us=9_000_000, limit=50)


def test_nothing_asked_is_the_plain_address() -> None:
    assert Asked.of({}, now_us=NOW_US).address() == "/events"


def contrast(one: str, other: str) -> float:
    """WCAG 2.2's contrast ratio of two colours written ``#rgb`` or ``#rrggbb``."""

    def luminance(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
        parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_the_api_page_can_be_read_where_swagger_chose_pale_colours() -> None:
    css = (HERE / "static/console.css").read_text()
    rules = re.findall(r"^(\.swagger \.swagger-ui .+?) \{(.+?)\}", css, re.MULTILINE)
    colours = {selectors: dict(re.findall(r"(?:^|[ ;])(background|color): ([^ ;]+)", body)) for selectors, body in rules}

    for part in ("opblock-get", "opblock-post", "version-stamp", ".info a", "execute", "parameter__in"):
        assert any(part in selectors for selectors in colours), part
    for selectors, pair in colours.items():
        behind = "#e6eef5" if pair["background"] == "transparent" else pair["background"]  # the darkest tint of an operation
        assert contrast(pair["color"], behind) >= 4.5, selectors


def test_the_bar_wraps_wherever_it_could_be_wider_than_the_window() -> None:
    css = (HERE / "static/console.css").read_text()
    narrow = css.partition("@media (max-width: 63.99rem) {\n")[2].partition("\n}\n")[0]

    assert ".bar { flex-wrap: wrap;" in narrow
    assert re.search(r"\.bar button \{[^}]*white-space: nowrap", css)


def test_the_page_has_the_colours_of_the_palette() -> None:
    css = palette_css()

    assert all(f"--sev-{number}:{tone.color};" in css for number, tone in enumerate(SEVERITIES))
