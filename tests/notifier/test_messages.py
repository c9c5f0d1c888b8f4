"""From a notice to a message: what is named, where the links lead, and why somebody gets it."""

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.notifier.channels.port import Message
from consumers.notifier.channels.webhook_body import body_of
from consumers.notifier.messages.message import MOST_NAMED, message_of, named
from consumers.notifier.messages.story import Shape, Story, story_of
from consumers.notifier.notice import DIGEST, Key, Reason
from consumers.notifier.routing.matchers import read
from tests.notifier.examples import ALARM, ALERT, REPORT, TIME_US, alert, body, deployed, event, finding, report, switched_off
from tests.notifier.slack_rules import CONSOLE
from tests.notifier.telling import cause_of, message, notice_of, storm

ENDED = tuple(cause_of(event(number))._replace(resolved=True) for number in (1, 2))
SHOWN = "type=finding.observed, source=aws.cloudwatch, account=123456789012"


def story(told: Message, zone: str = "") -> Story:
    return story_of(told, CONSOLE, zone)


def asked(address: str) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(address).query)


# what is named


def test_what_fires_is_named_before_what_is_over_and_the_worst_and_newest_first() -> None:
    over = event(1, severity=4, body=body("cloudwatch_alarm", ALARM | {"state": "OK"}))
    older, newer = event(2, id="1714635840-a"), event(3, id="1714635850-b")
    worst = event(4, severity=4)

    assert [cause.event_id for cause in named(notice_of([over, older, newer, worst]))] == [worst.id, newer.id, older.id, over.id]


def test_what_fires_on_is_named_too_and_nothing_twice() -> None:
    notice = notice_of([event(1)], still=(cause_of(event(2)), cause_of(event(1))))

    assert {cause.event_id for cause in named(notice)} == {event(1).id, event(2).id}
    assert len(named(notice)) == 2


def test_a_message_names_twenty_and_a_digest_five() -> None:
    notice = notice_of([event(number) for number in range(30)])

    assert len(named(notice)) == MOST_NAMED == 20
    assert len(named(replace(notice, key=Key(DIGEST, "ops", 1)))) == 5


def test_what_the_log_no_longer_holds_is_counted() -> None:
    told = message_of(notice_of([event(1), event(2)]), {event(1).id: event(1)}, CONSOLE)

    assert ([each.id for each, _ in told.told], told.more) == ([event(1).id], 1)
    assert story(told).shape is Shape.GROUP


def test_the_others_of_a_group_are_counted_as_the_notice_counts_them() -> None:
    assert message([event(1)], firing=7, resolved=2).more == 8


# links


def test_a_message_about_one_links_to_its_page() -> None:
    assert story(message([event(1)])).link == f"{CONSOLE}/events/{event(1).id}"


def test_a_message_about_several_links_to_the_events_of_their_time() -> None:
    address = message([event(1), event(2, id="1714635900-b")]).link

    assert address.startswith(f"{CONSOLE}/events?")
    assert asked(address) == [
        ("source", "aws.cloudwatch"),
        ("account", "123456789012"),
        ("from", "1714635845"),
        ("to", "1714635901"),
    ]


def test_what_a_group_does_not_have_in_common_does_not_filter() -> None:
    address = message([event(1), event(2, account="210987654321", source="aws.guardduty")]).link

    assert [name for name, _ in asked(address)] == ["from", "to"]


@pytest.mark.parametrize(
    ("told", "matchers"),
    [
        (event(1, subject="alarm/arn:aws:x"), ["subject=alarm/arn:aws:x"]),
        (event(1, subject=r"alarm/a*b?c|d\e"), [r"subject=alarm/a\*b\?c\|d\\e"]),
        (
            finding("guardduty", source="aws.guardduty", resources=("i-0abc",)),
            ["source=aws.guardduty", "kind=guardduty", "account=123456789012", "resource=i-0abc"],
        ),
        (alert(), ["rule=failed-sign-ins", "group.detail.sourceIPAddress=192.0.2.1"]),
        (switched_off(), ["rule=failed-sign-ins"]),
        (
            deployed(resources=()),
            ["source=aws.cloudwatch", "type=agent.deployed", "account=123456789012"],
        ),
    ],
)
def test_one_event_is_silenced_by_what_tells_it_from_others(told: Any, matchers: list[str]) -> None:
    address = message([told]).silence

    assert address.startswith(f"{CONSOLE}/silences/new?")
    assert asked(address) == [("matcher", matcher) for matcher in matchers]


@given(value=st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]) | st.sampled_from('\\*?|="~[]!&%+# '), max_size=80))
def test_the_link_to_a_silence_matches_what_it_was_made_for_whatever_it_is_called(value: str) -> None:
    made_for = event(1, subject=f"alarm/{value}x", type="finding.observed")
    [(_, matcher)] = asked(message([made_for]).silence)

    assert read(matcher).holds(made_for.subject)
    assert not read(matcher).holds(f"{made_for.subject}y")


