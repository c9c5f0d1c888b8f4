"""Every template, with ordinary and with hostile events, makes messages that Slack takes and that ping nobody."""

import re
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import TemplateError
from pydantic import SecretStr

from consumers import palette
from consumers.notifier.channels.port import Delivered, Message
from consumers.notifier.channels.slack import SlackChannel
from consumers.notifier.channels.slack_blocks import environment, slack_shown
from consumers.notifier.channels.trial import message_about
from consumers.notifier.errors import Unrenderable
from consumers.notifier.notice import Reason
from schemas.envelope import Envelope
from tests.notifier.examples import (
    ALARM,
    ALERT,
    CLOUDTRAIL,
    KINDS,
    REPORT,
    SWITCHED_OFF,
    alert,
    body,
    deployed,
    event,
    finding,
    report,
    switched_off,
    went_silent,
)
from tests.notifier.fake_slack import FakeSlack
from tests.notifier.slack_rules import CONSOLE, CONTEXT, HEADER, strings, violations, width
from tests.notifier.telling import HOSTILE, WRONG, everywhere, hostile_messages, message, storm

TICK = "\N{MODIFIER LETTER GRAVE ACCENT}"
CHANNEL = SlackChannel(SecretStr("https://hooks.slack.example/services/T0"), CONSOLE)


def slack(told: Message) -> dict[str, Any]:
    return dict(CHANNEL.render(told))


def about(event: Envelope, *, resent: bool = False) -> dict[str, Any]:
    """The message about this one event."""
    return slack(message([event], unsure=resent))


def title(shown: dict[str, Any]) -> str:
    text: str = shown["blocks"][0]["text"]["text"]
    return text


def color(shown: dict[str, Any]) -> str:
    code: str = shown["attachments"][0]["color"]
    return code


def said(shown: dict[str, Any]) -> str:
    return "\n".join(strings(shown))


# ordinary events


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_finding_makes_a_message_that_slack_takes(kind: str) -> None:
    shown = about(finding(kind))

    assert violations(shown) == []
    assert "123456789012" in said(shown)
    assert "eu-central-1" in said(shown)
    assert "2024-05-02 07:44:05 UTC" in said(shown)
    assert f"<{CONSOLE}/events/{event().id}|open in findstream>" in said(shown)


@pytest.mark.parametrize("kind", KINDS)
def test_every_fact_of_a_kind_is_told(kind: str) -> None:
    shown = said(about(finding(kind)))

    for name, fact in KINDS[kind].items():
        if name == "stack_id" or not fact:
            continue
        text = str(int(fact)) if isinstance(fact, float) else str(fact)
        text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("`", TICK)
        assert text in shown, name


def test_an_alarm_tells_its_name_with_severity_and_sign() -> None:
    shown = about(finding("cloudwatch_alarm"))

    assert title(shown) == "🟠 HIGH · checkout-5xx"
    assert shown["text"] == "🟠 HIGH · CloudWatch alarm · checkout-5xx"
    assert color(shown) == palette.HIGH.color
    assert "*State*\nOK → ALARM" in said(shown)
    assert "*Threshold*\nGreaterThanThreshold 5" in said(shown)


@pytest.mark.parametrize("severity", range(5))
def test_each_severity_has_its_colour_word_and_sign(severity: int) -> None:
    shown = about(event(severity=severity))

    assert color(shown) == palette.SEVERITIES[severity].color
    assert title(shown).startswith(f"{palette.SEVERITIES[severity].emoji} {palette.SEVERITIES[severity].word} · ")


def test_all_tones_differ() -> None:
    tones = [*palette.SEVERITIES, palette.RESOLVED, palette.REPORT]

    assert len({tone.color for tone in tones}) == len({tone.word for tone in tones}) == len({tone.emoji for tone in tones}) == 7
    assert palette.tone(9) is palette.tone(-1) is palette.UNKNOWN


@pytest.mark.parametrize(
    ("kind", "fact"),
    [("cloudwatch_alarm", {"state": "OK"}), ("health", {"status": "closed"}), ("securityhub", {"workflow": "RESOLVED"})],
)
def test_what_is_well_again_is_green(kind: str, fact: dict[str, str]) -> None:
    shown = about(finding(kind, KINDS[kind] | fact))

    assert color(shown) == palette.RESOLVED.color
    assert title(shown).startswith("🟢 RESOLVED · ")


def test_cloudtrail_is_told_by_the_generic_template_with_its_facts() -> None:
    shown = about(finding("cloudtrail", summary="DeleteTrail by eve"))

    assert title(shown) == "🟠 HIGH · DeleteTrail by eve"
    assert f"*Source ip*\n{CLOUDTRAIL['source_ip']}" in said(shown)


