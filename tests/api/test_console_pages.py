"""The pages: what they show, what they escape, how they can be used without a mouse, colours or script."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pipeline.log.port import Position
from pipeline.quarantine.port import Reject
from projections.reading import ProjectionState
from tests.api.contract import Checked
from tests.api.decided import known_silence
from tests.api.world import NOW_US, SECOND_US, World, agent, finding

HTML = {"Accept": "text/html"}
HOSTILE = "<script>alert(1)</script>\"><img src=x onerror=alert(2)>'&amp;"
SILENCES = ["/silences", "/silences/new", "/silences/new?matcher=severity>=LOW"]
PAGES = ["/", "/events", "/quarantine", "/agents", "/no/such/page", "/docs", "/events/none", "/state", *SILENCES]


class Outline(HTMLParser):
    """What a page is made of."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


def page(client: Checked, path: str) -> Outline:
    return Outline(client.get(path, headers=HTML).text)


def fill(world: World) -> None:
    world.log.append([finding(n, severity=n % 5, time_us=NOW_US - n * SECOND_US, summary=f"Finding {n}") for n in range(60)])
    world.reading.agent_list = [agent(f"{n:012d}", "offline" if n == 13 else "active") for n in range(14)]
    world.quarantine.put([Reject(b"{}", "has no time")])
    world.decided.silence_list = [known_silence(0), known_silence(1, ends_us=NOW_US + SECOND_US)]


def test_the_first_page_shows_figures_findings_projections_and_agents(client: Checked, world: World) -> None:
    fill(world)
    world.reading.state_list = [
        ProjectionState("event_index", 1, 4, {"shard-0": Position("shard-0", 1)}, 12, NOW_US - 75 * SECOND_US, 2, 5)
    ]

    text = page(client, "/").text

    for shown in ("Finding 0", "Finding 9", "60", "1 min", "12 events behind", "event index", "building 5"):
        assert shown in text
    assert "13 active" in text
    assert text.index("000000000013") < text.index("000000000000"), "who is not well stands first"
    assert "and 2 more" in text


def test_a_first_page_of_nothing_says_what_to_do(client: Checked) -> None:
    text = page(client, "/").text

    assert "findstream sample" in text
    assert "No agent has reported yet" in text


def test_notices_are_summed_up_where_there_is_a_ledger(world: World) -> None:
    with Checked(world.application(notices=lambda: {"sent": 41, "failed": 2})) as client:
        assert re.search(r"sent\s*41", page(client, "/").text)
    with Checked(world.application(notices=dict)) as client:
        assert "None yet" in page(client, "/").text


def test_the_chart_has_its_numbers_as_a_table_and_links_to_each_day(client: Checked, world: World) -> None:
    fill(world)
    outline = page(client, "/")

    drawing = outline.all("svg")[-1]
    assert drawing["role"] == "img"
    assert "60 findings in 14 days" in drawing["aria-label"]
    days = [link["href"] for link in outline.all("a") if link.get("href", "").startswith("/events?from=")]
    assert len(days) == 14
    assert days[0] == f"/events?from={NOW_US // SECOND_US}&to={NOW_US // SECOND_US + 86400}"
    assert client.get(days[0], headers=HTML).status_code == 200


@pytest.mark.parametrize("path", ["/", "/events", "/events/{id}", "/quarantine"])
def test_what_findings_say_is_never_markup(client: Checked, world: World, path: str) -> None:
    event = finding(
        1, summary=HOSTILE, source=HOSTILE, source_id=HOSTILE, resources=(HOSTILE,), data={"facts": {HOSTILE: HOSTILE}}
    )
    world.log.append([event])
    world.quarantine.put([Reject(HOSTILE.encode(), HOSTILE, HOSTILE, HOSTILE)])

    html = client.get(path.format(id=event.id), headers=HTML).text
    outline = Outline(html)

    assert HOSTILE in outline.text
    assert "<script>alert" not in html
    assert not [tag for tag in outline.all("img") if "onerror" in tag]


