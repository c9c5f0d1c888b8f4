"""What judging asks of compiled rules: the interface between the language and those that count.

A batch's headers are asked first; of a body only what some rule could still want is read, all of it if somebody asks for that.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from msgspec import Struct

from consumers.rules.rule import Version
from pipeline.log.port import Batch

Document = Mapping[str, Any]
"""A finding as rules see it (``consumers.rules.document``)."""


class Compiled(Protocol):
    """One version, compiled. Pure; a method may raise ``RuleThrew`` where the rule's own text or code fails on this document."""

    @property
    def version(self) -> Version:
        """What it was compiled from."""
        ...

    def matches(self, document: Document) -> bool:
        """Whether pattern and condition hold."""
        ...

    def resolves(self, document: Document) -> bool:
        """Whether it closes the alerts of its group."""
        ...

    def group(self, document: Document) -> tuple[str, ...] | None:
        """The values of ``group_by`` as text, in order (() if the rule has none); None if the document lacks one of them."""
        ...

    def distinct(self, document: Document) -> str | None:
        """The value that the threshold counts, as text; None if the document lacks it."""
        ...

    def title(self, document: Document) -> str:
        """The title of an alert from this finding, not empty, at most 300 characters."""
        ...

    def labels(self, document: Document) -> dict[str, str]:
        """The labels of an alert from this finding."""
        ...


class Finding(Protocol):
    """A finding that was hit."""

    @property
    def document(self) -> Document:
        """Its document; it may be made only now."""
        ...


class Hit(Struct, frozen=True):
    """A finding that a rule matches, or that closes its alerts (it may do both): ``place`` is where it stands in the batch."""

    place: int
    rule: Compiled
    finding: Finding
    matched: bool
    resolved: bool

    @property
    def document(self) -> Document:
        """The finding's."""
        return self.finding.document


class Fault(NamedTuple):
    """A rule that threw on a finding, or took too long over it. The finding counts as not matched."""

    rule: Compiled
    event_id: str
    reason: str
    """As in ``RuleSwitchedOff``: threw, too_slow."""
    detail: str


class Judge(Protocol):
    """Any number of compiled versions, indexed."""

    def hits(self, batch: Batch, indices: Sequence[int] | None = None) -> Iterator[Hit]:
        """The hits among the findings at ``indices`` (None: all), in order of the batch; other types of event are passed over.

        Validity is not asked here, only whether a version matches. Faults go to ``on_fault`` of the maker.
        """
        ...


MakeJudge = Callable[[Iterable[Compiled], Callable[[Fault], None]], Judge]
