"""Every template, with ordinary and with hostile events, makes messages that Slack takes and that ping nobody."""

import re
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import TemplateError
from pydantic import SecretStr

from consumers import palette
from consumers.notifier.channels.port import Delivered
from consumers.notifier.channels.slack import SlackSender
from consumers.notifier.errors import Unrenderable
from consumers.notifier.render import Renderer, environment, preview
from schemas.envelope import Envelope
from tests.notifier.examples import (
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

TICK = "\N{MODIFIER LETTER GRAVE ACCENT}"
RENDERER = Renderer(CONSOLE)

HOSTILE = [
    "<!channel>",
    "<!here|here>",
    "<@U123>",
    "<#C123|general>",
    "<http://evil.example|click>",
    f"<{CONSOLE}/events/1|click>",
    "&lt;!channel&gt; &amp; &#60;",
    "``` ` ```",
    "*bold* _it_ ~no~ > quote",
    "\u202eright to left\u202c שלום",
    "nul\x00 bell\x07 esc\x1b[31m",
    "\ud800 lone",
    "👩\u200d🚒" * 2000,
    "🏴" * 1000,
    "e" + "\u0301" * 3000,
    "{{ 7 * 7 }} {% raw %} {# c #}",
    '"}]} \\" \\u003c!channel\\u003e \\n',
    "%s %(x)s {0} ${x}",
    "\n\n\t \r\n",
    "\\n\\n",
    "",
    "x" * 100_000,
    "<" * 100_000,
    "&" * 100_000,
    "\u200b" * 100_000,
    "a b " * 30_000,
]

WRONG: list[Any] = [
    None,
    True,
    0,
    -1.5,
    1e300,
    2**63,
    [],
    {},
    ["<!channel>"] * 1000,
    {"<!channel>": "<@U1>"},
    [[["<@U1>"]]],
    [{"a": ["<#C1>"]}],
]


def title(message: dict[str, Any]) -> str:
    text: str = message["blocks"][0]["text"]["text"]
    return text


def color(message: dict[str, Any]) -> str:
    shown: str = message["attachments"][0]["color"]
    return shown


def said(message: dict[str, Any]) -> str:
    return "\n".join(strings(message))


# ordinary events


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_finding_makes_a_message_that_slack_takes(kind: str) -> None:
    message = RENDERER.render(finding(kind))

    assert violations(message) == []
    assert "123456789012" in said(message)
    assert "eu-central-1" in said(message)
    assert "2024-05-02 07:44:05 UTC" in said(message)
    assert f"<{CONSOLE}/events/{event().id}|open in findstream>" in said(message)


@pytest.mark.parametrize("kind", KINDS)
def test_every_fact_of_a_kind_is_told(kind: str) -> None:
    shown = said(RENDERER.render(finding(kind)))

    for name, fact in KINDS[kind].items():
        if name == "stack_id" or not fact:
            continue
        text = str(int(fact)) if isinstance(fact, float) else str(fact)
        text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("`", TICK)
        assert text in shown, name


def test_an_alarm_tells_its_name_with_severity_and_sign() -> None:
    message = RENDERER.render(finding("cloudwatch_alarm"))

    assert title(message) == "🟠 HIGH · checkout-5xx"
    assert message["text"] == "🟠 HIGH · CloudWatch alarm · checkout-5xx"
    assert color(message) == palette.HIGH.color
    assert "*State*\nOK → ALARM" in said(message)
    assert "*Threshold*\nGreaterThanThreshold 5" in said(message)


@pytest.mark.parametrize("severity", range(5))
def test_each_severity_has_its_colour_word_and_sign(severity: int) -> None:
    message = RENDERER.render(event(severity=severity))

    assert color(message) == palette.SEVERITIES[severity].color
    assert title(message).startswith(f"{palette.SEVERITIES[severity].emoji} {palette.SEVERITIES[severity].word} · ")


def test_all_tones_differ() -> None:
    tones = [*palette.SEVERITIES, palette.RESOLVED, palette.REPORT]

    assert len({tone.color for tone in tones}) == len({tone.word for tone in tones}) == len({tone.emoji for tone in tones}) == 7
    assert palette.tone(9) is palette.tone(-1) is palette.UNKNOWN


@pytest.mark.parametrize(
    ("kind", "fact"),
    [("cloudwatch_alarm", {"state": "OK"}), ("health", {"status": "closed"}), ("securityhub", {"workflow": "RESOLVED"})],
)
def test_what_is_well_again_is_green(kind: str, fact: dict[str, str]) -> None:
    message = RENDERER.render(finding(kind, KINDS[kind] | fact))

    assert color(message) == palette.RESOLVED.color
    assert title(message).startswith("🟢 RESOLVED · ")


def test_cloudtrail_is_told_by_the_generic_template_with_its_facts() -> None:
    message = RENDERER.render(finding("cloudtrail", summary="DeleteTrail by eve"))

    assert title(message) == "🟠 HIGH · DeleteTrail by eve"
    assert f"*Source ip*\n{CLOUDTRAIL['source_ip']}" in said(message)


def test_a_failed_deployment_is_told_with_its_reason() -> None:
    message = RENDERER.render(deployed(severity=3))

    assert violations(message) == []
    assert title(message) == "🟠 HIGH · Agent 1.4.0 in 123456789012 is failed"
    assert "CREATE_FAILED: No room" in orjson.dumps(message).decode()


def test_a_silent_agent_is_told_with_its_last_heartbeat() -> None:
    message = RENDERER.render(went_silent())

    assert violations(message) == []
    assert title(message) == "🟠 HIGH · the agent of 123456789012 is silent"
    assert "*Last heartbeat*\n2024-05-02 07:44:05 UTC" in said(message)


def test_an_alert_is_told_with_its_rule_its_group_and_what_it_counted() -> None:
    message = RENDERER.render(alert())

    assert violations(message) == []
    assert title(message) == "🟠 HIGH · 40 failed sign-ins from 192.0.2.1"
    assert message["text"] == "🟠 HIGH · Alert · 40 failed sign-ins from 192.0.2.1"
    for told in (
        "*Rule*\nfailed-sign-ins, version 3",
        "*Count*\n40",
        "*Window*\n2024-05-02 07:00:00 UTC to 2024-05-02 08:00:00 UTC",
        "*Last finding*\n2024-05-02 07:13:20 UTC",
        "*detail.sourceIPAddress*\n192.0.2.1",
        "*team*\nplatform",
        f"<{CONSOLE}/events/1714633200-a|open in findstream>",
    ):
        assert told in said(message)
    assert "Run over history" not in said(message)


def test_an_alert_of_a_run_over_history_says_so() -> None:
    message = RENDERER.render(alert(ALERT | {"backfilled": True, "run_id": "0199f3a1", "window": None}))

    assert "*Run over history*\n0199f3a1" in said(message)
    assert "*Window*" not in said(message)


def test_a_rule_that_was_switched_off_is_told_with_what_went_wrong() -> None:
    message = RENDERER.render(switched_off())

    assert violations(message) == []
    assert title(message) == "🟠 HIGH · failed-sign-ins, version 3 is switched off"
    assert "It judges nothing any more" in said(message)
    assert "*Reason*\ntoo_slow" in said(message)
    assert "*Detail*\ntook 70 ms for a finding, three times" in said(message)
    assert f"<{CONSOLE}/events/1714633200-a|open in findstream>" in said(message)


@pytest.mark.parametrize("content", [{}, [], {"title": 3, "rule_id": None, "group": [], "labels": 7, "window": "x", "count": {}}])
def test_an_alert_of_a_form_that_is_not_known_is_told_by_its_header(content: Any) -> None:
    message = RENDERER.render(alert(content, causation_id=""))

    assert violations(message) == []
    assert title(message).endswith("3" if content and "title" in content else str(ALERT["title"]))
    assert f"<{CONSOLE}/|open in findstream>" in said(message)
    assert violations(RENDERER.render(switched_off(content))) == []


def test_an_alert_of_many_labels_is_told_with_the_first_ones() -> None:
    labels = {f"<!channel> {'&' * 300} {number}": "x" * 1000 for number in range(32)}

    assert violations(RENDERER.render(alert(ALERT | {"labels": labels, "group": labels}))) == []


def test_the_daily_report_tells_totals_and_changes() -> None:
    message = RENDERER.render(report())

    assert violations(message) == []
    assert title(message) == "📊 REPORT · 24 hours to 2024-05-02 09:00:00 UTC"
    assert color(message) == palette.REPORT.color
    assert "*Findings*\n1,203 (+89)" in said(message)
    assert "*Open tasks*\n4" in said(message)
    assert "🔴 CRITICAL: 3 (-1)\n🟠 HIGH: 0\n🟡 MEDIUM: 0\n🔵 LOW: 1,200 (+90)\n⚪ UNKNOWN: 0" in said(message)
    assert "aws.cloudwatch: 1,200 (+100)\naws.guardduty: 3 (-2)\naws.health: 0 (-9)" in said(message)
    assert "arn:aws:s3:::logs: 40" in said(message)


def test_a_report_of_hundreds_of_sources_and_hostile_names_is_taken() -> None:
    names = {f"<!channel> {'&' * 300} {number}": number for number in range(300)}
    content = REPORT | {
        "totals": {"source": names, "severity": names, "account": names},
        "change": {"source": names, "severity": names, "account": names},
        "top_resources": [{"resource": name, "count": count} for name, count in names.items()],
    }

    message = RENDERER.render(report(content))

    assert violations(message) == []
    assert "_and 290 more_" in said(message)


@pytest.mark.parametrize("content", [{}, [], {"date": 3}, REPORT | {"totals": None}, REPORT | {"open_tasks": "many"}])
def test_a_report_of_a_form_that_is_not_known_is_told_by_its_summary(content: Any) -> None:
    message = RENDERER.render(report(content, summary="3 findings"))

    assert violations(message) == []
    assert title(message) == "📊 REPORT · 3 findings"


def test_a_newer_version_of_a_finding_is_told_by_its_header() -> None:
    message = RENDERER.render(event(version=2, body=b'{"facts": {"alarm_name": "not for us"}}', summary="something new"))

    assert violations(message) == []
    assert title(message) == "🟠 HIGH · something new"
    assert "not for us" not in said(message)


def test_preview_shows_the_message_that_would_be_sent() -> None:
    assert preview(event(), CONSOLE) == RENDERER.render(event())


def test_what_only_repeats_the_title_is_left_out() -> None:
    message = RENDERER.render(finding("generic", {}, summary="Backup failed"))

    assert title(message) == "🟠 HIGH · Backup failed"
    assert [block["type"] for block in message["attachments"][0]["blocks"]] == ["section", "section", "context"]


def test_line_ends_that_aws_health_writes_out_are_line_ends() -> None:
    assert "degraded.\nRestart" in said(RENDERER.render(finding("health", {"description": "degraded.\\nRestart"})))


# marks in the last line


def context(message: dict[str, Any]) -> list[str]:
    return [element["text"] for element in message["attachments"][0]["blocks"][-1]["elements"]]


def test_a_message_that_may_be_a_repeat_says_so_in_its_last_line() -> None:
    assert "may be a repeat" in context(RENDERER.render(event(), resent=True))[-1]
    assert "may be a repeat" not in said(RENDERER.render(event()))


def test_a_message_that_was_shortened_links_to_the_whole_event() -> None:
    message = RENDERER.render(finding("generic", {"title": "t", "description": "x" * 5000}))

    assert context(message)[-1] == f"shortened, <{CONSOLE}/events/{event().id}|see the whole event>"
    assert "shortened" not in said(RENDERER.render(finding("generic")))


def test_a_thousand_resources_are_named_by_five_and_a_count() -> None:
    message = RENDERER.render(event(resources=tuple(f"arn:aws:s3:::{'b' * 2000}{number}" for number in range(1000))))

    assert violations(message) == []
    assert "_and 995 more_" in said(message)


def test_backticks_do_not_end_a_code_block() -> None:
    message = RENDERER.render(finding("agent_logs", {"message": "``` *bold* <!channel>"}, resources=("`*r*`",)))

    assert f"```\n{TICK * 3} *bold* &lt;!channel&gt;\n```" in said(message)
    assert f"`{TICK}*r*{TICK}`" in said(message)


def test_a_value_cannot_pretend_to_be_another_field() -> None:
    message = RENDERER.render(event(region="eu\n*Account*\n999999999999"))

    assert "*Region*\neu *Account* 999999999999" in said(message)


# hostile events


def everywhere(kind: str, value: Any) -> Envelope:
    text = value if isinstance(value, str) else "x"
    facts = dict.fromkeys(KINDS.get(kind, CLOUDTRAIL), value) | {text[:100]: value}
    return finding(
        "generic",
        summary=text[:512],
        source=text[:256],
        account=text[:12],
        region=text[:64],
        source_id=text[:1024],
        resources=(text,) * 1000,
        type="finding.observed",
        body=safe_body(kind, facts),
    )


def safe_body(kind: Any, facts: Any) -> bytes:
    """The body as a source could have made it: JSON knows no lone surrogates."""
    repaired = orjson.loads(str(orjson.dumps(scrub(facts)), "utf-8"))
    return body(kind, repaired)


def scrub(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [scrub(each) for each in value]
    if isinstance(value, dict):
        return {scrub(key): scrub(each) for key, each in value.items()}
    return value


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("kind", [*KINDS, "no such kind"])
def test_a_hostile_text_in_every_place_is_taken_and_injects_nothing(kind: str, hostile: str) -> None:
    message = RENDERER.render(everywhere(kind, hostile), resent=True)

    assert violations(message) == []
    assert len(context(message)) <= CONTEXT


@pytest.mark.parametrize("wrong", WRONG, ids=range(len(WRONG)))
@pytest.mark.parametrize("kind", KINDS)
def test_facts_of_a_wrong_type_are_taken_and_inject_nothing(kind: str, wrong: Any) -> None:
    assert violations(RENDERER.render(everywhere(kind, wrong))) == []


@pytest.mark.parametrize("kind", [*KINDS, *[each for each in WRONG if not isinstance(each, float)]], ids=str)
@pytest.mark.parametrize("facts", [{}, None, [], "facts", 7, [["x"]]], ids=str)
def test_facts_may_be_missing_or_no_object_at_all(kind: Any, facts: Any) -> None:
    message = RENDERER.render(event(body=body(kind, facts), summary="", resources=(), account="", region=""))

    assert violations(message) == []


@pytest.mark.parametrize("content", [b"", b"not json", b"[]", b'"text"', b"7", b"null", b"\xff", b'{"kind": {}}'])
def test_a_body_may_be_anything(content: bytes) -> None:
    assert violations(RENDERER.render(event(body=content))) == []
    assert violations(RENDERER.render(report(body=content))) == []
    assert violations(RENDERER.render(went_silent(body=content))) == []
    assert violations(RENDERER.render(alert(body=content))) == []
    assert violations(RENDERER.render(switched_off(body=content))) == []


def test_a_fact_that_is_nested_deeply_is_taken() -> None:
    deep = b"[" * 900 + b"]" * 900
    content = b'{"kind": "generic", "facts": {"title": %s, "other": {"x": %s}}}' % (deep, deep)

    assert violations(RENDERER.render(event(body=content))) == []


@pytest.mark.parametrize("time_us", [0, -1, 10**30, "soon", None, True, 1.5])
def test_a_time_may_be_anything(time_us: Any) -> None:
    assert violations(RENDERER.render(went_silent(body=orjson.dumps({"last_heartbeat_us": str(time_us)})))) == []
    assert violations(RENDERER.render(event(time_us=time_us if isinstance(time_us, int) else 0))) == []


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

    assert violations(RENDERER.render(told, resent=resent)) == []


@given(
    content=st.fixed_dictionaries({}, optional=dict.fromkeys(REPORT, values)) | st.just(REPORT),
    name=texts,
    count=st.integers(0, 10**9),
)
def test_whatever_a_report_says_slack_takes_the_message(content: dict[str, Any], name: str, count: int) -> None:
    totals = {"source": {name: count}, "severity": {"4": count}, "account": {name: count}}
    hostile = {**REPORT, "totals": totals, "change": totals, "top_resources": [{"resource": name, "count": count}], **content}

    assert violations(RENDERER.render(report(hostile))) == []


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
        assert violations(RENDERER.render(told)) == []


def test_the_server_takes_every_template_over_http() -> None:
    events = [*map(finding, KINDS), report(), went_silent(), deployed(), alert(), switched_off()]
    events += [*(everywhere("generic", hostile) for hostile in HOSTILE)]
    with FakeSlack() as slack:
        sender = SlackSender(SecretStr(slack.url("ops")))

        answers = [sender.send(RENDERER.render(told)) for told in events]

    assert answers == [Delivered()] * len(events)


def test_a_console_below_a_path_is_linked_to() -> None:
    message = Renderer("https://ops.example/findstream?a=1&b=2/").render(event())

    assert "<https://ops.example/findstream?a=1&amp;b=2/events/" in said(message)


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
    printed = (
        environment().from_string("{{ text ~ text }} {{ (text + text) }} {{ [text, text] | joined(' ') }}").render(text="<@U1>")
    )

    assert "<" not in printed


def test_a_fault_in_a_template_names_the_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consumers.notifier.view._TEMPLATES", {"generic": "no such template"})

    with pytest.raises(Unrenderable, match=event().id):
        Renderer(CONSOLE).render(finding("generic"))


def test_a_headline_of_any_length_stays_within_its_limit() -> None:
    message = RENDERER.render(finding("cloudwatch_alarm", {"alarm_name": "😀" * 500}, severity=4))

    assert width(title(message)) <= HEADER
