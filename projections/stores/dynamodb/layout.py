"""Where everything stands in the table.

=================  ==============================  ======================  =================================================
partition key      sort key                        holds
=================  ==============================  ======================  =================================================
``store``          ``gen#projection#number``       a generation's record: version, status, prefix, writer's token
``store``          ``head#projection``             which number serves, and how many were ever made
``store``          ``lock#projection``             who builds, until when
``store``          ``condemned#prefix``            a dropped generation whose rows are still to go
``g#checkpoint``   shard                           its checkpoint, and its writer's token
``g#dir``          ``hour#lane``                   the list of an hour's segments of index entries (``directory``)
``g#seg#lane``     number                          one segment, never changed
``g#count``        ``hour#shard``                  an hour's counters (``pages``)
``g#doc``          page                            some documents (``pages``)
``g#mark#hour``    ``lane#day#number``             the ids of a commit in that hour
``g#parked``       ``lane#number/part``            some parked events (``pages``)
=================  ==============================  ======================  =================================================

``g`` is a generation's prefix, which is never given twice. Whoever writes has a *lane*: one shard, or, for a writer of the whole
generation (a rebuild, a test), the lane "". Items that a commit reads and writes again belong to one lane, or to one shard, so
that writers of different shards do not contend. ``number`` grows with each commit of a lane.
"""

from dataclasses import dataclass
from typing import Final

from pipeline.dynamodb_table import Key

STORE: Final = "store"


@dataclass(frozen=True, slots=True)
class Lane:
    """What a writer writes: one ``shard``, whose repeats may also stand in its ``ancestors``; or all shards ("")."""

    shard: str = ""
    ancestors: tuple[str, ...] = ()


EVERY_LANE: Final = Lane()


def record(projection: str, number: int) -> Key:
    """A generation's record; they sort by projection and number."""
    return Key(STORE, f"gen#{projection}#{number:010}")


def head(projection: str) -> Key:
    """Which generation of a projection serves."""
    return Key(STORE, f"head#{projection}")


def lock(projection: str) -> Key:
    """The right to build a projection."""
    return Key(STORE, f"lock#{projection}")


def condemned(prefix: str) -> Key:
    """A dropped generation."""
    return Key(STORE, f"condemned#{prefix}")


@dataclass(frozen=True, slots=True)
class Places:
    """The keys of one generation's rows."""

    prefix: str

    def checkpoint(self, shard: str) -> Key:
        """A shard's checkpoint."""
        return Key(self.checkpoints, shard)

    @property
    def checkpoints(self) -> str:
        """The partition of all checkpoints."""
        return f"{self.prefix}#checkpoint"

    @property
    def directories(self) -> str:
        """The partition of all directories."""
        return f"{self.prefix}#dir"

    def directory(self, hour: int, lane: str = "") -> Key:
        """The directory of an hour and lane; the lane "" sorts first."""
        return Key(self.directories, f"{hour:010}#{lane}")

    def segment(self, lane: str, number: str) -> Key:
        """One segment."""
        return Key(f"{self.prefix}#seg#{lane}", number)

    @property
    def counters(self) -> str:
        """The partition of all counters."""
        return f"{self.prefix}#count"

    def counter(self, hour: int, shard: str = "") -> Key:
        """The counters of an hour and shard; the shard "" sorts first."""
        return Key(self.counters, f"{hour:013}#{shard}")

    @property
    def documents(self) -> str:
        """The partition of all documents."""
        return f"{self.prefix}#doc"

    def document(self, page: str) -> Key:
        """A page of documents."""
        return Key(self.documents, page)

    def markers(self, hour: int) -> str:
        """The partition of an hour's markers."""
        return f"{self.prefix}#mark#{hour}"

    def marker(self, hour: int, lane: str, day: int, number: str = "") -> Key:
        """A marker; without a number, where those of that day begin."""
        return Key(self.markers(hour), f"{lane}#{day:08}#{number}")

    @property
    def parked(self) -> str:
        """The partition of all parked events."""
        return f"{self.prefix}#parked"

    def parked_page(self, page: str, part: int) -> Key:
        """A part of a page of parked events."""
        return Key(self.parked, f"{page}/{part:03}")
