"""A rule tried before it is published: against its own examples, and against what authors are known to get wrong.

Example events are whole findings in any form that ingest takes, or EventBridge events with some of the header left out, which is
filled in; or documents as rules see them (told by their member ``finding``).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from consumers.rules import reading
from consumers.rules.compiled import CompiledRule, compile_rule
from consumers.rules.document import TYPE, of_envelope
from consumers.rules.errors import ExampleUnreadable, RuleThrew
from consumers.rules.pattern.values import is_number
from consumers.rules.rule import Example, Rule, Version
from pipeline import recognise
from pipeline.unwrap import documents
from schemas.envelope import Envelope

_HEADER: Final[Mapping[str, Any]] = {
    "version": "0",
    "id": "00000000-0000-0000-0000-000000000000",
    "detail-type": "Example",
    "source": "aws.example",
    "account": "111122223333",
    "time": "2024-05-01T12:00:00Z",
    "region": "eu-central-1",
    "resources": [],
    "detail": {},
}
_FINDING: Final[Mapping[str, Any]] = {
    "id": "1714564800-00000000-0000-8000-8000-000000000000",
    "kind": "generic",
    "form": "eventbridge",
    "severity": 0,
    "summary": "",
    "subject": "example",
    "facts": {},
}
_TEXTS: Final = frozenset({"source", "account", "region", "detail-type", "id", "version", "time", "resources"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an example. ``fault`` is empty if it is as the author said; ``title`` is what an alert would say."""

    example: Example
    should_match: bool
    fault: str = ""
    title: str = ""


def run(rule: Rule) -> list[Outcome]:
    """Every example tried. The rule is one that ``consumers.rules.text`` read."""
    compiled = compile_rule(Version(rule, number=1))
    tried = [(example, True) for example in rule.matching] + [(example, False) for example in rule.not_matching]
    return [_outcome(compiled, example, should_match) for example, should_match in tried]


def _outcome(compiled: CompiledRule, example: Example, should_match: bool) -> Outcome:  # noqa: FBT001 - as in Outcome
    try:
        document = document_of(example.event)
        matched = compiled.matches(document)
        title = compiled.title(document) if matched else ""
        if matched and (lacks := _lacking(compiled, document)):
            return Outcome(example, should_match, lacks, title)
    except (ExampleUnreadable, RuleThrew) as broken:
        return Outcome(example, should_match, str(broken))
    if matched != should_match:
        return Outcome(example, should_match, "does not match, but should" if should_match else "matches, but should not", title)
    return Outcome(example, should_match, title=title)


def _lacking(compiled: CompiledRule, document: Mapping[str, Any]) -> str:
    rule = compiled.version.rule
    if compiled.group(document) is None:
        return f"matches, but would not count: a path of group_by ({', '.join(rule.group_by)}) has no value in it"
    if rule.threshold and rule.threshold.distinct and compiled.distinct(document) is None:
        return f"matches, but would not count: {rule.threshold.distinct} has no value in it"
    return ""


def document_of(event: Mapping[str, Any]) -> dict[str, Any]:
    """The document that rules would see. Raises ``ExampleUnreadable``."""
    if isinstance(event.get("finding"), dict):
        return {**_HEADER, **event, "finding": {**_FINDING, **event["finding"]}}
    whole = {**_HEADER, **event} if _is_bus_event(event) else event
    source = whole.get("source")
    custom = frozenset({source} if isinstance(source, str) else ())
    answers = list(recognise.events(documents.in_bytes(orjson.dumps(whole)), custom))
    findings = [answer for answer in answers if isinstance(answer, Envelope) and answer.type == TYPE]
    if len(answers) != 1 or len(findings) != 1:
        reasons = [answer.reason for answer in answers if not isinstance(answer, Envelope)]
        raise ExampleUnreadable("; ".join(reasons) or f"the event gives {len(findings)} findings; an example is exactly one")
    return of_envelope(findings[0])


def _is_bus_event(event: Mapping[str, Any]) -> bool:
    return "detail" in event and ("source" in event or "detail-type" in event)


def hints(rule: Rule) -> Iterator[str]:
    """What is accepted, but most likely not what was meant, or slow. A sentence each."""
    yield from _hints_on_patterns(rule)
    for path in reading.unguarded(rule.where, rule.match):
        yield f"where reads {path}, which may be missing, and is a fault then: write has({path}) && … before it"
    if not rule.matching:
        yield "there is no example that must match"
    if not rule.not_matching:
        yield "there is no example that must not match"
    if rule.threshold and not rule.group_by:
        yield "threshold without group_by counts over all accounts together"
    if rule.group_by and not rule.threshold and rule.resolve is None:
        yield "group_by without threshold or resolve has no effect: every finding is an alert of its own"


def _hints_on_patterns(rule: Rule) -> Iterator[str]:
    compiled = compile_rule(Version(rule, number=1))
    for name, given, pattern in (("match", rule.match, compiled.pattern), ("resolve", rule.resolve, compiled.closing)):
        if given is not None and pattern is not None:
            for key in sorted(_TEXTS & given.keys()):
                if any(is_number(value) for value in given[key]):
                    yield f"{name}.{key} has a number, but {key} is text and no number equals a text: write it in quotes"
            if not {key for key, _ in pattern.fields} & {"source", "detail-type", "finding"}:
                yield f"{name} names neither source nor detail-type: it is tried on every finding"