def test_a_failed_deployment_is_told_with_its_reason() -> None:
    shown = about(deployed(severity=3))

    assert violations(shown) == []
    assert title(shown) == "🟠 HIGH · Agent 1.4.0 in 123456789012 is failed"
    assert "CREATE_FAILED: No room" in orjson.dumps(shown).decode()


def test_a_silent_agent_is_told_with_its_last_heartbeat() -> None:
    shown = about(went_silent())

    assert violations(shown) == []
    assert title(shown) == "🟠 HIGH · the agent of 123456789012 is silent"
    assert "*Last heartbeat*\n2024-05-02 07:44:05 UTC" in said(shown)


def test_an_alert_is_told_with_its_rule_its_group_and_what_it_counted() -> None:
    shown = about(alert())

    assert violations(shown) == []
    assert title(shown) == "🟠 HIGH · 40 failed sign-ins from 192.0.2.1"
    assert shown["text"] == "🟠 HIGH · Alert · 40 failed sign-ins from 192.0.2.1"
    for told in (
        "*Rule*\nfailed-sign-ins, version 3",
        "*Count*\n40",
        "*Window*\n2024-05-02 07:00:00 UTC to 2024-05-02 08:00:00 UTC",
        "*Last finding*\n2024-05-02 07:13:20 UTC",
        "*detail.sourceIPAddress*\n192.0.2.1",
        "*team*\nplatform",
        f"<{CONSOLE}/events/1714633200-a|open in findstream>",
    ):
        assert told in said(shown)
    assert "Run over history" not in said(shown)


def test_an_alert_of_a_run_over_history_says_so() -> None:
    shown = about(alert(ALERT | {"backfilled": True, "run_id": "0199f3a1", "window": None}))

    assert "*Run over history*\n0199f3a1" in said(shown)
    assert "*Window*" not in said(shown)


def test_a_rule_that_was_switched_off_is_told_with_what_went_wrong() -> None:
    shown = about(switched_off())

    assert violations(shown) == []
    assert title(shown) == "🟠 HIGH · failed-sign-ins, version 3 is switched off"
    assert "It judges nothing any more" in said(shown)
    assert "*Reason*\ntoo_slow" in said(shown)
    assert "*Detail*\ntook 70 ms for a finding, three times" in said(shown)
    assert f"<{CONSOLE}/events/1714633200-a|open in findstream>" in said(shown)


@pytest.mark.parametrize("content", [{}, [], {"title": 3, "rule_id": None, "group": [], "labels": 7, "window": "x", "count": {}}])
def test_an_alert_of_a_form_that_is_not_known_is_told_by_its_header(content: Any) -> None:
    shown = about(alert(content, causation_id=""))

    assert violations(shown) == []
    assert title(shown).endswith("3" if content and "title" in content else str(ALERT["title"]))
    assert f"<{CONSOLE}/|open in findstream>" in said(shown)
    assert violations(about(switched_off(content))) == []


def test_an_alert_of_many_labels_is_told_with_the_first_ones() -> None:
    labels = {f"<!channel> {'&' * 300} {number}": "x" * 1000 for number in range(32)}

    assert violations(about(alert(ALERT | {"labels": labels, "group": labels}))) == []


def test_the_daily_report_tells_totals_and_changes() -> None:
    shown = about(report())

    assert violations(shown) == []
    assert title(shown) == "📊 REPORT · 24 hours to 2024-05-02 09:00:00 UTC"
    assert color(shown) == palette.REPORT.color
    assert "*Findings*\n1,203 (+89)" in said(shown)
    assert "*Open tasks*\n4" in said(shown)
    assert "🔴 CRITICAL: 3 (-1)\n🟠 HIGH: 0\n🟡 MEDIUM: 0\n🔵 LOW: 1,200 (+90)\n⚪ UNKNOWN: 0" in said(shown)
    assert "aws.cloudwatch: 1,200 (+100)\naws.guardduty: 3 (-2)\naws.health: 0 (-9)" in said(shown)
    assert "arn:aws:s3:::logs: 40" in said(shown)


def test_a_report_of_hundreds_of_sources_and_hostile_names_is_taken() -> None:
    names = {f"<!channel> {'&' * 300} {number}": number for number in range(300)}
    content = REPORT | {
        "totals": {"source": names, "severity": names, "account": names},
        "change": {"source": names, "severity": names, "account": names},
        "top_resources": [{"resource": name, "count": count} for name, count in names.items()],
    }

    shown = about(report(content))

    assert violations(shown) == []
    assert "_and 290 more_" in said(shown)


