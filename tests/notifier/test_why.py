"""Why somebody was, or was not, told of an event: for every way in which that can come about, one sentence and the chain."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from consumers.notifier import item
from consumers.notifier.groups.state import WATCHED, Group, GroupKey, Member
from consumers.notifier.ledger.port import Wanted
from consumers.notifier.notice import DIGEST, Cause, Key, Notice, Reason, State
from consumers.notifier.retry import Pace
from consumers.notifier.routing.tree import Matcher, Policies, Route, Routing
from consumers.notifier.why.explain import Explanation, explain
from consumers.notifier.why.known import gather
from consumers.notifier.why.sentence import Verdict
from pipeline.log.port import Position, Record
from projections.alert_pages import Alert, AlertPage, AlertQuery
from projections.event_index import Entry
from schemas.envelope import Envelope
from tests.reports.readings import MadeUp
from tests.support.facts import MORNING_US, alert, alert_id, beat, finding

NOW_US = MORNING_US + 3_600_000_000
AT = Position("s", 7)
GROUP = GroupKey("findings", 'source="x"')


def asks(text: str, holds: Any) -> Matcher:
    return Matcher(text, text.partition("=")[0].rstrip("><"), holds)


HIGH = asks("severity>=HIGH", lambda value: value in ("HIGH", "CRITICAL"))
GUARD = asks("source=aws.guardduty", lambda value: value == "aws.guardduty")
WANTS = Route("findings", "ops", ("root", "findings"), (HIGH,), group_by=("source",))
PAGES = Route("pages", "pager", ("root", "pages"), (HIGH, GUARD))
ROUTING = Routing(Route("root", "", ("root",), children=(PAGES, WANTS)))


@dataclass
class Book:
    """A ledger that a test makes up."""

    read_to: Mapping[str, Position] | None = field(default_factory=lambda: {"s": AT})
    began_at: Mapping[str, Position] = field(default_factory=dict)
    kept: list[Notice] = field(default_factory=list)
    memory: list[tuple[Group, Sequence[Member]]] = field(default_factory=list)
    paces: Mapping[str, Pace] = field(default_factory=dict)

    def marks(self) -> Mapping[str, Position] | None:
        return self.read_to

    def live_mark(self) -> Mapping[str, Position] | None:
        return self.began_at

    def notices(self, wanted: Wanted) -> list[Notice]:
        named = [n for n in self.kept if n.key.route != DIGEST and any(c.event_id == wanted.event_id for c in n.causes)]
        return named[: wanted.limit]

    def get(self, key: Key) -> Notice | None:
        return next((notice for notice in self.kept if notice.key == key), None)

    def groups(self) -> Iterable[tuple[Group, Sequence[Member]]]:
        return self.memory

    def pace(self, channel: str) -> Pace:
        return self.paces.get(channel, Pace())


@dataclass
class Judged:
    """Alerts that a test makes up."""

    known: Sequence[Alert] = ()

    def alerts(self, query: AlertQuery) -> AlertPage:
        assert query.since_us is not None
        assert query.until_us is not None
        return AlertPage(tuple(a for a in self.known if query.since_us <= a.time_us < query.until_us), "")

    def alert(self, wanted: str) -> tuple[Alert, list[Any]] | None:
        return next(((known, []) for known in self.known if known.id == wanted), None)


def notice(event: Envelope, state: State, reason: Reason, **more: Any) -> Notice:
    known: dict[str, Any] = {
        "key": Key(*GROUP, 1),
        "channel": "ops",
        "causes": (Cause(event.id, AT),),
        "state": state,
        "reason": reason,
        "decided_us": NOW_US,
        "due_us": NOW_US,
        "changed_us": NOW_US,
        "why": Reason.NEWLY_FIRING,
        "path": ("root", "findings"),
    }
    return Notice(**known | more)


def names(user_ids: Collection[str]) -> Mapping[str, str]:
    return {user_id: user_id.capitalize() for user_id in user_ids}


def why(event: Envelope, book: Book, *, alerts: Sequence[Alert] = (), entries: Sequence[Entry] = ()) -> Explanation:
    reading: Any = MadeUp(entries=list(entries))
    judged: Any = Judged(alerts)
    return explain(gather(Record(AT, NOW_US, event), book, reading, judged, Policies(ROUTING), now_us=NOW_US, names=names))


def some_alert(*event_ids: str) -> Alert:
    return Alert(
        id=alert_id(1),
        status="open",
        revision=0,
        rule_id="storm",
        rule_version=2,
        title="A storm",
        severity=3,
        labels={},
        group={},
        window_us=None,
        count=len(event_ids),
        event_ids=event_ids,
        last_us=MORNING_US,
        time_us=MORNING_US,
        raised_us=MORNING_US,
        updated_us=MORNING_US,
        account="",
        region="",
        resources=(),
        backfilled=False,
        run_id="",
        raised="1-a",
        correlation_id="",
    )


UNSURE = "as the outcome of an earlier attempt is unknown"
REPEATED = f"{UNSURE}, because it had fired on, unchanged, for as long as its route waits before it repeats; route findings"
DEAD = "it is a dead letter of ops, which can be redriven; route root → findings"
WANTED = finding(1, severity=3, source_id="envelope-1")


@pytest.mark.parametrize(
    ("decided", "verdict", "sentence"),
    [
        (
            notice(WANTED, State.SENT, Reason.DELIVERED),
            Verdict.TOLD,
            "Told: ops got it at 2024-05-01 01:00:00Z, because it was news for its group; route root → findings.",
        ),
        (
            notice(WANTED, State.SENT, Reason.DELIVERED, unsure=True, why=Reason.REPEATED, path=()),
            Verdict.TOLD,
            f"Told: ops got it at 2024-05-01 01:00:00Z, perhaps twice, {REPEATED}.",
        ),
        (
            notice(WANTED, State.SENDING, Reason.NEWLY_FIRING, attempt=2),
            Verdict.SENDING,
            "A message to ops is on its way, attempt 2; route root → findings.",
        ),
        (
            notice(WANTED, State.PENDING, Reason.NEWLY_FIRING),
            Verdict.SENDING,
            "To be told to ops from 2024-05-01 01:00:00Z on: it waits for its turn; route root → findings.",
        ),
        (
            notice(WANTED, State.PENDING, Reason.RATE_LIMITED, detail="60 s", attempt=1),
            Verdict.SENDING,
            "To be told to ops from 2024-05-01 01:00:00Z on: the channel asked to wait (60 s); route root → findings.",
        ),
        (
            notice(WANTED, State.FAILED, Reason.REFUSED, detail="404"),
            Verdict.FAILED,
            f"Not told: the channel will not take this message (404); {DEAD}.",
        ),
        (
            notice(WANTED, State.SUPPRESSED, Reason.SILENCED, detail="by ada until noon"),
            Verdict.HELD,
            "Not told to ops at 2024-05-01 01:00:00Z: somebody silenced it (by ada until noon); route root → findings.",
        ),
        (
            notice(WANTED, State.SUPPRESSED, Reason.NO_CHANNEL, channel=""),
            Verdict.HELD,
            "Not told to anybody at 2024-05-01 01:00:00Z: there is no such channel, or it has no address; route root → findings.",
        ),
        (
            notice(WANTED, State.MERGED, Reason.IN_DIGEST, merged_into=Key(DIGEST, "ops", 9)),
            Verdict.TOLD,
            "In a digest of ops, of which nothing is known any more.",
        ),
    ],
    ids=lambda value: str(value) if isinstance(value, Verdict) else "",
)
def test_a_notice_says_what_became_of_it(decided: Notice, verdict: Verdict, sentence: str) -> None:
    told = why(WANTED, Book(kept=[decided]))

    assert (told.verdict, told.sentence) == (verdict, sentence)
    assert told.notices == (decided,)


@pytest.mark.parametrize("reason", list(Reason))
@pytest.mark.parametrize("state", list(State))
def test_whatever_a_notice_is_there_is_a_sentence(state: State, reason: Reason) -> None:
    told = why(WANTED, Book(kept=[notice(WANTED, state, reason, why=reason)]))

    assert told.sentence.endswith(".")
    assert "_" not in told.sentence


def test_a_digest_s_fate_is_that_of_what_it_took_over() -> None:
    first, last = Key(DIGEST, "ops", 1), Key(DIGEST, "ops", 2)
    merged = notice(WANTED, State.MERGED, Reason.IN_DIGEST, merged_into=first)
    digests = [
        notice(WANTED, State.MERGED, Reason.IN_DIGEST, key=first, merged_into=last),
        notice(WANTED, State.SENT, Reason.DELIVERED, key=last, why=Reason.STORM, path=()),
    ]

    told = why(WANTED, Book(kept=[merged, *digests]))

    assert told.verdict is Verdict.TOLD
    assert told.sentence == (
        "In a digest of ops: told: ops got it at 2024-05-01 01:00:00Z, because more waited than the channel could take in time; "
        "route digest."
    )
    assert [link.id for link in told.chain if link.kind == "digest"] == [str(first), str(last)]


def test_of_several_notices_one_of_each_route_is_told_and_the_others_are_counted() -> None:
    held = notice(
        WANTED, State.SUPPRESSED, Reason.OUT_OF_HOURS, key=Key("pages", "all", 3), channel="pager", path=("root", "pages")
    )
    sent = notice(WANTED, State.SENT, Reason.DELIVERED)

    both = why(WANTED, Book(kept=[held, sent]))
    assert both.verdict is Verdict.TOLD
    assert both.sentence == (
        "Told: ops got it at 2024-05-01 01:00:00Z, because it was news for its group; route root → findings. "
        "Not told to pager at 2024-05-01 01:00:00Z: its route does not speak at that time; route root → pages."
    )
    assert why(WANTED, Book(kept=[held, held, sent])).sentence.endswith("route root → pages. There is 1 more notice of it.")
    assert why(WANTED, Book(kept=[held, held, held, sent])).sentence.endswith("There are 2 more notices of it.")


def test_what_was_told_by_one_route_and_waits_in_another_is_told_as_both(monkeypatch: pytest.MonkeyPatch) -> None:
    both = Routing(Route("root", "", ("root",), children=(replace(WANTS, go_on=True), replace(PAGES, matchers=(HIGH,)))))
    monkeypatch.setattr(f"{__name__}.ROUTING", both)
    waits = Group(GroupKey("pages", "all"), NOW_US, NOW_US + 30_000_000)
    memory = [(Group(GROUP, NOW_US, NOW_US), [member(WANTED, told=True)]), (waits, [member(WANTED)])]
    there = "group all of route pages, which is looked at next at 2024-05-01 01:00:30Z."

    told = why(WANTED, Book(kept=[notice(WANTED, State.SENT, Reason.DELIVERED)], memory=[*memory]))
    assert told.sentence.endswith(f"route root → findings. Waits in {there}")
    untold = [(Group(GROUP, NOW_US, NOW_US), [member(WANTED)]), memory[1]]
    assert why(WANTED, Book(memory=[*untold])).sentence.endswith(f"; Waits in {there}".replace("; W", "; w"))


def test_the_chain_leads_from_the_raw_envelope_to_the_notice() -> None:
    chain = why(WANTED, Book(kept=[notice(WANTED, State.SENT, Reason.DELIVERED)]), alerts=[some_alert(WANTED.id, "x")]).chain

    assert [(link.kind, link.id) for link in chain] == [
        ("raw", "envelope-1"),
        ("finding", WANTED.id),
        ("rule", "storm/2"),
        ("alert", alert_id(1)),
        ("route", "findings"),
        ("group", GROUP.values),
        ("notice", str(Key(*GROUP, 1))),
    ]


def test_the_chain_of_an_alert_begins_with_its_findings() -> None:
    entry = Entry(
        id=WANTED.id,
        type=WANTED.type,
        time_us=WANTED.time_us,
        recorded_us=NOW_US,
        source=WANTED.source,
        account="",
        region="",
        subject="s",
        severity=3,
        summary="Finding 1",
        resources=(),
        source_id="envelope-1",
        position=AT,
    )
    raised = replace(alert("raised", MORNING_US, 1, severity=3), causation_id=WANTED.id)

    other = replace(entry, id="1-other", source_id="")
    chain = why(raised, Book(), alerts=[some_alert(WANTED.id, other.id)], entries=[entry, other]).chain

    assert [link.kind for link in chain] == ["raw", "finding", "finding", "event", "event", "rule", "alert", "route", "group"]
    assert chain[1].text == "2024-05-01 00:01:00Z monitoring.test: Finding 1"
    assert chain[-2].text == "root → findings, to ops"


def test_an_alert_that_no_projection_knows_is_explained_all_the_same() -> None:
    assert [link.kind for link in why(alert("raised", MORNING_US, 1, severity=3), Book()).chain] == ["event", "route", "group"]


def test_a_run_s_alert_says_so_in_the_chain() -> None:
    backfilled = replace(some_alert(), backfilled=True, run_id="r1")

    told = why(alert("raised", MORNING_US, 1, notify=False), Book(), alerts=[backfilled])

    assert (told.verdict, told.sentence) == (Verdict.NEVER, "A run over history raised this alert, and such runs tell nobody.")
    assert "raised by the run r1 over history" in told.chain[-1].text


def test_of_some_events_nobody_is_ever_told() -> None:
    told = why(beat(MORNING_US), Book())

    assert (told.verdict, told.sentence) == (Verdict.NEVER, "Nobody is told of events of the type agent.beat.")
    assert told.asked == ()


@pytest.mark.parametrize(
    ("read_to", "sentence"),
    [
        (None, "No notifier has begun here, so nobody is told of anything."),
        ({}, "The notifier has not come to it yet."),
        ({"s": Position("s", 6)}, "The notifier has not come to it yet."),
    ],
)
def test_what_the_notifier_has_not_read_is_told_as_that(read_to: Mapping[str, Position] | None, sentence: str) -> None:
    told = why(WANTED, Book(read_to=read_to))

    assert (told.verdict, told.sentence) == (Verdict.UNREAD, sentence)


@pytest.mark.parametrize(("mark", "verdict"), [(6, Verdict.UNKNOWN), (7, Verdict.BEFORE), (8, Verdict.BEFORE)])
def test_what_stood_on_the_log_before_the_notifier_is_told_as_that(mark: int, verdict: Verdict) -> None:
    assert why(WANTED, Book(began_at={"s": Position("s", mark)})).verdict is verdict


def member(event: Envelope, **more: Any) -> Member:
    found = item.of(event, AT)
    assert found is not None
    return Member(found.fingerprint, found.cause, NOW_US, found.fields, **more)


def test_what_waits_in_a_group_is_told_with_when_that_is_looked_at() -> None:
    group = Group(GROUP, NOW_US, NOW_US + 30_000_000)

    told = why(WANTED, Book(memory=[(group, [member(finding(9, severity=3)), member(WANTED)])]))

    assert told.verdict is Verdict.WAITING
    assert told.sentence == 'Waits in group source="x" of route findings, which is looked at next at 2024-05-01 01:00:30Z.'


@pytest.mark.parametrize(
    ("key", "state", "more"),
    [
        (GROUP, {}, "; it fires on, and is told once nothing holds it any more"),
        (GROUP, {"told": True}, ""),
        (GROUP, {"resolved": True}, ""),
        (WATCHED, {}, ""),
    ],
)
def test_what_is_held_for_now_may_still_be_told(key: GroupKey, state: dict[str, bool], more: str) -> None:
    raised = alert("raised", MORNING_US, 1, severity=3)
    held = notice(raised, State.SUPPRESSED, Reason.SILENCED)

    told = why(raised, Book(kept=[held], memory=[(Group(key, NOW_US, NOW_US), [member(raised, **state)])]))

    assert told.sentence == f"Not told to ops at 2024-05-01 01:00:00Z: somebody silenced it; route root → findings{more}."


def test_what_no_route_wants_is_told_with_what_the_nearest_asks_for() -> None:
    told = why(finding(1), Book())

    assert told.verdict is Verdict.UNWANTED
    assert told.sentence == (
        "Not told: no route wants it: the route root → findings asks for severity>=HIGH (it is MEDIUM); "
        "the other routes, too, ask for something else."
    )
    assert [(each.route.name, len(each.failed), each.decides) for each in told.asked] == [
        ("root", 0, True),
        ("pages", 2, False),
        ("findings", 1, False),
    ]


def test_a_field_that_is_missing_is_told_as_that(monkeypatch: pytest.MonkeyPatch) -> None:
    only = Route("teams", "ops", ("root", "teams"), (asks("label.team=core", bool),))
    monkeypatch.setattr(f"{__name__}.ROUTING", Routing(Route("root", "", ("root",), children=(only,))))

    assert why(finding(1), Book()).sentence == (
        "Not told: no route wants it: the route root → teams asks for label.team=core (it has none)."
    )


def test_a_routing_that_tells_nobody_is_told_as_that(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = Route("quiet", "", ("root", "quiet"), (HIGH,))
    monkeypatch.setattr(f"{__name__}.ROUTING", Routing(Route("root", "", ("root",), children=(silent,))))

    assert why(finding(1), Book()).sentence == "Not told: no route wants it: where it goes nobody is told of anything."


def test_what_ends_something_that_fires_for_nobody_is_told_as_that() -> None:
    told = why(alert("resolved", MORNING_US, 1), Book())

    assert told.sentence.startswith("Not told: it ends what fires for nobody, and no route wants it by itself: the route")


def test_what_left_no_trace_is_not_made_up() -> None:
    told = why(WANTED, Book())

    assert told.verdict is Verdict.UNKNOWN
    assert "forgotten with time" in told.sentence
    assert [(link.kind, link.id) for link in told.chain][-2:] == [("route", "findings"), ("group", 'source="monitoring.test"')]


def test_what_was_told_does_not_wait() -> None:
    told = member(WANTED, told=True)

    assert why(WANTED, Book(memory=[(Group(GROUP, NOW_US, NOW_US), [told])])).verdict is Verdict.UNKNOWN


def test_a_notice_of_what_is_long_over_needs_no_look_at_the_groups() -> None:
    class Never(Book):
        def groups(self) -> Iterable[tuple[Group, Sequence[Member]]]:
            raise NotImplementedError

    assert why(WANTED, Never(kept=[notice(WANTED, State.SENT, Reason.DELIVERED)])).verdict is Verdict.TOLD


def of_the_alert(state: State, reason: Reason) -> Notice:
    """A notice about the event that raised ``some_alert``."""
    return replace(notice(WANTED, state, reason, key=Key("alerts", "all", 5)), causes=(Cause("1-a", AT),))


ALERT = f"alert {alert_id(1)} (A storm)"
SENT = "ops got it at 2024-05-01 01:00:00Z, because it was news for its group; route root → findings."


def test_a_finding_that_no_route_wants_is_told_by_way_of_its_alert() -> None:
    unwanted = finding(1)
    told_of_alert = of_the_alert(State.SENT, Reason.DELIVERED)

    told = why(unwanted, Book(kept=[told_of_alert]), alerts=[some_alert(unwanted.id)])

    assert told.verdict is Verdict.TOLD
    assert told.sentence == f"Told by way of {ALERT}: {SENT}"
    assert [link.kind for link in told.chain] == [
        "raw", "finding", "rule", "alert", "route", "group", "notice",
    ]  # fmt: skip
    assert told.chain[-1].id == "alerts/all/5"


def test_what_told_less_than_its_alert_says_so_of_itself_too() -> None:
    held = notice(WANTED, State.SUPPRESSED, Reason.SILENCED)

    told = why(WANTED, Book(kept=[held, of_the_alert(State.SENT, Reason.DELIVERED)]), alerts=[some_alert(WANTED.id)])

    assert told.sentence.startswith(f"Told by way of {ALERT}: {SENT} By itself: not told to ops at")


def test_what_told_more_than_its_alert_is_told_by_itself() -> None:
    sent = notice(WANTED, State.SENT, Reason.DELIVERED)

    told = why(WANTED, Book(kept=[sent, of_the_alert(State.FAILED, Reason.REFUSED)]), alerts=[some_alert(WANTED.id)])

    assert told.sentence == f"Told: {SENT}"


def test_an_alert_that_is_held_holds_its_finding() -> None:
    kept = [of_the_alert(State.SUPPRESSED, Reason.SILENCED)]

    told = why(finding(1), Book(kept=kept), alerts=[some_alert(finding(1).id)])

    assert told.verdict is Verdict.HELD
    assert told.sentence.startswith(f"By way of {ALERT}: not told to ops at 2024-05-01 01:00:00Z: somebody silenced it")


def test_who_silenced_something_is_told_by_name() -> None:
    held = notice(
        WANTED, State.SUPPRESSED, Reason.SILENCED, detail="silence 1-s by ada until 2024-05-01 02:00:00Z: a test by ada"
    )

    told = why(WANTED, Book(kept=[held]))

    silenced = "somebody silenced it (silence 1-s by Ada until 2024-05-01 02:00:00Z: a test by ada)"
    assert told.sentence == f"Not told to ops at 2024-05-01 01:00:00Z: {silenced}; route root → findings."
    assert told.notices[0].detail.startswith("silence 1-s by Ada until")
    assert silenced in told.chain[-1].text


def test_an_alert_that_waits_makes_its_finding_wait() -> None:
    raised = alert("raised", MORNING_US, 1, severity=3)
    waits = Group(GROUP, NOW_US, NOW_US + 30_000_000)

    told = why(finding(1), Book(memory=[(waits, [member(raised)])]), alerts=[some_alert(finding(1).id)])

    assert told.verdict is Verdict.WAITING
    assert told.sentence.startswith(f'By way of {ALERT}: waits in group source="x" of route findings')


def test_an_alert_of_which_nothing_is_known_leaves_the_finding_unwanted() -> None:
    assert why(finding(1), Book(), alerts=[some_alert(finding(1).id)]).verdict is Verdict.UNWANTED


@pytest.mark.parametrize(
    ("attempt", "own"), [(0, ""), (2, "; its own last attempt: the channel could not be reached, or failed (500)")]
)
def test_what_waits_for_a_channel_that_is_down_says_so_and_when_that_is_tried_again(attempt: int, own: str) -> None:
    waits = notice(WANTED, State.PENDING, Reason.UNAVAILABLE, detail="500", attempt=attempt)

    told = why(WANTED, Book(kept=[waits], paces={"ops": Pace(NOW_US + 60_000_000, 4)}))

    down = "ops failed 4 times in a row, and is tried again at 2024-05-01 01:01:00Z"
    assert (told.verdict, told.sentence) == (Verdict.SENDING, f"Waits for ops: {down}{own}; route root → findings.")
