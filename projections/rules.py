"""Which rules there are: every version of each, for which findings it is in force, and what became of it.

Key:    the rule (the event's subject, ``rule/<rule_id>``).
Order:  log order within a rule, for what people do; when a version was switched off is told by that event's own time.
Replay: folding the log again gives equal rows.

Documents: ``rule/<id>`` is the rule with all its versions, in short; ``text/<id>/<number>`` what the author of one wrote, so that
a long history makes no document large. A version never changes but in when it ends.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final, Literal

from pipeline.log.port import Batch
from projections.projection import Changes, Document, Rows
from schemas.envelope import MAX_TIME_US, Envelope
from schemas.registry import REGISTRY
from schemas.rules import RulePublished, RuleReprocessed, RuleRetired, RuleSwitchedOff

RULES: Final = "rule"
"""The kind of the documents that are rules."""
RUNS_KEPT: Final = 20
"""Of a rule: the last ones."""

Ended = Literal["", "replaced", "retired", "switched_off"]
RuleStatus = Literal["in_force", "retired", "switched_off"]
Told = RulePublished | RuleRetired | RuleSwitchedOff | RuleReprocessed


@dataclass(frozen=True, slots=True)
class RuleVersion:
    """A version of a rule, in force for findings that happened from ``since_us`` on and before ``until_us``.

    ``ended`` says why it is in force no more ("": it is, and ``until_us`` is ``MAX_TIME_US``); of one that was switched off,
    ``reason``, ``detail`` and ``cause`` (a finding's id) tell what went wrong. ``published`` is the id of the event that told it.
    ``text`` and ``comment`` are empty where only what stands in short was asked for.
    """

    rule_id: str
    number: int
    title: str
    severity: int
    by: str
    published: str
    since_us: int
    until_us: int = MAX_TIME_US
    ended: Ended = ""
    reason: str = ""
    detail: str = ""
    cause: str = ""
    text: str = ""
    comment: str = ""


@dataclass(frozen=True, slots=True)
class RuleRun:
    """A run that judged history by a version and told its alerts; see ``schemas.rules.RuleReprocessed``."""

    run_id: str
    version: int
    since_us: int
    until_us: int
    judged: int
    raised: int
    standing: int
    withdrawn: int
    by: str
    time_us: int


@dataclass(frozen=True, slots=True)
class KnownRule:
    """A rule: its versions, oldest first and at least one, without texts; its last runs, oldest first.

    ``revision`` is that of what people did to it, ``updated_us`` when the last of all that was told of it happened.
    """

    id: str
    status: RuleStatus
    revision: int
    updated_us: int
    versions: tuple[RuleVersion, ...]
    runs: tuple[RuleRun, ...] = ()

    @property
    def newest(self) -> RuleVersion:
        """The version that was published last."""
        return self.versions[-1]


class Rules:
    """The fold."""

    name: ClassVar[str] = "rules"
    version: ClassVar[int] = 1
    folds: ClassVar[Mapping[str, int]] = {
        "rule.published": 1,
        "rule.retired": 1,
        "rule.switched_off": 1,
        "rule.reprocessed": 1,
    }

    def parking_key(self, batch: Batch, index: int) -> str:
        """A rule's later events wait behind one that cannot be folded."""
        return batch.columns.subject[index]

    def fold(self, rows: Rows, batch: Batch) -> Changes:
        """Fold event by event. Raises ``KeyError`` on an event of a rule, or a version, that was never published."""
        documents = rows.documents(set(batch.columns.subject))
        for index, subject in enumerate(batch.columns.subject):
            event = batch.envelope(index)
            body: Any = REGISTRY.parse(event)  # what is folded has one version
            if isinstance(body, RulePublished):
                documents.setdefault(subject, {"id": body.rule_id, "retired": False, "revision": 0, "versions": [], "runs": []})
                documents[_text(body.rule_id, body.version)] = {"text": body.text, "comment": body.comment}
            _fold(documents[subject], body, event)
        return Changes(documents=documents)


def _fold(rule: Document, body: Told, event: Envelope) -> None:
    rule["updated_us"] = max(event.time_us, rule.get("updated_us", 0))
    match body:
        case RulePublished():
            _end(rule["versions"][-1:], body.since_us, "replaced")
            rule["versions"].append(_begun(body, event))
            rule |= {"revision": body.revision, "retired": False}
        case RuleRetired(revision=revision, until_us=until_us):
            _end(rule["versions"][-1:], until_us, "retired")
            rule |= {"revision": revision, "retired": True}
        case RuleSwitchedOff():
            version = _version(rule, body.version)
            if event.time_us < version["until_us"]:
                why = {"reason": body.reason, "detail": body.detail, "cause": body.event_id}
                version |= {"until_us": event.time_us, "ended": "switched_off", **why}
        case _:
            run = {**body.model_dump(mode="json", exclude={"rule_id"}), "time_us": event.time_us}
            rule["runs"] = [*rule["runs"], run][-RUNS_KEPT:]


def _begun(body: RulePublished, event: Envelope) -> Document:
    return {
        "number": body.version,
        "title": body.title,
        "severity": body.severity,
        "by": body.by,
        "published": event.id,
        "since_us": body.since_us,
        "until_us": MAX_TIME_US,
        "ended": "",
    }


def _end(last: list[Document], time_us: int, how: Ended) -> None:
    """End the last version, unless it has ended already."""
    for version in last:
        if not version["ended"]:
            version |= {"until_us": time_us, "ended": how}


def _version(rule: Document, number: int) -> Document:
    """A version of a rule. Raises ``KeyError``."""
    versions: dict[int, Document] = {version["number"]: version for version in rule["versions"]}
    return versions[number]


def _text(rule_id: str, number: int) -> str:
    return f"text/{rule_id}/{number}"


def found(rows: Rows, rule_id: str) -> KnownRule | None:
    """The rule of this id; None if it was never published."""
    return next(iter(known(rows.documents([f"{RULES}/{rule_id}"]).values())), None)


def known(documents: Iterable[Document]) -> list[KnownRule]:
    """The rules, by id."""
    return sorted(map(_known, documents), key=lambda rule: rule.id)


def with_texts(rows: Rows, versions: Iterable[RuleVersion], *, but: Collection[tuple[str, int]] = ()) -> list[RuleVersion]:
    """These versions with what their authors wrote; those ``but`` which (rule and number) stay without."""
    wanted = list(versions)
    texts = rows.documents([_text(v.rule_id, v.number) for v in wanted if (v.rule_id, v.number) not in but])
    return [replace(version, **texts.get(_text(version.rule_id, version.number), {})) for version in wanted]


def _known(document: Document) -> KnownRule:
    versions = tuple(RuleVersion(rule_id=document["id"], **version) for version in document["versions"])
    switched_off = versions[-1].ended == "switched_off"
    return KnownRule(
        id=document["id"],
        status="retired" if document["retired"] else "switched_off" if switched_off else "in_force",
        revision=document["revision"],
        updated_us=document["updated_us"],
        versions=versions,
        runs=tuple(RuleRun(**run) for run in document["runs"]),
    )