@pytest.mark.parametrize("content", [{}, [], {"date": 3}, REPORT | {"totals": None}, REPORT | {"open_tasks": "many"}])
def test_a_report_of_a_form_that_is_not_known_is_told_by_its_summary(content: Any) -> None:
    shown = about(report(content, summary="3 findings"))

    assert violations(shown) == []
    assert title(shown) == "📊 REPORT · 3 findings"


def test_a_newer_version_of_a_finding_is_told_by_its_header() -> None:
    shown = about(event(version=2, body=b'{"facts": {"alarm_name": "not for us"}}', summary="something new"))

    assert violations(shown) == []
    assert title(shown) == "🟠 HIGH · something new"
    assert "not for us" not in said(shown)


def test_preview_shows_the_message_that_would_be_sent() -> None:
    previewed = slack_shown(message_about(event(), CONSOLE), CONSOLE)

    assert (title(dict(previewed)), color(dict(previewed))) == (title(about(event())), color(about(event())))
    assert "You get this" not in said(dict(previewed))


def test_what_only_repeats_the_title_is_left_out() -> None:
    shown = about(finding("generic", {}, summary="Backup failed"))

    assert title(shown) == "🟠 HIGH · Backup failed"
    assert [block["type"] for block in shown["attachments"][0]["blocks"]] == ["section", "section", "context", "context"]


def test_line_ends_that_aws_health_writes_out_are_line_ends() -> None:
    assert "degraded.\nRestart" in said(about(finding("health", {"description": "degraded.\\nRestart"})))


# marks in the last line


def context(shown: dict[str, Any]) -> list[str]:
    return [element["text"] for element in shown["attachments"][0]["blocks"][-1]["elements"]]


def test_a_message_that_may_be_a_repeat_says_so_in_its_last_line() -> None:
    assert "may be a repeat" in context(about(event(), resent=True))[-1]
    assert "may be a repeat" not in said(about(event()))


def test_a_message_that_was_shortened_links_to_the_whole_event() -> None:
    shown = about(finding("generic", {"title": "t", "description": "x" * 5000}))

    assert context(shown)[-1] == f"shortened, <{CONSOLE}/events/{event().id}|see the whole event>"
    assert "shortened" not in said(about(finding("generic")))


def test_a_thousand_resources_are_named_by_five_and_a_count() -> None:
    shown = about(event(resources=tuple(f"arn:aws:s3:::{'b' * 2000}{number}" for number in range(1000))))

    assert violations(shown) == []
    assert "_and 995 more_" in said(shown)


def test_backticks_do_not_end_a_code_block() -> None:
    shown = about(finding("agent_logs", {"message": "``` *bold* <!channel>"}, resources=("`*r*`",)))

    assert f"```\n{TICK * 3} *bold* &lt;!channel&gt;\n```" in said(shown)
    assert f"`{TICK}*r*{TICK}`" in said(shown)


def test_a_value_cannot_pretend_to_be_another_field() -> None:
    shown = about(event(region="eu\n*Account*\n999999999999"))

    assert "*Region*\neu *Account* 999999999999" in said(shown)


# several events


def test_a_group_is_told_in_lines_the_worst_first_with_what_is_over_struck_out() -> None:
    ended = event(3, severity=1, body=body("cloudwatch_alarm", ALARM | {"state": "OK", "alarm_name": "old|one"}))
    shown = slack(message([event(1), event(2, severity=4), ended], firing=2, resolved=1))

    assert violations(shown) == []
    assert title(shown) == "🔴 CRITICAL · 2 alarms, 1 resolved in account 123456789012"
    assert color(shown) == palette.CRITICAL.color
    rows = [block["text"]["text"] for block in shown["attachments"][0]["blocks"] if block["type"] == "section"]
    where = "123456789012 · eu-central-1 · 2024-05-02 07:44:05 UTC"
    assert rows == [
        f"🔴 <{CONSOLE}/events/{event(2).id}|checkout-5xx>\n{where}",
        f"🟠 <{CONSOLE}/events/{event(1).id}|checkout-5xx>\n{where}",
        f"🟢 ~<{CONSOLE}/events/{event(3).id}|old¦one>~\n{where}",
    ]


def test_a_group_of_hundreds_names_twenty_and_counts_the_others() -> None:
    shown = slack(message([event(number) for number in range(500)]))

    assert violations(shown) == []
    assert len([text for text in strings(shown) if text.startswith("🟠 <")]) == 20
    assert "|480 more>_" in said(shown)


