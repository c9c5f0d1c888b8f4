"""The explanation as a whole: verdict, sentence, and the chain from the raw input to the notices. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from consumers.notifier.groups.naming import homes
from consumers.notifier.moment import moment
from consumers.notifier.notice import Key, Notice
from consumers.notifier.routing.tree import Fields
from consumers.notifier.routing.walk import Step, walk
from consumers.notifier.why.known import Known
from consumers.notifier.why.sentence import Verdict, digests_of, of_notice, path_of, said
from projections.alert_pages import Alert


@dataclass(frozen=True, slots=True)
class Link:
    """One link of the chain. ``kind`` is raw, finding, event, rule, alert, route, group, notice or digest."""

    kind: str
    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why somebody was, or was not, told. ``asked`` are the routes that are asked about its ``fields`` now, in order.

    ``notices`` are the decisions about it, the last first.
    """

    event_id: str
    verdict: Verdict
    sentence: str
    chain: tuple[Link, ...]
    notices: tuple[Notice, ...]
    asked: tuple[Step, ...]
    fields: Fields


def explain(known: Known) -> Explanation:
    """The explanation of an event."""
    verdict, sentence = said(known)
    asked = tuple(walk(known.policies.routing, known.item.fields)) if known.item else ()
    fields = known.item.fields if known.item else {}
    return Explanation(known.record.event.id, verdict, sentence, tuple(_chain(known)), known.notices, asked, fields)


def _chain(known: Known) -> Iterator[Link]:
    yield from _origin(known)
    for alert in known.alerts:
        yield from _of_alert(alert)
        for way in known.by_way:
            if way.alert == alert:
                yield from _decided(way.notices, known.digests)
    yield from _decided(known.notices, known.digests) if known.notices else _to_be(known)


def _origin(known: Known) -> Iterator[Link]:
    event = known.record.event
    for entry in known.findings:
        if entry.source_id:
            yield Link("raw", entry.source_id, f"as {entry.source} sent it")
        yield Link("finding", entry.id, f"{moment(entry.time_us)} {entry.source}: {entry.summary}")
    if event.source_id:
        yield Link("raw", event.source_id, f"as {event.source} sent it")
    kind = "finding" if event.type.startswith("finding.") else "event"
    if kind == "event" and event.causation_id:
        yield Link("event", event.causation_id, "caused it")
    yield Link(kind, event.id, f"{moment(event.time_us)} {event.type}: {event.summary}")


def _of_alert(alert: Alert) -> Iterator[Link]:
    yield Link("rule", f"{alert.rule_id}/{alert.rule_version}", f"version {alert.rule_version} of rule {alert.rule_id}")
    how = f", raised by the run {alert.run_id} over history" if alert.backfilled else ""
    yield Link("alert", alert.id, f"{alert.status}{how}: {alert.title}, concluded from {alert.count:,} findings")


def _decided(notices: Iterable[Notice], digests: Mapping[Key, Notice]) -> Iterator[Link]:
    for notice in sorted(notices, key=lambda notice: (notice.decided_us, notice.key)):
        yield Link("route", notice.key.route, path_of(notice.path) or notice.key.route)
        yield Link("group", notice.key.group, f"of route {notice.key.route}")
        yield Link("notice", str(notice.key), of_notice(notice, digests).sentence)
        for digest in digests_of(notice, digests):
            yield Link("digest", str(digest.key), of_notice(digest, digests).sentence)


def _to_be(known: Known) -> Iterator[Link]:
    """Where it would go now."""
    if known.item is None:
        return
    for home in homes(known.policies.routing, known.item.fields, known.item.fingerprint):
        yield Link("route", home.route.name, f"{path_of(home.route.path) or home.route.name}, to {home.route.channel}")
        yield Link("group", home.key.values, f"of route {home.route.name}")
