"""``notify`` and ``report``: who was told of what and why, and the day in numbers."""

import random
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import orjson
import pytest

from consumers.composition import now_us, open_catalog, open_log
from consumers.notifier.assembly import open_ledger, open_notifier
from consumers.notifier.ledger.port import Tally
from consumers.notifier.ledger.sqlite import SqliteLedger
from consumers.notifier.notice import State
from pipeline.settings import Settings
from tests.cli.shell import Findstream, finding, written

Fold = Callable[[], None]


class Slack:
    """A local server that takes or refuses every message."""

    def __init__(self) -> None:
        self.status = 200
        self.headers: dict[str, str] = {}
        self.messages: list[bytes] = []


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slack]:
    told = Slack()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.messages.append(self.rfile.read(int(self.headers["Content-Length"])))
            body = b"ok" if told.status == 200 else b"channel_is_archived"
            self.send_response(told.status)
            for name, value in {**told.headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 -- the name it has there
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("FINDSTREAM_SLACK_WEBHOOK", f"http://127.0.0.1:{server.server_port}/hook")
        yield told
        server.shutdown()


def notify_of_everything(minutes: int = 1) -> None:
    """Do what the notifier does with what is on the log, from its beginning, so many minutes later."""
    settings = Settings.load()
    late_us = 0
    with (
        open_log(settings) as log,
        closing(open_ledger(settings.home)) as ledger,
        open_catalog(settings, log) as catalog,
    ):
        ledger.begin({})
        environ: dict[str, str] = {}
        notifier = open_notifier(settings, log, ledger, catalog, environ, clock=lambda: now_us() + late_us, random=random.random)
        while notifier.step():
            pass
        late_us = minutes * 60_000_000
        notifier.step()
        for channel in notifier.channels:
            while notifier.deliver(channel).notice:
                pass
        notifier.relay()


@pytest.fixture
def event(findstream: Findstream, fold: Fold, tmp_path: Path) -> str:
    """The id of the one finding on the log, which is HIGH."""
    findstream("ingest", written(tmp_path, "a.ndjson", finding(1)))
    fold()
    return str(findstream("events", "--json").json["events"][0]["id"])


def test_a_message_can_be_seen_before_it_is_sent(findstream: Findstream, event: str) -> None:
    by_our_id = findstream("notify", "preview", event).json

    assert "probe 1 failed" in orjson.dumps(by_our_id).decode()
    assert findstream("notify", "preview", finding(1)["id"]).json == by_our_id
    assert findstream("notify", "preview", event, "--json").json == by_our_id


def test_a_message_is_seen_as_a_channel_would_send_it(
    findstream: Findstream, event: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mail = "{kind: email, from: a@example.com, to: [b@example.com], smtp: {host: mail.example.com}}"
    monkeypatch.setenv("FINDSTREAM_CHANNELS", str(written_text(tmp_path, f"channels: {{mail: {mail}, deaf: {{kind: slack}}}}")))

    assert findstream("notify", "preview", event, "--channel", "mail").json["subject"].startswith("[findstream] HIGH: ")
    assert "blocks" in findstream("notify", "preview", event, "--channel", "deaf").json
    assert findstream("notify", "preview", event, "--channel", "nowhere").code == 2


def written_text(folder: Path, text: str) -> Path:
    path = folder / "channels.yaml"
    path.write_text(text)
    return path


def test_the_ledger_tells_why_each_was_decided_and_counts_a_part_as_a_part(
    findstream: Findstream, event: str, slack: Slack
) -> None:
    assert slack
    notify_of_everything()

    part = findstream("notify", "ledger", "--event", event)
    whole = findstream("notify", "ledger")

    assert "newly_firing" in part.out
    assert "Outcome" in part.out.splitlines()[0]
    assert part.err == "1 notice listed; in the whole ledger default: 1 sent\n"
    assert whole.err == "default: 1 sent\n"


def test_who_still_sets_the_routes_file_is_told_what_replaces_it(findstream: Findstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINDSTREAM_ROUTES", "routes.toml")

    answer = findstream("notify", "test")

    assert answer.code == 2
    assert "FINDSTREAM_CHANNELS" in answer.err
    assert "notify routes publish" in answer.err


def test_links_lead_to_the_page_on_its_own_port(findstream: Findstream, event: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINDSTREAM_PORT", "9000")

    assert f"http://127.0.0.1:9000/events/{event}" in findstream("notify", "preview", event).out


def test_a_channel_can_be_tried(findstream: Findstream, slack: Slack) -> None:
    answer = findstream("notify", "test", "--json")

    assert (answer.code, answer.json) == (0, {"channels": {"default": "delivered"}})
    assert b"findstream reaches this channel" in slack.messages[0]
    assert "delivered" in findstream("notify", "test", "default").out
    assert findstream("notify", "test", "nowhere").code == 2


def test_a_channel_that_refuses_says_why(findstream: Findstream, slack: Slack) -> None:
    slack.status = 410

    answer = findstream("notify", "test", "--json")

    assert (answer.code, answer.json["channels"]["default"]) == (1, "410 channel_is_archived")


def test_a_channel_without_a_webhook_says_what_is_missing(findstream: Findstream) -> None:
    answer = findstream("notify", "test")

    assert answer.code == 1
    assert "FINDSTREAM_SLACK_WEBHOOK" in answer.out


def test_a_wrong_webhook_is_named_but_not_shown(findstream: Findstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINDSTREAM_SLACK_WEBHOOK", "hush://secret")

    answer = findstream("notify", "test")

    assert answer.code == 2
    assert "FINDSTREAM_SLACK_WEBHOOK" in answer.err
    assert "secret" not in answer.err


def test_the_ledger_tells_why_nobody_was_told(findstream: Findstream, event: str) -> None:
    notify_of_everything()

    (notice,) = findstream("notify", "ledger", "--event", event, "--json").json["notices"]

    assert (notice["state"], notice["reason"]) == ("suppressed", "no_channel")
    assert notice["causes"][0]["event_id"] == event
    assert findstream("notify", "ledger", "--state", "sent", "--json").json["notices"] == []
    assert "no_channel" in findstream("notify", "ledger").out


def test_a_dead_letter_is_listed_and_redriven(findstream: Findstream, slack: Slack, event: str) -> None:
    slack.status = 410
    notify_of_everything()
    (dead,) = findstream("notify", "dead", "--json").json["notices"]
    slack.status = 200

    redriven = findstream("notify", "redrive", dead["key"], "--json")
    notify_of_everything(minutes=2)

    assert dead["causes"][0]["event_id"] == event
    assert (redriven.code, redriven.json) == (0, {"redriven": 1})
    assert [notice["state"] for notice in findstream("notify", "ledger", "--json").json["notices"]] == ["sent"]
    assert findstream("notify", "dead").err == "none of all notices matches (default: 1 sent)\n"


def test_a_channel_that_fails_is_named_and_can_be_tried_now(findstream: Findstream, slack: Slack, event: str) -> None:
    assert event
    slack.status = 500
    notify_of_everything()

    [failing] = findstream("status", "--json").json["failing"]
    told = next(line for line in findstream("status").out.splitlines() if line.startswith("failing"))
    retried = findstream("notify", "retry", "default")
    slack.status = 200
    notify_of_everything(minutes=0)

    assert (failing["channel"], failing["failures"], failing["waiting"], failing["asked"]) == ("default", 1, 1, False)
    assert failing["since_us"] < failing["again_us"]
    assert told.startswith("failing    default failed once since 20")
    assert told.endswith("; 1 notice pending")
    assert retried.out == "default is tried now; 1 notice waits for it\n"
    assert len(slack.messages) == 2
    assert findstream("status", "--json").json["failing"] == []
    assert findstream("notify", "retry", "default", "--json").json == {"channel": "default", "waiting": 0, "until_us": None}


def test_a_channel_that_asked_to_be_left_alone_is_tried_no_earlier(findstream: Findstream, slack: Slack, event: str) -> None:
    assert event
    slack.status, slack.headers = 429, {"Retry-After": "600"}
    notify_of_everything()

    answer = findstream("notify", "retry", "default")

    assert answer.code == 3
    assert "default asked to be left alone until 20" in answer.err


def test_a_channel_that_there_is_not_is_wrong_usage(findstream: Findstream, event: str) -> None:
    assert event
    notify_of_everything()

    for asked in (("retry", "nope"), ("ledger", "--channel", "nope"), ("test", "nope")):
        answer = findstream("notify", *asked)
        assert answer.code == 2
        assert "'nope' is no channel; there are default" in answer.err
    assert findstream("notify", "ledger", "--channel", "default").code == 0


def test_notices_are_found_by_what_names_their_event_and_what_names_none_is_refused(findstream: Findstream, event: str) -> None:
    notify_of_everything()

    by_ours = findstream("notify", "ledger", "--event", event, "--json").json["notices"]
    assert by_ours
    assert findstream("notify", "ledger", "--event", finding(1)["id"], "--json").json["notices"] == by_ours
    assert findstream("notify", "ledger", "--event", event, "--state", "sent").err.startswith("none of all notices matches")
    for asked in (("ledger", "--event"), ("why",), ("preview",)):
        answer = findstream("notify", *asked, "nope")
        assert answer.code == 3
        assert "no event has the id 'nope'" in answer.err


def test_notices_of_a_route_that_is_no_more_are_counted_apart(
    findstream: Findstream, event: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert event
    monkeypatch.setattr(SqliteLedger, "tallies", lambda _: [Tally("", State.SUPPRESSED, 2)])

    assert findstream("notify", "ledger").err == "none of all notices matches (no channel: 2 suppressed)\n"
    assert "2 suppressed to no channel" in findstream("status").out


def test_what_is_no_dead_letter_is_not_redriven(findstream: Findstream, slack: Slack, event: str) -> None:
    assert event
    notify_of_everything()
    (sent,) = findstream("notify", "ledger", "--json").json["notices"]

    answer = findstream("notify", "redrive", sent["key"])

    assert answer.code == 3
    assert "0 of 1 were dead letters" in answer.err
    assert len(slack.messages) == 1
    assert findstream("notify", "redrive", "--all").out == "0 dead letters: pending again\n"


def test_the_report_of_a_day_counts_what_was_found(findstream: Findstream, event: str) -> None:
    assert event
    told = findstream("report", "--date", "2026-01-01", "--json").json

    assert told["date"] == "2026-01-01"
    assert told["totals"]["severity"] == {"3": 1}
    assert "1 finding (+1)" in findstream("report", "--date", "2026-01-01").out


def test_who_asks_for_a_report_that_nobody_folded_hears_so(findstream: Findstream, fold: Fold, tmp_path: Path) -> None:
    findstream("ingest", written(tmp_path, "a.ndjson", finding(1)))
    before = findstream("report", "--date", "2026-01-01", "--json")
    fold()

    assert before.json["totals"]["severity"] == {}
    assert before.err == "the report is 1 event behind the log: findstream run folds what is missing\n"
    assert findstream("report", "--date", "2026-01-01").err == ""


def test_a_report_can_be_put_on_the_log(findstream: Findstream, event: str) -> None:
    assert event
    told = findstream("report", "--date", "2026-01-01", "--issue", "--json").json

    issued = findstream("tail", "--since-start", "--no-follow", "--type", "report.issued", "--json").lines
    assert [each["id"] for each in issued] == [told["event_id"]]
    assert "issued as " in findstream("report", "--issue").err
