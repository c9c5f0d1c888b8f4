"""What a shard remembers, as documents. Each is written by the shard's lane only; whoever wants the whole reads all shards'.

=============================  ==================================================================================================
key                            holds
=============================  ==================================================================================================
``w//hour/bucket/shard``       windows (``Tally``) by version and group, and by when they begin; from this ``hour`` on, of
                               recorded time, nothing counts in them any more
``o//bucket/shard``            of a group of a rule: alerts that were raised, as many as fit (``bound``), and the last finding
                               that closes alerts
``x//bucket/shard``            of an alert: when it was closed or reopened last, and which of the two
``pending//shard``             what the shard's last commit owes (``consumers.rules.engine.debt``)
``taken//shard``               which versions have judged all that the shard has folded, and until when each is in force
=============================  ==================================================================================================

A bucket gathers what has the same first byte of a digest, so that a busy hour is many small documents, and a quiet one few.
"""

from bisect import insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final, Self

from consumers.rules.alerting import MOST_NAMED
from consumers.rules.rule import Rule
from consumers.rules.windows import settled_us
from projections.projection import Document
from schemas.identity import canonical

HOUR_US: Final = 3_600_000_000
MOST_VALUES: Final = 1_000
"""Distinct values of which a shard knows in a window, unless the rule asks for more."""
LONGEST_VALUE: Final = 1_000

CLOSABLE_US: Final = 30 * 86_400_000_000
"""A finding closes the alerts that were reached at most so long before it. What is older, by recorded time, goes."""

MOST_PAGE_BYTES: Final = 300_000
"""Of a page of open alerts, reckoned: far enough below an item of DynamoDB. Source: Amazon DynamoDB Developer Guide, "Quotas"."""
_GROUP_BYTES: Final = 100
"""What a group takes beside its name: the last finding that closes, quotes and braces."""
_ALERT_BYTES: Final = 60
"""An alert: a UUID and a time."""

WINDOWS: Final = "w"
OPEN: Final = "o"
CLOSED: Final = "x"
PENDING: Final = "pending"
TAKEN: Final = "taken"


def bucket(key: str) -> str:
    """Which of 256 a key falls into."""
    return blake2b(key.encode(), digest_size=1).hexdigest()


def counted(rule: str, number: int, group: Sequence[str]) -> str:
    """What a version counts by, as the key of an entry."""
    return canonical([rule, number, *group]).decode()


def grouped(rule: str, group: Mapping[str, str]) -> str:
    """A group of a rule, whatever its version, as the key of an entry."""
    return canonical([rule, group]).decode()


def named(paths: Sequence[str], values: Sequence[str]) -> dict[str, str]:
    """The values of a group by path, as alerts tell them."""
    return {path: value[:LONGEST_VALUE] for path, value in zip(paths, values, strict=False)}


