"""What routes and pages ask of notifying: what the ledger holds, why an event was or was not told; and what people may do there.

Nothing here decides about notices or sends one: dead letters are redriven by the notifier, and what tries a channel is no notice.
Who is not given the channels' secrets has the notifier try them.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from consumers.api.errors import Conflict, NothingHere
from consumers.notifier.channels import trial
from consumers.notifier.channels.port import Answer, Channel
from consumers.notifier.channels.trial import NoAddress, NoSuchChannel, Unopened
from consumers.notifier.errors import ChannelsElsewhere, ChannelsRejected
from consumers.notifier.failing import Failing, Retried, failing, retry
from consumers.notifier.groups.state import Member
from consumers.notifier.ledger.port import Ledger, Wanted
from consumers.notifier.notice import Key, Notice, State
from consumers.notifier.routing.policies import policies_of
from consumers.notifier.silenced import Names, named
from consumers.notifier.why.explain import Explanation, explain
from consumers.notifier.why.known import gather
from consumers.notifier.why.sentence import of_notice
from pipeline.log.port import Log
from projections.decided import Decided
from projections.errors import CursorRejected
from projections.judged import Judged
from projections.reading import Reading


@dataclass(frozen=True, slots=True)
class Notified:
    """What a deployment has of notifying.

    ``channels`` opens them all: by name, None for one without an address. It may raise ``ChannelsElsewhere``. ``wake`` is called
    when there is something to deliver, where nothing else would wake the notifier. ``remote_trial`` tries a channel by its name,
    where the channels are not opened here.
    """

    ledger: Ledger
    channels: Callable[[], Mapping[str, Channel | None]]
    console_url: str
    wake: Callable[[], None] = lambda: None
    remote_trial: Callable[[str], trial.Ended] | None = None

    def firing(self) -> Iterable[Member]:
        """What fires now, as the notifier knows it."""
        found = {
            member.fingerprint: member
            for _, members in self.ledger.groups()
            for member in members
            if member.lasting and not member.resolved
        }
        return found.values()


def elsewhere() -> Mapping[str, Channel | None]:
    """The channels of a server that is not given their secrets. Raises ``ChannelsElsewhere``."""
    raise ChannelsElsewhere


@dataclass(frozen=True, slots=True)
class Page:
    """Notices, each with its sentence, the last decided first, and a cursor to the following page ("": there is none)."""

    items: tuple[tuple[Notice, str], ...]
    next: str


@dataclass(frozen=True, slots=True)
class ChannelState:
    """A channel. ``kind`` is "" without an address, or if it is no longer configured; ``counts`` are its notices by state."""

    name: str
    kind: str
    counts: Mapping[str, int]
    failing: Failing | None


@dataclass(frozen=True, slots=True)
class Telling:
    """The questions and the commands. All raise ``LedgerUnavailable``."""

    notified: Notified
    decided: Decided
    judged: Judged
    reading: Reading
    log: Log
    clock: Callable[[], int]
    names: Names

    def why(self, event_id: str) -> Explanation:
        """Why an event, by our id or its source's, or an alert, was or was not told. Raises ``NothingHere``."""
        now_us = self.clock()
        alert = self.judged.alert(event_id)
        event_id = alert[0].raised if alert else event_id
        entries = self.reading.event(event_id, now_us=now_us)
        record = self.log.fetch([entries[0].position])[0] if entries else None
        if record is None:
            message = "there is no such event here (any more, or not yet)"
            raise NothingHere(message)
        policies = policies_of(self.decided, ending_after_us=now_us)
        return explain(gather(record, self.notified.ledger, self.reading, self.judged, policies, now_us=now_us, names=self.names))

    def page(self, wanted: Wanted, cursor: str) -> Page:
        """A page of notices. Raises ``CursorRejected``."""
        after = _key_of(cursor) if cursor else None
        asked = Wanted(wanted.state, wanted.reason, wanted.channel, wanted.event_id, after, wanted.limit + 1)
        found = named(self.notified.ledger.notices(asked), self.names)
        shown = found[: wanted.limit]
        return Page(
            tuple((notice, self.sentence(notice)) for notice in shown),
            _cursor(shown[-1].key) if len(found) > wanted.limit else "",
        )

    def sentence(self, notice: Notice) -> str:
        """What a notice says; of one that was merged, what its digest does."""
        digests: dict[Key, Notice] = {}
        last = notice
        while last.merged_into is not None and (digest := self.notified.ledger.get(last.merged_into)) is not None:
            digests[digest.key] = last = digest
        paces = {last.channel: self.notified.ledger.pace(last.channel)} if last.state is State.PENDING else {}
        return f"{of_notice(notice, digests, paces).sentence}."

    def channels(self) -> list[ChannelState]:
        """Every channel, by name. Notices whose route is no more are of none."""
        try:
            opened = self.notified.channels()
        except ChannelsElsewhere:
            opened = {}
        counts: dict[str, dict[str, int]] = {name: {} for name in opened}
        tallies = self.notified.ledger.tallies()
        for tally in tallies:
            if tally.channel:
                counts.setdefault(tally.channel, {})[tally.state.value] = tally.count
        kinds = {name: channel.kind for name, channel in opened.items() if channel}
        down = {each.channel: each for each in failing(self.notified.ledger, tallies)}
        return [ChannelState(name, kinds.get(name, ""), counts[name], down.get(name)) for name in sorted(counts)]

    def redrive(self, keys: Iterable[Key] | None) -> int:
        """Make these dead letters, or all (None), pending again. Returns how many were."""
        now_us, ledger = self.clock(), self.notified.ledger
        redriven = ledger.redrive(None, now_us) if keys is None else sum(ledger.redrive(key, now_us) for key in keys)
        self.notified.wake()
        return redriven

    def retry(self, name: str) -> Retried:
        """Have a channel tried now. Raises ``NothingHere``."""
        names = [channel.name for channel in self.channels()]
        if name not in names:
            message = f"there is no such channel; there are {', '.join(names) or 'none'}"
            raise NothingHere(message)
        retried = retry(self.notified.ledger, name, self.clock())
        self.notified.wake()
        return retried

    def attempt(self, name: str) -> Answer:
        """Send a test message to a channel. Raises ``NothingHere``, ``Conflict``, ``ChannelsRejected``, ``ChannelsElsewhere``.

        From afar ``NotifierBusy``, ``NotifierFailed`` and ``NotifierSilent``, too.
        """
        match self._tried(name):
            case NoSuchChannel(known):
                message = f"there is no such channel; there are {', '.join(known) or 'none'}"
                raise NothingHere(message)
            case NoAddress():
                message = "this channel has no address"
                raise Conflict(message)
            case Unopened():
                raise ChannelsRejected
            case answer:
                return answer

    def _tried(self, name: str) -> trial.Ended:
        if self.notified.remote_trial is not None:
            return self.notified.remote_trial(name)
        return trial.tried(self.notified.channels(), name, self.notified.console_url, self.clock())


def _cursor(key: Key) -> str:
    return urlsafe_b64encode(str(key).encode()).decode().rstrip("=")


def _key_of(cursor: str) -> Key:
    try:
        return Key.parse(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode())
    except ValueError:
        message = "cursor: not one of this system's; leave it out to begin at the first page"
        raise CursorRejected(message) from None
