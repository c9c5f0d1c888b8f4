"""Notices to tell of: of one event, of many, of a storm; and events that no template expects."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson

from consumers.notifier.channels.port import Message
from consumers.notifier.item import of
from consumers.notifier.messages.message import message_of
from consumers.notifier.notice import DIGEST, Cause, Count, Key, Notice, Reason, State
from pipeline.log.port import Position
from schemas.envelope import Envelope
from tests.notifier.examples import CLOUDTRAIL, KINDS, TIME_US, body, finding
from tests.notifier.slack_rules import CONSOLE

GROUP = 'type="finding.observed",source="aws.cloudwatch",account="123456789012",rule=""'

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
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "\"'><a href='javascript:alert(1)'>x</a><!--",
    "Subject: x\r\nBcc: all@evil.example\r\n\r\nbody",
    "]]> </style></head><body onload=x> &quot;",
    "a|b|c",
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


def position(number: int) -> Position:
    return Position("shard-0", number, 0)


def cause_of(event: Envelope, number: int = 0) -> Cause:
    item = of(event, position(number))
    return item.cause if item else Cause(event.id, position(number), event.severity, event.type)


def notice_of(events: Sequence[Envelope], why: Reason = Reason.NEWLY_FIRING, **given: Any) -> Notice:
    causes = tuple(cause_of(event, number) for number, event in enumerate(events))
    made = Notice(
        key=Key("findings", GROUP, 7),
        channel="ops",
        causes=causes,
        state=State.PENDING,
        reason=Reason.ROUTE_MATCHED,
        decided_us=TIME_US,
        due_us=TIME_US,
        changed_us=TIME_US,
        severity=max((cause.severity for cause in causes), default=0),
        why=why,
        path=("default", "findings"),
    )
    return replace(made, **given)


def message(events: Sequence[Envelope], why: Reason = Reason.NEWLY_FIRING, *, console: str = CONSOLE, **given: Any) -> Message:
    return message_of(notice_of(events, why, **given), {event.id: event for event in events}, console)


def storm(events: Sequence[Envelope], *, times: int = 1, **given: Any) -> Message:
    """A digest of ``events``, each of which came ``times`` times."""
    counts = tuple(Count(cause.kind, cause.severity, cause.resolved, times) for cause in map(cause_of, events))
    told = {"key": Key(DIGEST, "ops", 7), "counts": counts, "firing": times * len(events), "path": ()}
    return message(events, Reason.STORM, **{**told, **given})


def everywhere(kind: str, value: Any) -> Envelope:
    """A finding that has ``value`` wherever a source can put it."""
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


def hostile_messages(text: str) -> list[Message]:
    """Every shape of message with ``text`` in every place."""
    first, second = everywhere("guardduty", text), everywhere("agent_logs", text)
    two = [replace(first, id="1714635845-a"), replace(second, id=f"1714635845-{text[:90]}")]
    whose: dict[str, Any] = {"key": Key("findings", f"source={text}"[:2048], 7), "path": (text[:64],), "unsure": True}
    resource = cause_of(first)._replace(resource=text[:2048], kind=text[:256])
    return [
        message([first], **whose),
        message(two, **whose),
        message(two, Reason.ALL_RESOLVED, resolved=9, **whose),
        message(two, Reason.REPEATED, firing=1000, **whose),
        storm(two, times=9, causes=(resource, *map(cause_of, two)), unsure=True),
    ]