def windows_page(rule: Rule, start_us: int, entry: str) -> str:
    """Where the window of an entry stands that begins then; what it lacks is the shard.

    Windows that hop share an hour, the end of a span as long as they are, so that a finding touches two documents at most.
    """
    span_us = max(rule.threshold.window_us if rule.threshold else 0, HOUR_US)
    hour = (settled_us(rule, start_us) // span_us + 1) * span_us // HOUR_US
    return f"{WINDOWS}//{hour:08}/{bucket(entry)}/"


def open_page(entry: str) -> str:
    """Where a group's alerts stand, without the shard."""
    return f"{OPEN}//{bucket(entry)}/"


def bound(document: Document) -> None:
    """Leave the alerts out of a page that were reached first, if it holds too many: no finding closes those any more.

    Which ones stay depends on the alerts alone, not on how they were gathered in batches.
    """
    size = sum(_group_bytes(entry) + _ALERT_BYTES * len(told["open"]) for entry, told in document.items())
    if size <= MOST_PAGE_BYTES:
        return
    alerts = [(reached_us, alert, entry) for entry, told in document.items() for alert, reached_us in told["open"].items()]
    for _, alert, entry in sorted(alerts):
        del document[entry]["open"][alert]
        size -= _ALERT_BYTES
        if not (document[entry]["open"] or document[entry]["closing"]):
            del document[entry]
            size -= _group_bytes(entry)
        if size <= MOST_PAGE_BYTES:
            return


def _group_bytes(entry: str) -> int:
    return len(entry.encode()) + _GROUP_BYTES


def closed_page(alert_id: str) -> str:
    """Where an alert's end stands, without the shard."""
    return f"{CLOSED}//{bucket(alert_id)}/"


def pending(shard: str) -> str:
    """Where a shard's debt stands."""
    return f"{PENDING}//{shard}"


def taken(shard: str) -> str:
    """Where it stands which versions a shard has taken up."""
    return f"{TAKEN}//{shard}"


@dataclass(frozen=True, slots=True)
class Words:
    """What an alert says of the finding that it is worded by, its oldest."""

    title: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    resources: Sequence[str] = ()
    correlation_id: str = ""


@dataclass(slots=True)
class Tally:
    """What counts in a window, of one shard or of all. ``account`` and ``region`` are "" where findings differ in them.

    ``named`` are (time, id) of the oldest findings; ``values`` are digests of distinct values, if these are
    counted, with when the first finding happened that brought each.
    """

    count: int
    last_us: int
    account: str
    region: str
    named: list[tuple[int, str]]
    values: dict[str, int]
    words: Words

    @classmethod
    def of(cls, account: str, region: str) -> Self:
        """Of nothing yet; the first finding is of this account and region."""
        return cls(0, 0, account, region, [], {}, Words())

    @classmethod
    def read(cls, told: Sequence[Any]) -> Self:
        """The inverse of ``written``."""
        count, last_us, account, region, findings, values, (title, labels, resources, correlation_id) = told
        named = [(at, one) for at, one in findings]
        words = Words(title, labels, tuple(resources), correlation_id)
        return cls(count, last_us, account, region, named, dict(values), words)

    def written(self) -> list[Any]:
        """As JSON has it."""
        words = self.words
        told = [words.title, dict(words.labels), list(words.resources), words.correlation_id]
        return [self.count, self.last_us, self.account, self.region, self.named, self.values, told]

    def add(self, finding: tuple[int, str], account: str, region: str, value: str | None, most_values: int) -> bool:
        """Count a finding, or the value that it brings; whether it is the oldest by now, and should word the alert."""
        if value is None:
            self.count += 1
        else:
            digest = blake2b(value.encode(), digest_size=12).hexdigest()
            if digest in self.values or len(self.values) < most_values:
                self.values[digest] = min(finding[0], self.values.get(digest, finding[0]))
                self.count = len(self.values)
        self._blend(finding[0], account, region)
        if len(self.named) < MOST_NAMED or finding < self.named[-1]:
            insort(self.named, finding)
            del self.named[MOST_NAMED:]
        return self.named[0] == finding

    def reached_us(self, needed: int, *, distinct: bool) -> int:
        """When ``needed`` was reached, by the times of findings. Of more than are named, when the last one happened."""
        times = sorted(self.values.values()) if distinct else [at for at, _ in self.named]
        return times[needed - 1] if needed <= len(times) else self.last_us

    def _blend(self, last_us: int, account: str, region: str) -> None:
        self.last_us = max(self.last_us, last_us)
        self.account = account if account == self.account else ""
        self.region = region if region == self.region else ""


def summed(tallies: Iterable[Tally], *, distinct: bool) -> Tally:
    """The tallies of a window on several shards as one.

    A finding that two of them name counts once: a lane that catches up knows the repeats on its own shard only, and after a
    split what a producer tells again stands on another. Of those that are not named, that is the hundred oldest, none is sought.
    """
    first, *others = tallies
    whole = Tally.read(first.written())
    for other in others:
        whole._blend(other.last_us, other.account, other.region)  # noqa: SLF001 -- of its own kind
        whole.words = min((whole.named, whole.words), (other.named, other.words), key=lambda pair: pair[0])[1]
        named = sorted({*whole.named, *other.named})
        repeated = len(whole.named) + len(other.named) - len(named)
        whole.named = named[:MOST_NAMED]
        whole.values |= {value: min(at, whole.values.get(value, at)) for value, at in other.values.items()}
        whole.count = len(whole.values) if distinct else whole.count + other.count - repeated
    return whole
