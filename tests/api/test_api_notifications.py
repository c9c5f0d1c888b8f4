"""Notices over HTTP: which there are, why, the channels, and what people may do about both; and the page of all that."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from consumers.api.telling import Notified, elsewhere
from consumers.notifier.channels.port import Channel, Delivered, RateLimited, Refused
from consumers.notifier.channels.trial import Ended, NoAddress, NoSuchChannel, Unopened
from consumers.notifier.errors import ChannelsRejected, LedgerUnavailable, NotifierBusy, NotifierFailed, NotifierSilent
from consumers.notifier.notice import DIGEST, Key, Reason, State
from consumers.notifier.retry import Pace
from pipeline.log.port import Position
from tests.api.contract import Checked
from tests.api.decided import TEXT, routing_version
from tests.api.judged import known_alert
from tests.api.noted import Told, noted
from tests.api.test_console_pages import HTML, Outline
from tests.api.world import ADMIN, USER, World, finding, signed_in
from tests.support.facts import MORNING_US, alert, alert_id

FAR_US = 4_000_000_000_000_000
DEAD: dict[str, Any] = {"state": State.FAILED, "reason": Reason.REFUSED, "detail": "404"}


@pytest.fixture
def told(world: World) -> World:
    """A ledger of five notices."""
    digest = Key(DIGEST, "ops", 9)
    world.ledger.kept = [
        noted(9, "1-c", key=digest, why=Reason.STORM, path=()),
        noted(4, "1-c", state=State.MERGED, reason=Reason.IN_DIGEST, merged_into=digest),
        noted(3, "1-b", channel="mail", **DEAD),
        noted(2, "1-a", state=State.SUPPRESSED, reason=Reason.SILENCED, detail="by Ada"),
        noted(1, *(f"1-{n}" for n in range(30))),
    ]
    world.channels = {"ops": Told(), "spare": None}
    return world


def sentences(client: Checked, query: str = "") -> list[str]:
    return [one["sentence"].partition(";")[0] for one in client.get(f"/notifications{query}").json()["items"]]


def test_notices_are_listed_with_a_sentence_each_the_last_first(told: World, client: Checked) -> None:
    assert told.ledger.kept
    assert sentences(client) == [
        "Told: ops got it at 2024-05-01 00:00:09Z, because more waited than the channel could take in time",
        "In a digest of ops: told: ops got it at 2024-05-01 00:00:09Z, because more waited than the channel could take in time",
        "Not told: the channel will not take this message (404)",
        "Not told to ops at 2024-05-01 00:00:02Z: somebody silenced it (by Ada)",
        "Told: ops got it at 2024-05-01 00:00:01Z, because it was news for its group",
    ]


def test_a_notice_is_told_with_all_that_is_known_of_it(told: World, client: Checked) -> None:
    [shown] = client.get("/notifications?event=1-b").json()["items"]

    at = MORNING_US / 1e6 + 3
    assert told.ledger.kept
    assert shown == {
        "key": "findings/all/3",
        "state": "failed",
        "reason": "refused",
        "why": "newly_firing",
        "sentence": shown["sentence"],
        "detail": "404",
        "channel": "mail",
        "path": ["root", "findings"],
        "group": "all",
        "severity": 3,
        "severity_name": "HIGH",
        "decided": at,
        "due": at,
        "changed": at,
        "attempt": 0,
        "unsure": False,
        "firing": 0,
        "resolved": 0,
        "events": [
            {
                "event_id": "1-b",
                "position": "shard-0:3:0",
                "severity": 3,
                "severity_name": "HIGH",
                "kind": "health",
                "resource": "arn:aws:x",
                "resolved": False,
            }
        ],
        "event_count": 1,
        "merged_into": None,
    }


def test_who_silenced_something_is_told_by_name(told: World, client: Checked) -> None:
    event = finding(1)
    told.log.append([event])
    detail = f"silence 1-s by {ADMIN.id} until 2024-05-01 02:00:00Z: a test"
    told.ledger.kept = [noted(0, event.id, state=State.SUPPRESSED, reason=Reason.SILENCED, detail=detail)]

    named = f"silence 1-s by {ADMIN.full_name} until 2024-05-01 02:00:00Z: a test"
    [listed] = client.get("/notifications").json()["items"]
    explained = client.get(f"/events/{event.id}/why").json()
    assert named == listed["detail"] == explained["notices"][0]["detail"]
    assert named in listed["sentence"]
    assert named in explained["sentence"]
    assert named in client.get("/notifications", headers=HTML).text
    assert named in client.get(f"/events/{event.id}", headers=HTML).text


def test_of_many_events_some_are_named_and_all_counted(told: World, client: Checked) -> None:
    [shown] = client.get("/notifications?event=1-7").json()["items"]

    assert told.ledger.kept
    assert (len(shown["events"]), shown["event_count"]) == (20, 30)


@pytest.mark.parametrize(
    ("query", "count"),
    [("?state=sent", 2), ("?reason=silenced", 1), ("?channel=mail", 1), ("?channel=ops&state=merged", 1), ("?event=none", 0)],
)
def test_filters_must_all_hold(told: World, client: Checked, query: str, count: int) -> None:
    assert told.ledger.kept
    assert len(sentences(client, query)) == count


def test_pages_join_without_gap(told: World, client: Checked) -> None:
    found: list[str] = []
    query = "?limit=2"
    for _ in range(3):
        page = client.get(f"/notifications{query}").json()
        found += [one["key"] for one in page["items"]]
        query = f"?limit=2&cursor={page['next']}"

    assert found == [str(notice.key) for notice in told.ledger.kept]
    assert page["next"] is None


@pytest.mark.parametrize("cursor", ["nonsense", "%20", "YWJj"])
def test_a_cursor_that_is_none_is_refused(client: Checked, cursor: str) -> None:
    assert client.get(f"/notifications?cursor={cursor}").status_code == 400


@pytest.mark.parametrize("query", ["?state=lost", "?reason=whim", "?limit=0"])
def test_a_wrong_filter_is_refused(client: Checked, query: str) -> None:
    assert client.get(f"/notifications{query}").status_code == 422


def test_channels_are_listed_with_what_became_of_their_notices(told: World, client: Checked) -> None:
    assert told.channels
    assert client.get("/notifications/channels").json()["items"] == [
        {"name": "mail", "kind": "", "notices": {"failed": 1}, "failing": None},
        {"name": "ops", "kind": "slack", "notices": {"merged": 1, "sent": 2, "suppressed": 1}, "failing": None},
        {"name": "spare", "kind": "", "notices": {}, "failing": None},
    ]


AT = MORNING_US // 1_000_000
FAILS = Pace(MORNING_US + 300_000_000, 4, since_us=MORNING_US)
ASKED = Pace(FAR_US, 1, asked=True)


def down(told: World, pace: Pace = FAILS) -> None:
    """Have a notice wait for ``ops``, which fails."""
    told.ledger.kept.insert(0, noted(11, "1-z", state=State.PENDING))
    told.ledger.paces["ops"] = pace


def test_a_channel_that_fails_says_since_when_and_when_it_is_tried_again(told: World, client: Checked) -> None:
    down(told)

    _, ops, _ = client.get("/notifications/channels").json()["items"]
    assert ops["failing"] == {"failures": 4, "since": AT, "again": AT + 300, "asked": False}

    told.ledger.paces["ops"] = ASKED
    _, ops, _ = client.get("/notifications/channels").json()["items"]
    assert ops["failing"] == {"failures": 1, "since": None, "again": FAR_US / 1_000_000, "asked": True}


def test_a_channel_is_tried_now_and_who_delivers_is_woken(told: World) -> None:
    down(told)
    woken: list[int] = []

    with Checked(told.application(notified=Notified(told.ledger, lambda: told.channels, "", lambda: woken.append(1)))) as client:
        answer = client.post("/notifications/retry", json={"channel": "ops"}).json()

    assert answer == {"channel": "ops", "waiting": 1, "rests_until": None}
    assert told.ledger.pace("ops").retried_us > 0
    assert woken == [1]


def test_a_channel_that_asked_to_be_left_alone_is_tried_no_earlier(told: World, client: Checked) -> None:
    down(told, ASKED)

    answer = client.post("/notifications/retry", json={"channel": "ops"}).json()

    assert answer == {"channel": "ops", "waiting": 1, "rests_until": FAR_US / 1_000_000}


def test_a_channel_that_there_is_not_is_not_tried(told: World, client: Checked) -> None:
    answer = client.post("/notifications/retry", json={"channel": "nowhere"})

    assert answer.status_code == 404
    assert "there are mail, ops, spare" in answer.text
    assert told.ledger.paces == {}


def test_what_a_removed_route_left_is_of_no_channel(told: World, client: Checked) -> None:
    told.ledger.kept.append(noted(0, "1-z", channel="", state=State.SUPPRESSED, reason=Reason.ROUTE_REMOVED))

    assert [one["name"] for one in client.get("/notifications/channels").json()["items"]] == ["mail", "ops", "spare"]
    assert "1-z" in str(client.get("/notifications?reason=route_removed").json())


def test_dead_letters_are_redriven_once(told: World, client: Checked) -> None:
    def redrive(**body: Any) -> Any:
        return client.post("/notifications/redrive", json=body).json()

    assert redrive(keys=["findings/all/1", "findings/all/3"]) == {"redriven": 1}
    assert redrive(keys=["findings/all/3"]) == {"redriven": 0}
    told.ledger.kept.append(noted(0, "1-z", **DEAD))
    assert redrive(all=True) == {"redriven": 1}


@pytest.mark.parametrize(
    ("body", "field"),
    [({}, "keys"), ({"keys": ["findings/all/3"], "all": True}, "keys"), ({"keys": ["findings/all/3", "nonsense"]}, "keys.1")],
)
def test_what_is_to_be_redriven_has_to_be_said(client: Checked, body: dict[str, Any], field: str) -> None:
    answer = client.post("/notifications/redrive", json=body)

    assert answer.status_code == 422
    assert answer.json()["error"]["details"][0]["field"] == field


def test_a_channel_is_tried_past_the_ledger(told: World, client: Checked) -> None:
    before = list(told.ledger.kept)

    answer = client.post("/notifications/test", json={"channel": "ops"}).json()

    assert answer == {"channel": "ops", "delivered": True, "answer": "delivered"}
    ops = told.channels["ops"]
    assert isinstance(ops, Told)
    assert ops.sent == [{"about": ["A test: if you can read this, findstream reaches this channel"]}]
    assert told.ledger.kept == before


def test_what_a_channel_answers_is_told(told: World, client: Checked) -> None:
    told.channels["ops"] = Told(Refused("404 no_service"))

    answer = client.post("/notifications/test", json={"channel": "ops"}).json()

    assert answer == {"channel": "ops", "delivered": False, "answer": "404 no_service"}


@pytest.mark.parametrize(("channel", "status"), [("spare", 409), ("nowhere", 404)])
def test_a_channel_that_cannot_be_reached_is_refused(told: World, client: Checked, channel: str, status: int) -> None:
    assert told.channels
    assert client.post("/notifications/test", json={"channel": channel}).status_code == status


def test_a_server_without_the_channels_secrets_says_so(told: World) -> None:
    with Checked(told.application(notified=Notified(told.ledger, elsewhere, ""))) as client:
        assert client.post("/notifications/test", json={"channel": "ops"}).status_code == 409
        assert [one["kind"] for one in client.get("/notifications/channels").json()["items"]] == ["", ""]


def test_channels_that_cannot_be_opened_are_no_defect(world: World) -> None:
    def broken() -> Mapping[str, Channel | None]:
        message = "channels.ops.webhook: a secret"
        raise ChannelsRejected(message)

    with Checked(world.application(notified=Notified(world.ledger, broken, ""))) as client:
        answer = client.post("/notifications/test", json={"channel": "ops"})

    assert answer.status_code == 503
    assert "secret" not in answer.text


class Afar:
    """The notifier's function, as a server without the channels' secrets sees it."""

    def __init__(self, ended: Ended | Exception) -> None:
        self.ended = ended
        self.tried: list[str] = []

    def __call__(self, channel: str) -> Ended:
        self.tried.append(channel)
        if isinstance(self.ended, Exception):
            raise self.ended
        return self.ended


def tried_from_afar(world: World, afar: Afar) -> Any:
    notified = Notified(world.ledger, elsewhere, "", remote_trial=afar)
    with Checked(world.application(notified=notified)) as client:
        return client.post("/notifications/test", json={"channel": "ops"})


@pytest.mark.parametrize(
    ("ended", "words"),
    [(Delivered(), "delivered"), (RateLimited(7.0), "rate limited; wait 7.0 seconds"), (Refused("404"), "404")],
)
def test_a_server_without_the_channels_secrets_has_the_notifier_try_them(world: World, ended: Ended, words: str) -> None:
    afar = Afar(ended)

    answer = tried_from_afar(world, afar)

    assert answer.json() == {"channel": "ops", "delivered": words == "delivered", "answer": words}
    assert afar.tried == ["ops"]


@pytest.mark.parametrize(
    ("ended", "status", "code", "words"),
    [
        (NoSuchChannel(["mail", "chat"]), 404, "not_found", "there are mail, chat"),
        (NoAddress(), 409, "conflict", "no address"),
        (Unopened(), 503, "unavailable", "cannot be opened"),
        (NotifierBusy("secret"), 503, "unavailable", "busy sending just now, and nothing was sent; try again"),
        (NotifierFailed("secret"), 502, "notifier_failed", "its log tells why"),
        (NotifierSilent("secret"), 504, "notifier_silent", "may have arrived"),
    ],
)
def test_what_keeps_the_notifier_from_trying_is_told_without_its_inside_and_asked_once(
    world: World, ended: Ended | Exception, status: int, code: str, words: str
) -> None:
    afar = Afar(ended)

    answer = tried_from_afar(world, afar)

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert words in answer.json()["error"]["message"]
    assert "secret" not in answer.text
    assert afar.tried == ["ops"]


def test_a_notifier_that_is_busy_is_asked_again_a_little_later(world: World) -> None:
    assert tried_from_afar(world, Afar(NotifierBusy())).headers["retry-after"] == "5"


def test_only_admins_have_the_notifier_try_a_channel(world: World) -> None:
    afar = Afar(Delivered())
    application = world.application(notified=Notified(world.ledger, elsewhere, "", remote_trial=afar))

    with Checked(application, signed_in(USER)) as client:
        assert client.post("/notifications/test", json={"channel": "ops"}).status_code == 403

    assert afar.tried == []


def test_why_an_event_was_told_is_explained_with_the_routes_of_now(told: World, client: Checked) -> None:
    event = finding(1, severity=4, source_id="envelope/1")
    told.log.append([event])
    told.decided.versions.append(routing_version(1, TEXT))
    told.ledger.kept.append(noted(0, event.id))

    answer = client.get(f"/events/{event.id}/why").json()

    assert answer["verdict"] == "told"
    assert answer["sentence"].startswith("Told: ops got it at")
    assert [link["kind"] for link in answer["chain"]] == ["raw", "finding", "route", "group", "notice"]
    assert [notice["key"] for notice in answer["notices"]] == ["findings/all/0"]
    assert [(step["path"][-1], step["matched"], step["decides"]) for step in answer["steps"]] == [
        ("root", True, False),
        ("grave", True, True),
    ]
    assert client.get("/events/envelope%2F1/why").json() == answer


def test_why_an_event_was_not_told_is_explained(world: World, client: Checked) -> None:
    event = finding(1, severity=1)
    world.log.append([event])
    world.ledger.read_to = {f"shard-{n}": Position(f"shard-{n}", 9) for n in range(9)}

    answer = client.get(f"/events/{event.id}/why").json()

    assert answer["verdict"] == "unwanted"
    assert "severity>=HIGH (it is LOW)" in answer["sentence"]


def test_an_alert_is_explained_by_its_own_id(world: World, client: Checked) -> None:
    raised = alert("raised", MORNING_US, 1)
    world.log.append([raised])
    world.judged.alert_list.append(replace(known_alert(1), raised=raised.id))

    assert client.get(f"/events/{alert_id(1)}/why").json()["event_id"] == raised.id


def test_an_event_that_is_not_there_is_not_explained(client: Checked) -> None:
    assert client.get("/events/1-none/why").status_code == 404


class Down:
    """A ledger that cannot be reached."""

    def __getattr__(self, name: str) -> Any:
        def broken(*_: Any) -> None:
            message = f"{name}: /secret/place is locked"
            raise LedgerUnavailable(message)

        return broken


def test_a_ledger_that_is_down_is_asked_again_later_and_keeps_no_event_s_page_away(world: World) -> None:
    world.ledger = Down()
    world.log.append([finding(1)])
    with Checked(world.application()) as client:
        answer = client.get("/notifications")
        assert answer.status_code == 503
        assert "secret" not in answer.text
        assert client.get("/notifications", headers=HTML).status_code == 503
        assert client.get(f"/events/{finding(1).id}", headers=HTML).status_code == 200
        assert "Who was told" not in client.get(f"/events/{finding(1).id}", headers=HTML).text
        assert client.post("/notifications/dead", data={"key": "findings/all/3"}, headers=HTML).status_code == 503


def test_the_page_shows_channels_and_notices_with_their_sentences(told: World, client: Checked) -> None:
    assert told.channels
    outline = Outline(client.get("/notifications", headers=HTML).text)

    for shown in ("somebody silenced it (by Ada)", "without an address here", "and 27 more", "findings/all/3", "2 sent"):
        assert shown in outline.text
    links = [link["href"] for link in outline.all("a")]
    assert {"/events/1-b", "/notifications?channel=mail", "/notifications?state=failed"} <= set(links)
    assert [form["action"] for form in outline.all("form")] == ["/sign-out", "/notifications/dead"]


def test_the_page_filters_and_leads_to_older_ones(told: World, client: Checked) -> None:
    told.ledger.kept += [noted(-n, "1-x") for n in range(60)]

    first = client.get("/notifications?channel=ops&state=sent", headers=HTML)
    older = next(link["href"] for link in Outline(first.text).all("a") if link.get("rel") == "next")
    second = Outline(client.get(older, headers=HTML).text)

    assert older.startswith("/notifications?state=sent&channel=ops&cursor=")
    assert "next" not in [link.get("rel") for link in second.all("a")]
    assert "None of the notices matches" in client.get("/notifications?event=none", headers=HTML).text
    assert client.get("/notifications?state=nonsense&reason=whim", headers=HTML).status_code == 200
    assert client.get("/notifications?cursor=nonsense", headers=HTML).status_code == 400


def test_the_page_of_nothing_says_so(client: Checked) -> None:
    text = client.get("/notifications", headers=HTML).text

    assert "No notice was ever decided" in text
    assert "nobody is told of anything" in text


@pytest.mark.parametrize(("key", "redriven"), [("findings/all/3", "1"), ("findings/all/1", "0"), ("nonsense", "0")])
def test_a_dead_letter_is_sent_again_from_the_page(told: World, client: Checked, key: str, redriven: str) -> None:
    answer = client.post("/notifications/dead", data={"key": key}, headers=HTML)

    assert (answer.status_code, answer.headers["location"]) == (303, f"/notifications?redriven={redriven}")
    assert (told.ledger.get(Key("findings", "all", 3)).state is State.PENDING) == (redriven == "1")
    back = client.get(answer.headers["location"], headers=HTML).text
    assert ("pending again; the notifier" if redriven == "1" else "no dead letter") in back


def test_a_channel_is_tried_now_from_the_page(told: World, client: Checked) -> None:
    down(told)
    before = client.get("/notifications", headers=HTML).text

    answer = client.post("/notifications/channels/retry", data={"channel": "ops"}, headers=HTML)

    assert "ops failed 4 times in a row since 2024-05-01 00:00:00Z, and is tried again at 2024-05-01 00:05:00Z" in before
    assert before.count('action="/notifications/channels/retry"') == 1
    assert (answer.status_code, answer.headers["location"]) == (303, "/notifications?tried=ops")
    assert told.ledger.pace("ops").retried_us > 0
    assert "ops is tried now." in client.get(answer.headers["location"], headers=HTML).text
    assert client.post("/notifications/channels/retry", data={"channel": "nowhere"}, headers=HTML).status_code == 404


def test_a_channel_that_asked_to_be_left_alone_has_no_button(told: World, client: Checked) -> None:
    down(told, ASKED)

    assert "/notifications/channels/retry" not in client.get("/notifications", headers=HTML).text
    assert "ops failed once, and asked to be left alone until" in client.get("/notifications?tried=ops", headers=HTML).text


def test_a_user_sees_no_button_that_is_not_theirs(told: World) -> None:
    down(told)
    with Checked(told.application(), signed_in(USER) | HTML) as client:
        page = client.get("/notifications").text
        assert 'action="/notifications/dead"' not in page
        assert "/notifications/channels/retry" not in page


def test_the_page_of_an_event_says_who_was_told(told: World, client: Checked) -> None:
    event = finding(1)
    told.log.append([event])
    told.ledger.kept.append(noted(0, event.id, detail="<b>"))

    text = client.get(f"/events/{event.id}", headers=HTML).text

    assert "Who was told" in text
    assert "Told: ops got it at" in text
    assert f"/notifications?event={event.id}" in text


def test_metrics_tell_what_waits_for_a_channel_that_is_down(world: World, client: Checked) -> None:
    world.ledger.kept += [noted(0, "1-a", state=State.PENDING), noted(1, "1-b", state=State.FAILED)]
    world.ledger.paces["ops"] = Pace(failures=4)

    lines = client.get("/metrics").text.splitlines()

    assert 'findstream_notices{channel="ops",state="pending"} 1.0' in lines
    assert 'findstream_notices{channel="ops",state="failed"} 1.0' in lines
    assert 'findstream_channel_failures{channel="ops"} 4.0' in lines
    waited = next(line for line in lines if line.startswith('findstream_notices_oldest_pending_seconds{channel="ops"}'))
    assert float(waited.split()[-1]) > 0