def test_a_group_that_is_over_is_green() -> None:
    ended = [event(n, body=body("cloudwatch_alarm", ALARM | {"state": "OK"})) for n in range(3)]
    shown = slack(message(ended, Reason.ALL_RESOLVED, resolved=3))

    assert title(shown) == "🟢 RESOLVED · 3 alarms are over in account 123456789012"
    assert color(shown) == palette.RESOLVED.color


def test_a_repeated_message_says_since_when_it_fires() -> None:
    shown = slack(message([event(1), event(2)], Reason.REPEATED, firing=2))

    assert title(shown) == "🟠 HIGH · 2 alarms still firing in account 123456789012"
    assert "Firing since 2024-05-02 07:44:05 UTC." in said(shown)
    assert "Firing since 2024-05-02 07:44:05 UTC." in said(slack(message([event(1)], Reason.REPEATED)))


def test_a_digest_counts_what_came_and_names_the_worst() -> None:
    many = [*(event(n) for n in range(40)), finding("guardduty", id="1714635900-x", severity=4, resources=("i-0abc",))]
    shown = slack(storm(many, times=250, resolved=2))

    assert violations(shown) == []
    assert title(shown) == "🔴 CRITICAL · 10,252 events at once"
    assert "*By severity*\n🔴 CRITICAL: 250\n🟠 HIGH: 10,000" in said(shown)
    assert "*By kind*\nalarms: 10,000\nGuardDuty findings: 250" in said(shown)
    assert (
        "*Top resources of the worst 41*\narn:aws:cloudwatch:eu-central-1:123456789012:alarm:checkout-5xx: 40\ni-0abc: 1"
        in said(shown)
    )
    assert "From 2024-05-02 07:44:05 UTC to 2024-05-02 07:45:01 UTC. 2 of them are over." in said(shown)
    assert len([text for text in strings(shown) if text.startswith(("🟠 <", "🔴 <"))]) == 5


def test_a_digest_of_which_the_log_holds_nothing_any_more_still_counts() -> None:
    told = storm([event(1)], times=9)

    assert violations(slack(replace(told, told=()))) == []


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_text_in_any_shape_of_message_is_taken_and_injects_nothing(hostile: str) -> None:
    for told in hostile_messages(hostile):
        assert violations(slack(told)) == []


# hostile events


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("kind", [*KINDS, "no such kind"])
def test_a_hostile_text_in_every_place_is_taken_and_injects_nothing(kind: str, hostile: str) -> None:
    shown = about(everywhere(kind, hostile), resent=True)

    assert violations(shown) == []
    assert len(context(shown)) <= CONTEXT


@pytest.mark.parametrize("wrong", WRONG, ids=range(len(WRONG)))
@pytest.mark.parametrize("kind", KINDS)
def test_facts_of_a_wrong_type_are_taken_and_inject_nothing(kind: str, wrong: Any) -> None:
    assert violations(about(everywhere(kind, wrong))) == []


@pytest.mark.parametrize("kind", [*KINDS, *[each for each in WRONG if not isinstance(each, float)]], ids=str)
@pytest.mark.parametrize("facts", [{}, None, [], "facts", 7, [["x"]]], ids=str)
def test_facts_may_be_missing_or_no_object_at_all(kind: Any, facts: Any) -> None:
    shown = about(event(body=body(kind, facts), summary="", resources=(), account="", region=""))

    assert violations(shown) == []


@pytest.mark.parametrize("content", [b"", b"not json", b"[]", b'"text"', b"7", b"null", b"\xff", b'{"kind": {}}'])
def test_a_body_may_be_anything(content: bytes) -> None:
    assert violations(about(event(body=content))) == []
    assert violations(about(report(body=content))) == []
    assert violations(about(went_silent(body=content))) == []
    assert violations(about(alert(body=content))) == []
    assert violations(about(switched_off(body=content))) == []


def test_a_fact_that_is_nested_deeply_is_taken() -> None:
    deep = b"[" * 900 + b"]" * 900
    content = b'{"kind": "generic", "facts": {"title": %s, "other": {"x": %s}}}' % (deep, deep)

    assert violations(about(event(body=content))) == []


@pytest.mark.parametrize("time_us", [0, -1, 10**30, "soon", None, True, 1.5])
def test_a_time_may_be_anything(time_us: Any) -> None:
    assert violations(about(went_silent(body=orjson.dumps({"last_heartbeat_us": str(time_us)})))) == []
    assert violations(about(event(time_us=time_us if isinstance(time_us, int) else 0))) == []


texts = st.text(
    alphabet=st.characters(exclude_categories=["Cs"]) | st.sampled_from('<>&@#!|`*_~\\"{}%\n\u202e'), max_size=60
) | st.sampled_from([hostile.encode("utf-8", "replace").decode()[:3000] for hostile in HOSTILE])
values = st.recursive(
    texts | st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)