@pytest.mark.parametrize("path", PAGES)
def test_no_page_holds_inline_script_style_or_a_foreign_address(client: Checked, world: World, path: str) -> None:
    fill(world)
    outline = page(client, path)

    for tag, attributes in outline.tags:
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        assert tag != "style"
        for name in ("src", "href", "action"):
            assert not re.match(r"(https?:)?//", attributes.get(name, "")), attributes
    assert all("src" in script for script in outline.all("script"))


@pytest.mark.parametrize("path", [path for path in PAGES if path != "/state"])
def test_every_page_has_landmarks_one_heading_labels_and_a_way_past_the_menu(client: Checked, world: World, path: str) -> None:
    fill(world)
    outline = page(client, path)
    tags = [tag for tag, _ in outline.tags]

    assert outline.all("html") == [{"lang": "en"}]
    assert outline.all("a")[0]["href"] == "#main"
    assert {"header", "nav", "main", "footer"} <= set(tags)
    assert tags.count("h1") == 1
    assert all("alt" in image for image in outline.all("img"))
    labelled = {label["for"] for label in outline.all("label")}
    fields = [*outline.all("input"), *outline.all("select"), *outline.all("textarea")]
    assert all(field.get("type") == "hidden" or field["id"] in labelled for field in fields)
    ids = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in outline.tags:
        assert attributes.get("aria-labelledby", ids[0] if ids else "") in ids


def test_severity_is_always_told_in_words(client: Checked, world: World) -> None:
    fill(world)
    text = page(client, "/events").text

    assert {"CRITICAL", "HIGH", "MEDIUM", "LOW", "UNKNOWN"} <= set(re.findall(r"\b[A-Z]{3,}\b", text))


def test_events_are_paged_both_ways_by_links(client: Checked, world: World) -> None:
    fill(world)

    def link(outline: Outline, rel: str) -> str:
        return next(link["href"] for link in outline.all("a") if link.get("rel") == rel)

    first = page(client, "/events?source=aws.guardduty")
    second = page(client, link(first, "next"))
    again = page(client, link(second, "prev"))

    assert [len(outline.all("time")) for outline in (first, second, again)] == [50, 10, 50]
    assert again.text == first.text
    assert "source=aws.guardduty" in link(first, "next")


def test_the_form_keeps_what_was_asked(client: Checked, world: World) -> None:
    fill(world)
    outline = page(client, '/events?text=Finding"&severity=high&source=aws.guardduty&hours=24&account=111122223333')

    values = {field["name"]: field["value"] for field in outline.all("input")}
    assert (values["text"], values["source"], values["account"]) == ('Finding"', "aws.guardduty", "111122223333")
    assert [option["value"] for option in outline.all("option") if "selected" in option] == ["3", "24"]


def test_a_wrong_filter_is_named_above_the_unfiltered_page(client: Checked, world: World) -> None:
    fill(world)
    outline = page(client, "/events?severity=terrible")

    assert "is no severity" in outline.text
    assert "Finding 1" in outline.text


def test_a_cursor_of_other_filters_leads_back_to_the_first_page(client: Checked, world: World) -> None:
    fill(world)
    answer = client.get("/events?severity=high&cursor=1.1", headers=HTML)

    assert answer.status_code == 400
    assert 'href="/events?severity=3"' in answer.text


def test_one_address_is_a_page_for_people_and_data_for_programs(client: Checked, world: World) -> None:
    event = finding(1, severity=4, summary="Root logged in", data={"facts": {"title": "Root", "score": 9.5}, "raw": {"a": 1}})
    world.log.append([event])
    path = f"/events/{event.id}"

    html = client.get(path, headers=HTML)
    data = client.get(path)

    assert html.headers["content-type"].startswith("text/html")
    assert data.json()["id"] == event.id
    assert html.headers["vary"] == data.headers["vary"] == "Accept"
    text = Outline(html.text).text
    for shown in ("Root logged in", "CRITICAL", "9.5", event.id, '"raw"'):
        assert shown in text


