"""A notice tells by whose silence it was held, and until when."""

from collections.abc import Collection, Mapping
from dataclasses import replace

import pytest

from consumers.notifier.notice import Cause, Key, Notice, Reason, State
from consumers.notifier.routing.tree import Silence
from consumers.notifier.silenced import detail_of, named
from pipeline.log.port import Position

SILENCE = Silence("1-s", (), 0, 1_714_528_800_000_000, "a test of ours", "ada")
HELD = Notice(
    key=Key("all", "e"),
    channel="ops",
    causes=(Cause("e", Position("shard-0", 1)),),
    state=State.SUPPRESSED,
    reason=Reason.SILENCED,
    decided_us=1,
    due_us=1,
    changed_us=1,
)


class Asked:
    """A directory of one."""

    def __init__(self) -> None:
        self.ids: list[set[str]] = []

    def names(self, user_ids: Collection[str]) -> Mapping[str, str]:
        self.ids.append(set(user_ids))
        return {"ada": "Ada Lovelace"}


def shown(*details: str, reason: Reason = Reason.SILENCED) -> tuple[list[str], list[set[str]]]:
    asked = Asked()
    notices = named((replace(HELD, detail=detail, reason=reason) for detail in details), asked.names)
    return [notice.detail for notice in notices], asked.ids


def test_the_ledger_keeps_an_id_and_the_reader_sees_a_name() -> None:
    kept = detail_of(SILENCE)

    assert kept == "silence 1-s by ada until 2024-05-01 02:00:00Z: a test of ours"
    assert shown(kept, kept) == (["silence 1-s by Ada Lovelace until 2024-05-01 02:00:00Z: a test of ours"] * 2, [{"ada"}])


def test_who_is_unknown_keeps_the_id() -> None:
    assert shown(detail_of(replace(SILENCE, by="bob")))[0] == ["silence 1-s by bob until 2024-05-01 02:00:00Z: a test of ours"]


@pytest.mark.parametrize(
    ("detail", "reason"),
    [
        (detail_of(replace(SILENCE, by="")), Reason.SILENCED),
        ("silence 1-s: kept by ada until noon", Reason.SILENCED),
        (detail_of(SILENCE), Reason.UNAVAILABLE),
        ("", Reason.SILENCED),
    ],
)
def test_what_names_nobody_stays_and_nobody_is_asked(detail: str, reason: Reason) -> None:
    assert shown(detail, reason=reason) == ([detail], [])


def test_a_long_comment_is_cut_and_a_far_end_is_told() -> None:
    far = detail_of(replace(SILENCE, ends_us=1 << 62, comment="x" * 999))

    assert far == f"silence 1-s by ada until 9999-12-31 23:59:59Z: {'x' * 200}"