known = st.sampled_from(sorted({name for facts in KINDS.values() for name in facts}))


@given(
    kind=st.sampled_from([*KINDS, "other"]),
    facts=st.dictionaries(known | texts, values, max_size=12) | values,
    summary=texts,
    resources=st.lists(texts, max_size=12),
    severity=st.integers(0, 4),
    resent=st.booleans(),
)
def test_whatever_a_finding_says_slack_takes_the_message_and_nobody_is_pinged(
    *, kind: str, facts: Any, summary: str, resources: list[str], severity: int, resent: bool
) -> None:
    told = event(body=body(kind, facts), summary=summary, resources=tuple(resources), severity=severity)

    assert violations(about(told, resent=resent)) == []


@given(
    content=st.fixed_dictionaries({}, optional=dict.fromkeys(REPORT, values)) | st.just(REPORT),
    name=texts,
    count=st.integers(0, 10**9),
)
def test_whatever_a_report_says_slack_takes_the_message(content: dict[str, Any], name: str, count: int) -> None:
    totals = {"source": {name: count}, "severity": {"4": count}, "account": {name: count}}
    hostile = {**REPORT, "totals": totals, "change": totals, "top_resources": [{"resource": name, "count": count}], **content}

    assert violations(about(report(hostile))) == []


@given(
    alerted=st.fixed_dictionaries({}, optional=dict.fromkeys(ALERT, values)),
    off=st.fixed_dictionaries({}, optional=dict.fromkeys(SWITCHED_OFF, values)),
    labels=st.dictionaries(texts, texts, max_size=12),
    summary=texts,
)
def test_whatever_an_alert_says_slack_takes_the_message_and_nobody_is_pinged(
    alerted: dict[str, Any], off: dict[str, Any], labels: dict[str, str], summary: str
) -> None:
    for told in (
        alert({**ALERT, **alerted}, summary=summary),
        alert({**ALERT, "labels": labels, "group": labels}, summary=summary),
        switched_off({**SWITCHED_OFF, **off}, summary=summary),
    ):
        assert violations(about(told)) == []


def test_the_server_takes_every_template_over_http() -> None:
    events = [*map(finding, KINDS), report(), went_silent(), deployed(), alert(), switched_off()]
    events += [*(everywhere("generic", hostile) for hostile in HOSTILE)]
    with FakeSlack() as server:
        channel = SlackChannel(SecretStr(server.url("ops")), CONSOLE)

        answers = [channel.send(about(told)) for told in events]

    assert answers == [Delivered()] * len(events)


def test_a_console_below_a_path_is_linked_to() -> None:
    url = "https://ops.example/findstream?a=1&b=2/"
    shown = slack_shown(message_about(event(), url), url)

    assert "<https://ops.example/findstream?a=1&amp;b=2/events/" in said(dict(shown))


# the environment of templates


@pytest.mark.parametrize(
    "expression", ["text | safe", "text | tojson", "text | e", "text | urlize", "lipsum()", "missing", "cycler"]
)
def test_nothing_that_marks_text_as_safe_is_in_reach_of_a_template(expression: str) -> None:
    with pytest.raises(TemplateError):
        environment().from_string("{{ " + expression + " }}").render(text="<b>")


@pytest.mark.parametrize(
    "template",
    [
        "{{ text }}",
        "{{ [text] }}",
        "{{ {'k': text} }}",
        "{% set copy = text %}{{ copy }}",
        "{% macro m(t) %}{{ t }}{% endmacro %}{{ m(text) }}",
    ],
)
def test_a_plain_expression_is_escaped_without_being_asked_to(template: str) -> None:
    printed = environment().from_string('["' + template + '"]').render(text='<!channel> & "quoted" \\ \n')

    [shown] = orjson.loads(printed)
    assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)", shown)
    assert "&lt;!channel&gt; &amp;" in shown


def test_joining_texts_in_a_template_does_not_make_them_safe() -> None:
    printed = environment().from_string("{{ text ~ text }} {{ (text + text) }}").render(text="<@U1>")

    assert "<" not in printed


def broken(*_: object) -> None:
    raise KeyError


def test_a_fault_in_a_template_names_the_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consumers.notifier.channels.slack_blocks.Blocks.render", broken)

    with pytest.raises(Unrenderable, match=r"findings/.*: KeyError"):
        about(finding("generic"))


def test_a_headline_of_any_length_stays_within_its_limit() -> None:
    shown = about(finding("cloudwatch_alarm", {"alarm_name": "😀" * 500}, severity=4))

    assert width(title(shown)) <= HEADER
