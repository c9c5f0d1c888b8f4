"""The fake Slack refuses what Slack would refuse: a fake that takes everything would prove nothing."""

from typing import Any

import pytest

from tests.notifier.slack_rules import CONSOLE, violations

HEADER = {"type": "header", "text": {"type": "plain_text", "text": "hello"}}


def mrkdwn(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "verbatim": True, "text": text}


def section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": mrkdwn(text)}


def message(*blocks: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"text": "hello", "blocks": list(blocks), **more}


@pytest.mark.parametrize(
    "payload",
    [
        message(),
        message(HEADER, section("x" * 3000)),
        message(*[HEADER] * 49, attachments=[{"color": "#00ff00", "blocks": [section(f"see <{CONSOLE}/events/1|it>")]}]),
        message({"type": "section", "fields": [mrkdwn("x" * 2000)] * 10}),
        message({"type": "context", "elements": [mrkdwn("&amp;&lt;&gt;")] * 10}),
        message({"type": "divider", "block_id": "x" * 255}),
    ],
)
def test_a_message_within_the_limits_is_taken(payload: dict[str, Any]) -> None:
    assert violations(payload) == []


@pytest.mark.parametrize(
    ("payload", "problem"),
    [
        ([], "object"),
        ({"blocks": [HEADER]}, "text is required"),
        (message(text=" "), "text is required"),
        (message(text="x" * 40_001), "too long"),
        (message(channel="#general"), "unknown keys"),
        (message(blocks={}), "lists"),
        (message(*[HEADER] * 51), "51 blocks"),
        (message(HEADER, attachments=[{"blocks": [HEADER] * 50}]), "51 blocks"),
        (message(attachments=[{}] * 101), "101 attachments"),
        (message(attachments=[{"color": "red"}]), "#rrggbb"),
        (message({"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}), "151 characters"),
        (message({"type": "header", "text": {"type": "plain_text", "text": "😀" * 76}}), "152 characters"),
        (message({"type": "header", "text": mrkdwn("x")}), "plain_text"),
        (message(section("x" * 3001)), "3001 characters"),
        (message(section("")), "empty text"),
        (message({"type": "section"}), "needs text or fields"),
        (message({"type": "section", "text": mrkdwn("x"), "fields": []}), "0 fields"),
        (message({"type": "section", "fields": [mrkdwn("x")] * 11}), "11 fields"),
        (message({"type": "section", "fields": [mrkdwn("x" * 2001)]}), "2001 characters"),
        (message({"type": "context", "elements": [mrkdwn("x")] * 11}), "11 context elements"),
        (message({"type": "context", "elements": []}), "0 context elements"),
        (message({"type": "actions", "elements": [{}] * 26}), "26 actions"),
        (message({"type": "carousel"}), "carousel"),
        (message({"type": "divider", "block_id": "x" * 256}), "block_id is too long"),
        (message(*[{"type": "divider", "block_id": "x"}] * 2), "twice"),
        (message({"type": "section", "text": {"type": "mrkdwn", "text": "@here"}}), "verbatim"),
        (message(section("<!channel>")), "bracket"),
        (message(section("<@U123>")), "bracket"),
        (message(section("<#C123>")), "bracket"),
        (message(section("<http://evil.example|click>")), "bracket"),
        (message(section(f"<{CONSOLE}.evil.example/|click>")), "bracket"),
        (message(section("a > b")), "bracket"),
        (message(section("this & that")), "ampersand"),
        (message(section("cut &am")), "ampersand"),
        (message(section("nul \x00")), "control"),
        (message(text="<!here>"), "bracket"),
    ],
)
def test_a_message_that_breaks_a_limit_or_injects_something_is_refused_whole(payload: Any, problem: str) -> None:
    assert any(problem in found for found in violations(payload)), violations(payload)