def test_a_field_that_no_matcher_can_name_is_left_out_of_the_link() -> None:
    odd = alert(ALERT | {"group": {"a b": "1", "c": "2"}})

    assert [matcher for _, matcher in asked(message([odd]).silence)] == ["rule=failed-sign-ins", "group.c=2"]


def test_a_group_is_silenced_by_what_its_events_have_in_common() -> None:
    key = Key("findings", 'account="123456789012",region="eu-central-1",severity="HIGH"', 7)
    many = [event(number, subject=f"alarm/{number}") for number in range(6)]

    assert [matcher for _, matcher in asked(message(many, key=key).silence)] == [
        "source=aws.cloudwatch",
        "kind=cloudwatch_alarm",
        "account=123456789012",
        "region=eu-central-1",
    ]


def test_a_few_that_last_are_silenced_by_their_subjects() -> None:
    few = [event(1, subject="alarm/a*"), event(2, subject="alarm/b")]

    assert [matcher for _, matcher in asked(message(few).silence)] == [r"subject=alarm/a\*|alarm/b"]
    assert "subject" not in message(few, firing=6).silence


def test_of_what_fires_on_and_what_is_over_the_former_is_silenced() -> None:
    causes = (cause_of(event(1, subject="alarm/a")), cause_of(event(2, subject="alarm/b"), 1)._replace(resolved=True))
    link = message([event(1, subject="alarm/a"), event(2, subject="alarm/b")], causes=causes).silence

    assert [matcher for _, matcher in asked(link)] == ["subject=alarm/a"]


def test_a_silence_that_would_be_too_long_for_an_address_is_left_to_be_written() -> None:
    assert message([event(1, subject="alarm/" + "x" * 2048)]).silence == f"{CONSOLE}/silences/new"
    assert storm([event(1), event(2)]).silence == f"{CONSOLE}/silences/new"


def test_what_would_be_too_long_for_an_address_does_not_filter() -> None:
    told = message([event(n, source="✓" * 200) for n in (1, 2)], key=Key("r", "g", 1))

    assert [name for name, _ in asked(told.link)] == ["from", "to"]


def test_a_report_cannot_be_silenced_by_its_message() -> None:
    assert story(message([report()])).silence == ""


# why


@pytest.mark.parametrize(
    ("why", "sentence"),
    [
        (Reason.NEWLY_FIRING, "You get this because this is new, "),
        (Reason.NEWLY_RESOLVED, "You get this because something of this is over, the rest still fires, "),
        (Reason.ALL_RESOLVED, "You get this because all of it that you were told is over, "),
        (Reason.REPEATED, "You get this because it still fires, and you were last told a while ago, "),
        (Reason.ROUTE_MATCHED, "You get this "),
    ],
)
def test_a_message_says_why_it_comes_by_which_route_and_for_which_group(why: Reason, sentence: str) -> None:
    assert story(message([event(1)], why)).why == f"{sentence}by route default → findings, for the group {SHOWN}"


def test_a_report_comes_every_day_and_gives_no_reason() -> None:
    assert story(message([report()])).why == f"You get this by route default → findings, for the group {SHOWN}"


def test_a_digest_says_why_it_is_one() -> None:
    assert story(storm([event(1)])).why == "You get this because more came than this channel can take one by one"


def test_what_is_a_group_of_its_own_names_none() -> None:
    alone = f'fingerprint="{event(1).id}"'

    assert story(message([event(1)], key=Key("all", alone, 1))).why.endswith("by route default → findings")
    assert story(message([event(1)], key=Key("all", "all", 1))).why.endswith("by route default → findings")


def test_a_group_whose_name_was_cut_is_told_as_far_as_it_can_be_read() -> None:
    assert story(message([event(1)], key=Key("all", 'account="1",kind="x…0a', 1))).why.endswith("for the group account=1")
    assert story(message([event(1)], key=Key("all", 'kind="x…0a', 1))).why.endswith('for the group kind="x…0a')


def test_what_nobody_decided_gives_no_reason() -> None:
    assert story(message([event(1)], Reason.ROUTE_MATCHED, path=())).why == ""


# titles


@pytest.mark.parametrize(
    ("events", "given", "title"),
    [
        ([event(1), event(2)], {}, "2 alarms in account 123456789012"),
        ([event(1), event(2, account="210987654321")], {}, "2 alarms"),
        ([event(1), finding("guardduty", id="1-b")], {}, "2 events in account 123456789012"),
        (
            [alert(id="1-a"), alert(id="1-b", type="alert.reopened")],
            {"key": Key("r", "g", 1)},
            "2 alerts in account 123456789012",
        ),
        ([event(1)], {"firing": 3, "resolved": 1}, "3 alarms, 1 resolved in account 123456789012"),
        ([event(1)], {"firing": 3, "key": Key("r", "rule=x", 1)}, "3 alarms"),
        ([event(1)], {"firing": 0, "resolved": 3, "why": Reason.ALL_RESOLVED}, "4 alarms are over in account 123456789012"),
        (
            [event(1), event(2)],
            {"causes": ENDED, "why": Reason.NEWLY_RESOLVED},
            "2 alarms are over in account 123456789012",
        ),
        ([finding("cloudtrail", id="1-a"), finding("generic", id="1-b")], {}, "2 findings in account 123456789012"),
        ([switched_off(id="1-a"), switched_off(id="1-b")], {}, "2 switched-off rules"),
    ],
)
def test_a_group_is_headed_by_what_it_is_made_of(events: list[Any], given: dict[str, Any], title: str) -> None:
    assert story(message(events, **given)).title == title


