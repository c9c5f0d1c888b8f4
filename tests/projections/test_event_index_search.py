from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from projections.event_index import EventQuery
from projections.segments import SEALED_ENTRIES, words
from tests.projections.index import Index, answer, index_in
from tests.support.effort import share
from tests.support.facts import DAY_US, MORNING_US, finding
from tests.support.scratch import scratch

SUMMARIES = (
    "High CPU on web-1",
    "high cpu on WEB-2; restarting...",
    'He said "stop" AND left',
    "NEAR(a b) OR NOT c*",
    "Straße gesperrt",
    "ÉTÉ brûlant",
    "磁盘 已满 on db",
    "100% of $quota_used",
    "",
)


@pytest.fixture(scope="module", params=["small", "sealed"])
def index(request: pytest.FixtureRequest) -> Iterator[Index]:
    """The summaries, once in a segment that is still open, once in one that is sealed."""
    with scratch() as folder, index_in(folder) as index:
        told = [finding(number, summary=summary) for number, summary in enumerate(SUMMARIES)]
        filling = [finding(number, MORNING_US + 1, summary=f"Filler {number}") for number in range(100, 100 + SEALED_ENTRIES)]
        index.add(*told, *(filling if request.param == "sealed" else ()))
        yield index


def summaries(index: Index, text: str) -> list[str]:
    page = index.page(EventQuery(text=text, direction="asc", limit=2_000))
    return [entry.summary for entry in page.entries if not entry.summary.startswith("Filler")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cpu", SUMMARIES[0:2]),
        ("CPU high", SUMMARIES[0:2]),
        ("web 2", SUMMARIES[1:2]),
        ("web-2", SUMMARIES[1:2]),
        ("web2", ()),
        ("cp", ()),
        ("restarting", SUMMARIES[1:2]),
        ('"stop"', SUMMARIES[2:3]),
        ('"', SUMMARIES),
        ("*", SUMMARIES),
        (" \t", SUMMARIES),
        ("AND", SUMMARIES[2:3]),
        ("and AND left", SUMMARIES[2:3]),
        ("OR", SUMMARIES[3:4]),
        ("NOT", SUMMARIES[3:4]),
        ("NEAR(", SUMMARIES[3:4]),
        ("NEAR(a b, 5)", ()),
        ("c*", SUMMARIES[3:4]),
        ("hi*", ()),
        ("^high", SUMMARIES[0:2]),
        ("{terms} : high", ()),
        ("- high", SUMMARIES[0:2]),
        ("high + cpu", SUMMARIES[0:2]),
        ("strasse", SUMMARIES[4:5]),
        ("STRASSE", SUMMARIES[4:5]),
        ("été BRÛLANT", SUMMARIES[5:6]),
        ("ete", ()),
        ("已满", SUMMARIES[6:7]),
        ("磁盘\u3000db", SUMMARIES[6:7]),
        ("100%", SUMMARIES[7:8]),
        ("quota_used", SUMMARIES[7:8]),
        ("'; DROP TABLE segment; --", ()),
        ("high\0cpu", SUMMARIES[0:2]),
        ("aws", ()),
        ("source-1", ()),
    ],
)
def test_text_finds_summaries_that_hold_all_its_words(index: Index, text: str, expected: tuple[str, ...]) -> None:
    assert summaries(index, text) == list(expected)


@given(text=st.text(st.characters(codec="utf-8")) | st.text("\"*()^:+-{}' ANDORNEAR\0", max_size=30))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_is_an_error(index: Index, text: str) -> None:
    query = EventQuery(text=text, direction="asc", limit=2_000)

    assert list(index.page(query).entries) == answer(index.records, query)


def test_text_is_sought_within_the_time_range(index: Index) -> None:
    assert index.ids(text="high cpu", until_us=MORNING_US + 60_000_000) == [finding(0).id]


VALUES = st.text(min_size=1, max_size=15) | st.sampled_from(
    [
        'say "hi"',
        "it's",
        "two\nlines",
        "\n",
        "a b",
        "em\u2003space",
        "line\u2028end",
        "tab\t",
        "ﬁ ligature",
        "İstanbul",
        "\x1f",
        "*",
        "NOT",
    ]
)


@pytest.mark.long
@share(8)
@given(
    told=st.lists(
        st.fixed_dictionaries(
            {
                "source": VALUES,
                "account": VALUES,
                "source_id": VALUES,
                "summary": st.text(max_size=30),
                "resources": st.lists(VALUES, max_size=3).map(tuple),
                "severity": st.integers(0, 4),
            }
        ),
        min_size=5,
        max_size=40,
    )
)
def test_every_sealed_entry_is_found_by_each_of_its_own_values(told: list[dict[str, object]]) -> None:
    with scratch() as folder, index_in(folder) as index:
        events = [finding(number, **values) for number, values in enumerate(told)]  # type: ignore[arg-type]  # header fields
        index.add(*events, *(finding(number, MORNING_US + DAY_US // 2) for number in range(1_000, 1_000 + SEALED_ENTRIES)))

        for event in events:
            assert event.id in index.ids(source=event.source)
            assert event.id in index.ids(account=event.account)
            assert event.id in index.ids(min_severity=event.severity)
            assert event.id in index.ids(text=event.summary)
            assert event.id in index.find(event.source_id)
            for resource in event.resources:
                assert event.id in index.ids(resource=resource, source=event.source, text=" ".join(words(event.summary)[:1]))


@pytest.mark.parametrize("filler", [0, SEALED_ENTRIES])
def test_a_resource_is_found_whole_and_exactly(tmp_path: Path, filler: int) -> None:
    odd = ("arn:aws:s3:::a b", 'say "hi"', "two\nlines", "ünïcode", "ARN:upper", "arn")
    with index_in(tmp_path) as index:
        told = [finding(number, resources=(resource,)) for number, resource in enumerate(odd)]
        index.add(*told, *(finding(number, MORNING_US + 1) for number in range(100, 100 + filler)))

        for event, resource in zip(told, odd, strict=True):
            assert index.ids(resource=resource) == [event.id]
        for absent in ("a b", "two", "arn:upper", "unicode", "arn:"):
            assert index.ids(resource=absent) == []


def test_a_long_resource_is_found(tmp_path: Path) -> None:
    long = "x" * 40_000
    with index_in(tmp_path) as index:
        told = [finding(number, resources=(long + str(number),)) for number in range(2)]
        index.add(*told, *(finding(number) for number in range(100, 100 + SEALED_ENTRIES)))

        assert index.ids(resource=long + "1") == [told[1].id]
