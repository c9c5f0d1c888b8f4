"""Silences in a browser: the list, and the form that links in messages lead to."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest

from consumers.api.errors import ValueRefused
from consumers.console.silence_form import Form
from consumers.notifier.errors import LedgerUnavailable
from consumers.notifier.groups.state import Member
from consumers.notifier.notice import Cause
from pipeline.log.port import Position
from tests.api.contract import BASE
from tests.api.desk_world import BOB, Client, DeskWorld
from tests.api.test_console_pages import HOSTILE, Outline
from tests.api.world import HOUR_US, NOW_US, SECOND_US, finding

PAGE = {"Accept": "text/html"}
NOW = NOW_US / 1e6


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Client]:
    world = DeskWorld(tmp_path)
    with world.open() as app, Client(app, world) as client:
        yield client.as_(BOB)


def post(browser: Client, path: str, origin: str = BASE, **form: Any) -> httpx.Response:
    headers = {**PAGE, "Content-Type": "application/x-www-form-urlencoded", "Origin": origin}
    answer: httpx.Response = browser.request("POST", path, content=urlencode(form, doseq=True), headers=headers)
    return answer


def page(browser: Client, path: str, status: int = 200) -> str:
    answer = browser.get(path, headers=PAGE)
    assert answer.status_code == status, answer.text
    return str(answer.text)


def silence(browser: Client, **form: Any) -> httpx.Response:
    return post(browser, "/silences/new", **{"matcher": "source=aws.guardduty", "hours": "4", "comment": "We know", **form})


def listed(browser: Client, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = browser.get(f"/silences{query}").json()["items"]
    return found


def value(outline: Outline, name: str) -> str:
    return next(field.get("value", "") for field in outline.all("input") if field.get("name") == name)


def test_a_link_fills_the_form_and_shows_what_it_would_match(browser: Client) -> None:
    world = browser.world
    world.log.append([finding(n, time_us=NOW_US - n * HOUR_US, summary=f"Finding {n}") for n in range(3)])
    cause = Cause("17-x", Position("shard-0", 1), 4)
    world.ledger.firing = [Member("alarm/1", cause, NOW_US, {"source": "aws.guardduty"})]

    html = page(browser, f"/silences/new?{urlencode({'matcher': ['source=aws.guardduty', 'severity<=HIGH']}, doseq=True)}")
    outline = Outline(html)

    assert "source=aws.guardduty\nseverity&lt;=HIGH</textarea>" in html
    assert "3 of 3" in outline.text
    assert "Finding 2" in outline.text
    assert [option["value"] for option in outline.all("option") if "selected" in option] == ["4"]
    assert "alarm/1" not in outline.text, "its severity is not known"


def test_what_fires_is_shown_on_the_form(browser: Client) -> None:
    cause = Cause("17-x", Position("shard-0", 1), 4)
    browser.world.ledger.firing = [Member("alarm/1", cause, NOW_US, {"source": "aws.guardduty"})]

    html = page(browser, "/silences/new?matcher=source%3Daws.*")

    assert 'href="/events/17-x">alarm/1</a>' in html
    assert "CRITICAL" in html


def test_the_form_makes_a_silence_and_leads_to_the_list_that_shows_it(browser: Client) -> None:
    answer = silence(browser, matcher="source=aws.guardduty\r\n\r\n  severity<=HIGH  ")
    html = page(browser, answer.headers["location"])

    assert answer.status_code == 303
    assert "The silence was created." in html
    (made,) = listed(browser)
    assert (made["matchers"], made["comment"], made["by"]["name"]) == (
        ["source=aws.guardduty", "severity<=HIGH"], "We know", "Bob",
    )  # fmt: skip
    assert (made["starts"], made["ends"]) == (NOW, NOW + 4 * 3600)
    for shown in ("source=aws.guardduty", "We know", "by Bob", made["id"], "active", "2026-11-21 04:00:00"):
        assert shown in Outline(html).text


def test_a_silence_may_end_at_an_exact_time(browser: Client) -> None:
    silence(browser, until="2026-11-22T06:30")

    assert listed(browser)[0]["ends"] == NOW + 30.5 * 3600


def test_a_form_that_is_posted_twice_makes_one_silence(browser: Client) -> None:
    key = value(Outline(page(browser, "/silences/new")), "key")

    first = silence(browser, key=key)
    browser.world.clock.now_us += 7 * SECOND_US
    second = silence(browser, key=key)

    assert (first.status_code, second.status_code) == (303, 303)
    assert first.headers["location"] == second.headers["location"]
    assert len(listed(browser)) == 1


def test_a_form_that_is_posted_again_with_other_values_says_so_once_and_can_be_sent(browser: Client) -> None:
    key = value(Outline(page(browser, "/silences/new")), "key")
    silence(browser, key=key)

    again = silence(browser, key=key, comment="Something else")
    other = value(Outline(again.text), "key")

    assert again.status_code == 422
    assert again.text.count("his form made a silence before") == 1
    assert other != key
    assert silence(browser, key=other, comment="Something else").status_code == 303
    assert len(listed(browser)) == 2


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"matcher": "hue=red"}, "no such field as"),
        ({"matcher": ""}, "say what is silenced"),
        ({"comment": " "}, "is empty: say why"),
        ({"hours": "x"}, "give a number of hours"),
        ({"hours": "99999"}, "within a year"),
        ({"until": "tomorrow"}, "2026-01-31T09:00"),
        ({"until": "2026-01-01T00:00"}, "must lie in the future"),
        ({"comment": "x" * 1001}, "comment"),
    ],
)
def test_a_form_that_is_wrong_is_shown_again_with_what_it_held(browser: Client, form: dict[str, str], told: str) -> None:
    answer = silence(browser, **form)
    outline = Outline(answer.text)

    assert answer.status_code == 422
    assert told in outline.text
    assert {"role": "alert"}.items() <= next(tag for name, tag in outline.tags if tag.get("role") == "alert").items()
    given = {"comment": "We know", **form}
    assert value(outline, "comment") == given["comment"].strip()
    assert value(outline, "until") == given.get("until", "")
    assert listed(browser) == []


def test_all_that_is_wrong_with_a_form_is_told_at_once(browser: Client) -> None:
    told = Outline(silence(browser, matcher="source=x\nhue=red", comment="", until="2026-01-01T00:00").text).text

    for wrong in ("line 2 no such field as 'hue'", "comment is empty", "ends must lie in the future"):
        assert wrong in told


def test_a_preview_of_what_is_no_matcher_names_its_line(browser: Client) -> None:
    told = Outline(page(browser, "/silences/new?matcher=source%3Dx%0Ahue%3Dred", status=422)).text

    assert "line 2 no such field as" in told
    assert "report, label.NAME, group.NAME" in told


def test_the_form_can_be_used_while_the_ledger_cannot_be_read(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        message = "the ledger is locked"
        raise LedgerUnavailable(message)

    monkeypatch.setattr(browser.world.ledger, "groups", broken)

    assert "<form" in page(browser, "/silences/new?matcher=source%3Dx", status=503)


def test_a_silence_is_ended_from_the_list(browser: Client) -> None:
    silence(browser)
    made = listed(browser)[0]["id"]
    browser.world.clock.now_us += SECOND_US
    action = f"/silences/{made}/expire"
    assert f'action="{action}"' in page(browser, "/silences")

    answer = post(browser, action)
    html = page(browser, answer.headers["location"])

    assert "The silence was ended." in html
    assert action not in html
    assert listed(browser)[0]["status"] == "ended"


def test_what_cannot_be_ended_is_a_page_that_says_so(browser: Client) -> None:
    answer = post(browser, "/silences/0199f3a1-0000-7000-8000-000000000001/expire")

    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert 'href="/silences"' in answer.text


def test_what_is_no_id_is_nothing(browser: Client) -> None:
    assert post(browser, "/silences/none/expire").status_code == 404


@pytest.mark.parametrize("path", ["/silences/new", "/silences/0199f3a1-0000-7000-8000-000000000001/expire"])
def test_a_page_of_another_origin_silences_nothing(browser: Client, path: str) -> None:
    answer = post(browser, path, origin="https://evil.example", matcher="source=x", comment="x")

    assert answer.status_code == 403
    assert listed(browser) == []


def test_the_list_is_filtered_and_paged(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consumers.console.silences.PAGE", 2)
    for number in range(3):
        silence(browser, comment=f"Number {number}", hours=str(number + 1))

    first = Outline(page(browser, "/silences?status=active"))
    more = next(link["href"] for link in first.all("a") if link.get("rel") == "next")
    second = Outline(page(browser, more))

    assert [name for name in ("Number 2", "Number 1", "Number 0") if name in first.text] == ["Number 2", "Number 1"]
    assert "Number 0" in second.text
    assert "status=active" in more
    assert "There is none." in page(browser, "/silences?status=ended")
    assert "tatus is one of pending, active, ended" in page(browser, "/silences?status=nonsense", status=422)


def test_a_cursor_that_is_none_leads_back_to_the_list(browser: Client) -> None:
    assert 'href="/silences"' in page(browser, "/silences?cursor=x", status=400)


def test_an_empty_list_says_so(browser: Client) -> None:
    assert "Nothing was ever silenced." in page(browser, "/silences")


@pytest.mark.parametrize("query", ["?done=created&id=x&revision=9", "?done=x&id=&revision=x", "?revision=99999999999"])
def test_the_list_comes_even_if_what_was_done_does_not_show(browser: Client, query: str) -> None:
    assert "Silences" in page(browser, f"/silences{query}")


def test_programs_get_the_list_as_data(browser: Client) -> None:
    assert browser.get("/silences").json() == {"items": [], "next": None}


def test_what_people_write_is_never_markup(browser: Client) -> None:
    hostile = f"source={HOSTILE}"
    shown = page(browser, f"/silences/new?matcher={quote(hostile)}&comment={quote(HOSTILE)}")
    silence(browser, matcher=hostile, comment=HOSTILE)
    list_ = page(browser, "/silences")

    for html in (shown, list_):
        assert "<script>alert" not in html
        assert not [tag for tag in Outline(html).all("img") if "onerror" in tag]
    assert HOSTILE in Outline(list_).text


def test_a_form_reads_several_matchers_however_they_come() -> None:
    form = Form.of({"matcher": ["a=b\nc=d", " e=f "], "comment": [" x ", "y"]})

    assert (form.matchers, form.comment, form.hours, form.until, form.key) == (("a=b", "c=d", "e=f"), "x", "4", "", "")
    with pytest.raises(ValueRefused):
        Form().wanted(now_us=NOW_US)
