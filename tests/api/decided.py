"""What people decided about notifying, for tests of routes, in lists; and texts of routings."""

from collections.abc import Sequence

from projections.errors import CursorRejected
from projections.policies import KnownRouting, KnownSilence, RoutingVersion
from projections.silence_pages import SilencePage, SilenceQuery
from tests.support.facts import HOUR_US, MORNING_US, silence_id


class MemoryDecided:
    """Answers from lists."""

    def __init__(self) -> None:
        self.versions: list[RoutingVersion] = []
        self.silence_list: list[KnownSilence] = []

    def routing(self) -> KnownRouting | None:
        return KnownRouting(self.versions[-1], tuple(reversed(self.versions))) if self.versions else None

    def routing_version(self, number: int) -> RoutingVersion | None:
        return next((version for version in self.versions if version.number == number), None)

    def silences(self, *, ending_after_us: int = 0) -> Sequence[KnownSilence]:
        return [one for one in self.silence_list if one.ends_us > ending_after_us]

    def silence(self, silence_id: str) -> KnownSilence | None:
        return next((one for one in self.silence_list if one.id == silence_id), None)

    def silence_page(self, query: SilenceQuery, *, now_us: int) -> SilencePage:
        if query.cursor:
            message = "there is one page"
            raise CursorRejected(message)
        found = [one for one in self.silence_list if query.status in (None, one.status(now_us))]
        return SilencePage(tuple(found[: query.limit]), "")


def known_silence(number: int = 0, *, matchers: tuple[str, ...] = ("source=aws.guardduty",), ends_us: int = 0) -> KnownSilence:
    """A silence of an hour, in the morning, unless it ends at another time."""
    until_us = ends_us or MORNING_US + HOUR_US
    return KnownSilence(
        silence_id(number), matchers, MORNING_US, until_us, f"Silence {number}", "u1", MORNING_US, 1, expired=False, changes=()
    )


def routing_version(number: int, text: str) -> RoutingVersion:
    """A version of the routing."""
    return RoutingVersion(number, "u1", "", MORNING_US + number, f"1-{number}", text)


TEXT = """\
routes:
  channel: default
  routes:
  - name: grave
    matchers: [severity>=HIGH, source=aws.*]
    channel: oncall
    group_by: [account, source]
  - name: nobody
    matchers: [account=111122223333]
    channel: ""
"""
"""A routing: what is grave goes to those on call, all else of one account to nobody."""
