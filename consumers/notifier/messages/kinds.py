"""What is told of each kind of finding, and of each other type of event: its label, title, words and details."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from consumers.notifier.messages.text import clean
from consumers.notifier.messages.words import Facts, joined, moment, pairs, said
from schemas.envelope import Envelope

FINDING: Final = "finding.observed"
_OTHERS: Final = 6
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Told:
    """``prose`` says what happened, ``quiet`` what may help, ``code`` is a piece of a log. Any may be ""."""

    label: str
    title: str
    prose: str = ""
    quiet: str = ""
    code: str = ""
    details: Sequence[tuple[str, str]] = ()


def told_of(event: Envelope, body: Mapping[str, Any], facts: Facts, zone: str) -> Told:
    """What is told of ``event``. ``facts`` are those of a finding."""
    summary = said(event.summary)
    if event.type == FINDING:
        kind = body.get("kind")
        tell = _KINDS.get(kind) if isinstance(kind, str) else None
        return tell(facts, summary) if tell else _generic(facts, summary, said(body.get("detail_type")) or event.type)
    about = _TYPES.get(event.type)
    return about(body, summary, zone) if about else _generic(Facts({}), summary, event.type)


def noun(kind: str) -> tuple[str, str]:
    """What one event of a kind is called, and several. ``kind`` as in ``consumers.notifier.notice.Cause``."""
    one = _NOUNS.get("alert" if kind.startswith("alert.") else kind, "event" if "." in kind else "finding")
    return one, f"{one}s"


def _alarm(facts: Facts, summary: str) -> Told:
    return Told(
        "CloudWatch alarm",
        facts["alarm_name"] or summary or "alarm",
        prose=facts["reason"] or summary,
        quiet=facts["description"],
        details=[
            ("State", joined(" → ", facts["previous_state"], facts["state"])),
            ("Metric", joined(" / ", facts["namespace"], facts["metric"])),
            ("Threshold", joined(" ", facts["comparison"], facts["threshold"])),
        ],
    )


def _guardduty(facts: Facts, summary: str) -> Told:
    return Told(
        "GuardDuty",
        facts["title"] or facts["finding_type"] or summary or "finding",
        prose=facts["description"] or summary,
        details=[
            ("Finding type", facts["finding_type"]),
            ("Score", facts["score"]),
            ("Resource type", facts["resource_type"]),
            ("Seen", f"{facts['count']} times" if facts["count"] else ""),
        ],
    )


def _health(facts: Facts, summary: str) -> Told:
    """AWS Health writes its line ends out, as a backslash and an n."""
    return Told(
        "AWS Health",
        joined(": ", facts["service"], facts["event_type_code"]) or summary or "event",
        prose=clean((facts["description"] or summary).replace("\\n", "\n")),
        details=[
            ("Category", facts["category"]),
            ("Status", facts["status"]),
            ("Affected", facts["affected"]),
            ("Begins", facts["start_time"]),
            ("Ends", facts["end_time"]),
        ],
    )


def _cloudformation(facts: Facts, summary: str) -> Told:
    return Told(
        "CloudFormation deployment",
        joined(": ", facts["stack_name"] or facts["stack_id"], facts["status"]) or summary or "stack",
        prose=facts["status_reason"] or summary,
        details=[
            ("Stack", facts["stack_name"]),
            ("Status", facts["status"]),
            ("Resource", joined(", ", facts["logical_id"], facts["resource_type"])),
        ],
    )


def _agent_logs(facts: Facts, summary: str) -> Told:
    return Told(
        "Log error",
        joined(" in ", facts["level"], facts["log_group"]) or summary or "log error",
        code=facts["message"] or summary,
        details=[
            ("Log group", facts["log_group"]),
            ("Log stream", facts["log_stream"]),
            ("Request", facts["request_id"]),
        ],
    )


def _securityhub(facts: Facts, summary: str) -> Told:
    """The remediation link is shown as text: it is the finding's word, not ours."""
    remedy = facts["remediation_url"]
    return Told(
        "Security Hub",
        facts["title"] or summary or "finding",
        prose=facts["description"] or summary,
        quiet=f"Remediation: {remedy}" if remedy else "",
        details=[
            ("Compliance", facts["compliance"]),
            ("Workflow", facts["workflow"]),
            ("Product", facts["product"]),
            ("Label", facts["severity_label"]),
            ("Generator", facts["generator"]),
        ],
    )