def test_an_alert_that_ended_is_told_as_resolved_with_who_ended_it() -> None:
    content = {"alert_id": ALERT["alert_id"], "revision": 2, "by": "user-1", "comment": "was a drill"}
    ended = alert(content, type="alert.resolved", summary="Alert resolved")
    told = story(message([ended], Reason.ALL_RESOLVED))

    assert (told.tone.word, told.title, told.card.prose) == ("RESOLVED", "Alert resolved", "was a drill")
    assert ("By", "user-1") in told.card.details


RAISED = alert(id="1714635840-r", subject="alert/1", severity=4, region="eu-west-1", resources=("i-1",))
ENDING = {"alert_id": "1", "revision": 2, "by": "01a1ffc1-717a-7000-8000-000000000001", "comment": "mended"}


def later(kind: str) -> Any:
    return alert(
        ENDING, id="1714635860-z", subject="alert/1", type=f"alert.{kind}", summary=f"Alert {kind}", account="", region=""
    )


def of_the_alert(kind: str) -> Message:
    given = later(kind)
    return message_of(notice_of([given], Reason.ALL_RESOLVED), {each.id: each for each in (given, RAISED)}, CONSOLE)


def test_the_end_of_an_alert_is_told_by_what_it_was_raised_as() -> None:
    sent = of_the_alert("resolved")
    told = story(sent)

    assert (told.tone.word, told.title) == ("RESOLVED", ALERT["title"])
    assert (told.card.prose, told.card.quiet) == ("mended", "Alert resolved")
    assert {"Rule": "failed-sign-ins, version 3", "Region": "eu-west-1", "By": "a person"}.items() <= dict(
        told.card.details
    ).items()
    assert told.card.resources == ["i-1"]
    assert told.card.link == f"{CONSOLE}/events/1714633200-a"


def test_what_is_over_needs_no_silence() -> None:
    assert of_the_alert("resolved").silence == ""
    assert "rule=failed-sign-ins" in [matcher for _, matcher in asked(of_the_alert("reopened").silence)]


def test_a_webhook_has_the_severity_and_the_place_of_an_alert_that_ended() -> None:
    sent = of_the_alert("resolved")
    told = body_of(sent, story(sent)).data

    assert (told.severity, told.title) == ("CRITICAL", ALERT["title"])
    assert (told.events[0].severity, told.events[0].region, told.events[0].resolved) == ("CRITICAL", "eu-west-1", True)


def test_an_alert_that_a_finding_ended_says_so() -> None:
    ended = alert({"alert_id": "1", "revision": 0, "by": "", "event_id": "1-a"}, type="alert.resolved", summary="Alert resolved")

    assert ("By", "a finding") in story(message([ended])).card.details


# times


def test_times_are_the_readers() -> None:
    told = story(message([event(1)]), "Europe/Berlin")

    assert ("Time", "2024-05-02 09:44:05 CEST") in told.card.details
    assert ("Time", "2024-05-02 07:44:05 UTC") in story(message([event(1)])).card.details


def test_a_message_may_bring_a_zone_for_channels_without_one() -> None:
    told = replace(message([event(1)]), zone="Asia/Tokyo")

    assert story(told).card.where.endswith("16:44:05 JST")
    assert story(told, "Europe/Berlin").card.where.endswith("09:44:05 CEST")


def test_a_report_tells_times_in_its_own_zone() -> None:
    told = story(message([report(REPORT | {"zone": "America/New_York"})]), "Europe/Berlin")

    assert told.title == "24 hours to 2024-05-02 05:00:00 EDT"


@pytest.mark.parametrize("zone", ["", "Nowhere/At_All", "../../etc/passwd", "x" * 5000, "\x00", "/etc/localtime"])
def test_what_is_no_zone_is_utc(zone: str) -> None:
    assert story(message([report(REPORT | {"zone": zone})])).title == "24 hours to 2024-05-02 09:00:00 UTC"


def test_a_notice_of_an_event_that_is_nothing_to_notifying_is_told_by_its_header() -> None:
    strange = event(1, type="something.happened", body=orjson.dumps({"facts": {"title": "not for us"}}))

    assert story(message([strange])).title == strange.summary
    assert strange.time_us == TIME_US