def test_a_page_of_an_event_is_found_by_the_id_of_its_source(client: Checked, world: World) -> None:
    older = finding(1, source_id="arn:x/ü y", time_us=NOW_US - 9 * SECOND_US, summary="The older one")
    world.log.append([older, finding(2, source_id="arn:x/ü y", summary="The newer one", time_us=NOW_US)])

    text = page(client, "/events/arn%3Ax%2F%C3%BC%20y").text

    assert text.index("The newer one") < text.index("The older one")
    assert "Others with the same source's id" in text


def test_an_unknown_event_is_a_page_that_says_so(client: Checked) -> None:
    answer = client.get("/events/none", headers=HTML)

    assert answer.status_code == 404
    assert "Not found" in answer.text


@pytest.mark.parametrize("path", ["/no/such/page", "/event", "/static/none.js"])
def test_a_path_with_nothing_is_a_page_for_people_and_data_for_programs(client: Checked, path: str) -> None:
    html, data = client.get(path, headers=HTML), client.get(path)

    assert (html.status_code, data.status_code) == (404, 404)
    assert "Not found" in Outline(html.text).text
    assert data.json()["error"]["code"] == "not_found"


def test_routes_without_a_page_answer_browsers_with_data(client: Checked) -> None:
    assert client.get("/projections", headers=HTML).json()["items"]


def test_all_agents_have_a_page_to_which_the_overview_leads(client: Checked, world: World) -> None:
    fill(world)
    addresses = [link.get("href") for link in page(client, "/").all("a")]

    html = client.get("/agents", headers=HTML)
    outline = Outline(html.text)

    assert "/agents" in addresses
    assert html.headers["vary"] == "Accept"
    assert len([link for link in outline.all("a") if link.get("href", "").startswith("/events?account=")]) == 14
    assert outline.text.index("000000000013") < outline.text.index("000000000000"), "who is not well stands first"
    assert len(client.get("/agents").json()["items"]) == 14


def test_a_page_of_no_agents_says_so(client: Checked) -> None:
    assert "No agent has reported yet" in page(client, "/agents").text


def test_quarantine_is_paged_and_cut(client: Checked, world: World) -> None:
    world.quarantine.put([Reject(b"x" * 3000, f"reason {n}", "", f"file:{n}") for n in range(51)])

    first = page(client, "/quarantine")
    older = next(link for link in first.all("a") if link.get("rel") == "next")["href"]

    assert "reason 50" in first.text
    assert "reason 0" in page(client, older).text
    assert "3,000 bytes" in first.text
    assert "Nothing is held" in page(client, "/quarantine?after=q0").text


def test_a_page_that_cannot_read_says_so_with_when_to_retry(client: Checked, world: World) -> None:
    event = finding(1)
    world.log.append([event])
    world.log.down = True

    answer = client.get(f"/events/{event.id}", headers=HTML)

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"


def test_every_static_file_that_pages_name_is_served_from_here(client: Checked) -> None:
    named = {
        attributes.get("src") or attributes.get("href", "")
        for path in PAGES
        for tag, attributes in page(client, path).tags
        if tag in ("script", "link", "img")
    }

    assert {"/static/live.js", "/static/console.css", "/static/swagger/swagger-ui-bundle.min.js", "/palette.css"} <= named
    for address in named:
        assert client.get(address).status_code == 200, address
    assert client.get("/static/none.js").json()["error"]["code"] == "not_found"
    assert client.get("/static/%2e%2e/pages.py").status_code == 404


@pytest.mark.parametrize("name", ["live.js", "theme.js", "copy.js", "docs.js"])
def test_scripts_put_in_text_and_never_markup(name: str) -> None:
    script = (Path(__file__).parents[2] / "consumers/console/static" / name).read_text()

    assert not re.search(r"innerHTML|outerHTML\s*=[^=]|insertAdjacentHTML|document\.write|eval\(", script)