def _generic(facts: Facts, summary: str, label: str) -> Told:
    return Told(
        label,
        facts["title"] or summary or label,
        prose=facts["description"] or summary,
        details=facts.others(["title", "description"])[:_OTHERS],
    )


def _raised(body: Mapping[str, Any], summary: str, zone: str) -> Told:
    window = body.get("window")
    bounds = [moment(window.get(name), zone) for name in ("since_us", "until_us")] if isinstance(window, dict) else []
    return Told(
        "Alert",
        said(body.get("title")) or summary or "alert",
        details=[
            ("Rule", _rule(body, "rule_version")),
            ("Count", said(body.get("count"))),
            ("Window", joined(" to ", *bounds)),
            ("Last finding", moment(body.get("last_us"), zone)),
            ("Run over history", said(body.get("run_id")) if body.get("backfilled") else ""),
            *pairs(body.get("group")),
            *pairs(body.get("labels")),
        ],
    )


def _changed(body: Mapping[str, Any], summary: str, _zone: str) -> Told:
    return Told(
        "Alert",
        summary or "alert",
        prose=said(body.get("comment")),
        details=[("By", _by(body)), ("Alert", said(body.get("alert_id")))],
    )


def _by(body: Mapping[str, Any]) -> str:
    """Who did something to an alert. People's names are not at hand here, and an id says nothing to a reader."""
    by = said(body.get("by"))
    return "a person" if _UUID.fullmatch(by) else by or ("a finding" if body.get("event_id") else "")


def _switched_off(body: Mapping[str, Any], summary: str, _zone: str) -> Told:
    rule = _rule(body, "version")
    return Told(
        "Rule switched off",
        f"{rule} is switched off" if rule else summary or "a rule is switched off",
        prose="It judges nothing any more until a new version of it is published.",
        details=[
            ("Reason", said(body.get("reason"))),
            ("Detail", said(body.get("detail"))),
            ("At the finding", said(body.get("event_id"))),
        ],
    )


def _deployed(body: Mapping[str, Any], summary: str, _zone: str) -> Told:
    return Told(
        "Agent deployment",
        summary or "agent deployment",
        details=[(name.capitalize(), said(body.get(name))) for name in ("status", "version", "reason")],
    )


def _went_silent(body: Mapping[str, Any], summary: str, zone: str) -> Told:
    return Told(
        "Silent agent", summary or "silent agent", details=[("Last heartbeat", moment(body.get("last_heartbeat_us"), zone))]
    )


def _rule(body: Mapping[str, Any], version: str) -> str:
    number = said(body.get(version))
    return said(body.get("rule_id")) + (f", version {number}" if number else "")


_KINDS: Final[Mapping[str, Callable[[Facts, str], Told]]] = {
    "cloudwatch_alarm": _alarm,
    "guardduty": _guardduty,
    "health": _health,
    "cloudformation": _cloudformation,
    "agent_logs": _agent_logs,
    "securityhub": _securityhub,
}
_TYPES: Final[Mapping[str, Callable[[Mapping[str, Any], str, str], Told]]] = {
    "alert.raised": _raised,
    "alert.acknowledged": _changed,
    "alert.resolved": _changed,
    "alert.reopened": _changed,
    "alert.withdrawn": _changed,
    "rule.switched_off": _switched_off,
    "agent.deployed": _deployed,
    "agent.went_silent": _went_silent,
}
_NOUNS: Final = {
    "cloudwatch_alarm": "alarm",
    "guardduty": "GuardDuty finding",
    "health": "Health event",
    "cloudformation": "deployment step",
    "agent_logs": "log error",
    "securityhub": "Security Hub finding",
    "alert": "alert",
    "rule.switched_off": "switched-off rule",
    "agent.deployed": "agent deployment",
    "agent.went_silent": "silent agent",
}
