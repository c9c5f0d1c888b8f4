"""What the agent in each account is doing: deployment, heartbeat, findings.

Key:    the account, kept per shard and merged on reading: latest by time (ties by event id), counts summed.
Order:  none is needed: every field keeps its latest, so that shards and late events may come as they like. What people say of an
        agent is ordered by the revision of their entry.
Replay: folding the log again gives equal rows.
Silence is computed on reading, with ``now`` as an argument. The version is the latest that was told: events of the agent's stack
tell none.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final

from pipeline.log.port import Batch, Columns
from projections.projection import Changes, Document, Rows
from projections.reading import AgentStatus
from schemas.agents import AgentBeat, AgentDeployed, AgentRegistered, AgentRemoved, AgentUpdated
from schemas.envelope import Envelope
from schemas.registry import REGISTRY

SILENT_AFTER_US: Final = 600_000_000
"""An active agent without a heartbeat for ten minutes (two missed beats of five) is offline."""

_FINDING: Final = "finding.observed"
_SEVERITIES: Final = 5
_SAID: Final = ("name", "description", "contact", "enabled")


class AgentStatuses:
    """The fold. A document holds ``[time_us, id, value]`` stamps, so that the latest wins wherever it came from."""

    name: ClassVar[str] = "agent_status"
    version: ClassVar[int] = 2
    folds: ClassVar[Mapping[str, int]] = {
        "finding.observed": 1,
        "agent.deployed": 1,
        "agent.beat": 1,
        "agent.registered": 1,
        "agent.updated": 1,
        "agent.removed": 1,
    }

    def parking_key(self, batch: Batch, index: int) -> str:
        """All that concerns one account waits together."""
        return batch.columns.account[index]

    def fold(self, rows: Rows, batch: Batch) -> Changes:
        """Fold findings (many) by their headers, then the agents' own events one by one, in the order in which bodies lie."""
        c = batch.columns
        accounts = set(c.account) - {""}
        documents = rows.documents([_key(account, batch.shard) for account in accounts])
        changed: dict[str, Document] = {
            account: documents.get(_key(account, batch.shard)) or {"account": account, "counts": [0] * _SEVERITIES}
            for account in accounts
        }
        _fold_findings(changed, c)
        for index, kind in enumerate(c.type):
            if kind != _FINDING and c.account[index]:
                _fold_agent(changed[c.account[index]], batch.envelope(index))
        return Changes(documents={_key(account, batch.shard): document for account, document in changed.items()})


def _key(account: str, shard: str) -> str:
    return f"{account}@{shard}"


def _fold_findings(documents: Mapping[str, Document], c: Columns) -> None:
    latest: dict[tuple[str, str], tuple[int, str]] = {}
    for key, stamp in zip(zip(c.type, c.account, strict=True), zip(c.time_us, c.id, strict=True), strict=True):
        if key not in latest or latest[key] < stamp:
            latest[key] = stamp
    for (kind, account), (time_us, event_id) in latest.items():
        if kind == _FINDING and account:
            _keep_latest(documents[account], "finding", [time_us, event_id, None])
    for (kind, account, severity), count in Counter(zip(c.type, c.account, c.severity, strict=True)).items():
        if kind == _FINDING and account:
            documents[account]["counts"][severity] += count


def _fold_agent(document: Document, event: Envelope) -> None:
    stamp = [event.time_us, event.id]
    match REGISTRY.parse(event):
        case AgentBeat(version=version):
            _keep_latest(document, "beat", [*stamp, {"version": version, "region": event.region}])
        case AgentDeployed(status=told, version=version):
            _keep_latest(document, "deployed", [*stamp, {"status": told, "version": version, "region": event.region}])
            if told == "active":
                _keep_latest(document, "active", [*stamp, None])
        case AgentRegistered() as body:
            entry = body.model_dump(exclude={"revision", "by"})
            _keep_entry(document, body.revision, {"registered": event.time_us, **entry})
        case AgentUpdated() as body:
            _keep_entry(document, body.revision, body.changes())
        case AgentRemoved(revision=revision):
            _keep_entry(document, revision, {"removed": event.time_us})


def _keep_entry(document: Document, revision: int, fields: Mapping[str, Any]) -> None:
    """Each field of the registry's entry keeps the value of its latest revision."""
    entry = document.setdefault("entry", {})
    for field, value in fields.items():
        if field not in entry or entry[field][0] < revision:
            entry[field] = [revision, value]


def _keep_latest(document: Document, field: str, stamped: list[Any]) -> None:
    known = document.get(field)
    if known is None or stamped[:2] > known[:2]:
        document[field] = stamped


def merged(documents: Iterable[Document]) -> list[Document]:
    """One document an account: stamps keep their latest, counts add up. By account."""
    accounts: dict[str, Document] = {}
    for document in documents:
        whole = accounts.setdefault(document["account"], {"account": document["account"], "counts": [0] * _SEVERITIES})
        whole["counts"] = [a + b for a, b in zip(whole["counts"], document["counts"], strict=True)]
        for field in ("finding", "beat", "deployed", "active"):
            if field in document:
                _keep_latest(whole, field, document[field])
        for field, (revision, value) in document.get("entry", {}).items():
            _keep_entry(whole, revision, {field: value})
    return [accounts[account] for account in sorted(accounts)]


def gone(document: Document) -> bool:
    """Whether the agent was removed, and gave no sign of life since."""
    entry = document.get("entry", {})
    if _is_registered(entry) or "removed" not in entry:
        return False
    signs = (document.get(field) for field in ("finding", "beat", "deployed"))
    return all(stamp[0] <= entry["removed"][1] for stamp in signs if stamp)


def _is_registered(entry: Mapping[str, Any]) -> bool:
    return bool(entry.get("registered", (0,))[0] > entry.get("removed", (0,))[0])


def status(document: Document, *, now_us: int) -> AgentStatus:
    """What a merged document means at ``now_us``."""
    deployed, beat, active = (document.get(field) for field in ("deployed", "beat", "active"))
    told = [
        stamp[2] for stamp in sorted((stamp for stamp in (beat, deployed) if stamp), key=lambda stamp: stamp[:2], reverse=True)
    ]
    state = deployed[2]["status"] if deployed else "active" if beat else "unregistered"
    alive_us = max((stamp[0] for stamp in (beat, active) if stamp), default=0)
    if state == "active" and now_us - alive_us > SILENT_AFTER_US:
        state = "offline"
    entry = document.get("entry", {})
    registered = _is_registered(entry)
    said = {field: entry[field][1] for field in _SAID} if registered else {}
    if registered and state == "unregistered":
        state = "pending"
    if not said.get("enabled", True):
        state = "disabled"
    return AgentStatus(
        account=document["account"],
        region=told[0]["region"] if told else "",
        status=state,
        version=next((stamped["version"] for stamped in told if stamped["version"]), ""),
        deployed_at_us=active[0] if active else None,
        last_heartbeat_us=beat[0] if beat else None,
        last_finding_us=document["finding"][0] if "finding" in document else None,
        counts=dict(enumerate(document["counts"])),
        registered=registered,
        revision=max((revision for revision, _ in entry.values()), default=0),
        **said,
    )
