"""Any sequence of calls to a store has the outcome that a plain model in memory has."""

from contextlib import ExitStack
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from pipeline.log.port import Position
from projections.errors import Fenced, GenerationGone, RebuildRunning, StoreUnavailable
from projections.projection import Changes, CountKey, Document, Parked
from projections.segments import Entries
from projections.stores.port import Commit, Generation, GenerationInfo, Marker, Status
from tests.conformance.store_backends import StoreBackend
from tests.support.effort import share
from tests.support.scratch import scratch
from tests.support.spine import NOW_US, entries_of

pytestmark = pytest.mark.long

ALL_SHARDS = ("a", "b")
SHARDS = st.sampled_from(ALL_SHARDS)
TOKENS = st.sampled_from(["x", "y"])
BUCKETS = [CountKey(hour, "aws.health", 1, "", shard) for hour in range(3) for shard in "ab"]


@dataclass
class Build:
    """A generation as the model has it, and the handle through which the store's is used."""

    info: GenerationInfo
    handle: Generation
    tokens: dict[str, str] = field(default_factory=dict)
    checkpoints: dict[str, Position] = field(default_factory=dict)
    entries: list[str] = field(default_factory=list)
    counts: dict[CountKey, int] = field(default_factory=dict)
    documents: dict[str, Document] = field(default_factory=dict)
    parked: list[Parked] = field(default_factory=list)
    marked: set[tuple[int, int, bytes]] = field(default_factory=set)


class StoreModel(RuleBasedStateMachine):
    """The generations of one projection; commits carry a bit of everything, so that what is torn apart shows."""

    backend: StoreBackend

    @initialize()
    def open_the_store(self) -> None:
        self.stack = ExitStack()
        self.folder = self.stack.enter_context(scratch())
        self.store = self.backend.at(self.folder)
        self.builds: dict[int, Build] = {}
        self.made = 0

    def teardown(self) -> None:
        for build in self.builds.values():
            build.handle.close()
        self.store.close()
        self.stack.close()

    def serving(self) -> Build | None:
        return next((build for build in self.builds.values() if build.info.status is Status.SERVING), None)

    def any_build(self, data: st.DataObject) -> Build:
        return self.builds[data.draw(st.sampled_from(sorted(self.builds)))]

    @rule(serving=st.booleans(), version=st.integers(1, 3))
    def create(self, serving: bool, version: int) -> None:  # noqa: FBT001  # hypothesis hands it in by name
        there = self.serving()
        info = self.store.create("some", version, serving=serving)
        if serving and there:
            assert info == there.info
            return
        number = max(self.builds, default=0) + 1
        assert info == GenerationInfo("some", number, version, Status.SERVING if serving else Status.BUILDING, NOW_US)
        self.builds[number] = Build(info, self.store.open(info))

    @precondition(lambda self: self.builds)
    @rule(data=st.data(), token=TOKENS, shards=st.sets(SHARDS))
    def claim(self, data: st.DataObject, token: str, shards: set[str]) -> None:
        build = self.any_build(data)
        build.handle.claim(token, shards)
        build.tokens |= dict.fromkeys(shards if self.backend.fences_by_shard else ALL_SHARDS, token)

    @precondition(lambda self: self.builds)
    @rule(data=st.data(), token=TOKENS, shard=SHARDS, stale=st.sampled_from([False, False, False, True]))
    def commit(self, data: st.DataObject, token: str, shard: str, *, stale: bool) -> None:
        build = self.any_build(data)
        self.made += 1
        commit = self.draw_commit(data, build, shard, stale=stale)
        if token != build.tokens.get(shard) or stale:
            with pytest.raises(Fenced):
                build.handle.commit(token, commit)
        else:
            build.handle.commit(token, commit)
            apply(build, commit)

    @precondition(lambda self: self.builds)
    @rule(data=st.data(), shard=SHARDS, at=st.integers(0, 12))
    def commit_on_failing_storage(self, data: st.DataObject, shard: str, at: int) -> None:
        build = self.any_build(data)
        if build.info.status is Status.BUILDING and not self.backend.builds_atomically:
            return
        self.made += 1
        commit = self.draw_commit(data, build, shard, stale=False)
        build.handle.claim("x", [shard])
        build.tokens |= dict.fromkeys([shard] if self.backend.fences_by_shard else ALL_SHARDS, "x")
        try:
            with self.backend.failing(build.handle, at):
                build.handle.commit("x", commit)
        except StoreUnavailable:
            pass
        else:
            apply(build, commit)

    def draw_commit(self, data: st.DataObject, build: Build, shard: str, *, stale: bool) -> Commit:
        number, there = self.made, build.checkpoints.get(shard)
        reached = Position(shard, 10**20 + number)
        expected = Position(shard, 10**20 + number + 1) if stale else there
        columns: dict[str, list[Any]] = {name: ["text"] for name in Entries.__slots__}
        columns |= {"id": [f"id-{number}"], "time_us": [number % 3 * 86_400_000_000], "recorded_us": [1], "severity": [1]}
        columns |= {"resources": [[]], "sequence": [number], "sub": [0]}
        waiting = [parked.position for parked in build.parked]
        return Commit(
            {shard: expected},
            {shard: reached},
            Changes(
                entries=Entries(**columns) if data.draw(st.booleans()) else Entries(),
                counts=data.draw(st.dictionaries(st.sampled_from(BUCKETS), st.integers(1, 9))),
                documents=data.draw(st.dictionaries(st.sampled_from("abc"), st.fixed_dictionaries({"n": st.integers(0, 9)}))),
            ),
            markers=[Marker(number % 3, number % 5, number.to_bytes(16))],
            parked=[Parked("key", reached, number, b"event", data.draw(st.sampled_from(["", "Traceback"])))]
            if data.draw(st.booleans())
            else [],
            unparked=data.draw(st.lists(st.sampled_from(waiting), unique=True)) if waiting else [],
            retraced=data.draw(st.lists(st.sampled_from(build.parked).map(retraced), max_size=1)) if waiting else [],
        )

    @precondition(lambda self: self.builds)
    @rule(data=st.data(), day=st.integers(0, 5))
    def forget_markers(self, data: st.DataObject, day: int) -> None:
        build = self.any_build(data)
        build.handle.forget_markers(day)
        build.marked = {mark for mark in build.marked if mark[1] >= day}

    @precondition(lambda self: self.builds)
    @rule(data=st.data(), failing=st.sampled_from([False, False, True]))
    def switch(self, data: st.DataObject, *, failing: bool) -> None:
        build, former = self.any_build(data), self.serving()
        if build is former:
            return
        called: list[int] = []

        def catch_up() -> None:
            called.append(1)
            build.handle.close()
            if failing:
                raise LookupError

        if failing:
            with pytest.raises(LookupError):
                self.store.switch(build.info, catch_up)
        else:
            self.store.switch(build.info, catch_up)
            build.info = replace(build.info, status=Status.SERVING)
            if former:
                former.info = replace(former.info, status=Status.RETIRED)
        assert called == [1]
        build.handle = self.store.open(build.info)

    @precondition(lambda self: self.builds)
    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        build = self.any_build(data)
        self.store.drop(build.info)
        if build.info.status is not Status.SERVING:
            build.handle.close()
            del self.builds[build.info.number]
            with pytest.raises(GenerationGone):
                self.store.open(build.info)

    @rule()
    def build(self) -> None:
        with self.store.building("some"), pytest.raises(RebuildRunning), self.store.building("some"):
            pass
        for number, build in list(self.builds.items()):
            if build.info.status is Status.BUILDING:
                build.handle.close()
                del self.builds[number]

    @rule()
    def restart(self) -> None:
        for build in self.builds.values():
            build.handle.close()
        self.store.close()
        self.store = self.backend.at(self.folder)
        for build in self.builds.values():
            build.handle = self.store.open(build.info)

    @invariant()
    def the_store_tells_what_the_model_tells(self) -> None:
        if not hasattr(self, "store"):
            return
        serving = self.serving()
        assert list(self.store.generations("some")) == [build.info for _, build in sorted(self.builds.items())]
        assert self.store.serving() == ({"some": serving.info} if serving else {})
        for build in self.builds.values():
            with build.handle.reading() as rows:
                assert rows.checkpoints() == build.checkpoints
                assert sorted(entry["id"] for entry in entries_of(rows)) == sorted(build.entries)
                assert dict(rows.counts(0, 9)) == build.counts
                assert dict(rows.all_documents()) == build.documents
                assert list(rows.parked()) == build.parked
            markers = list(build.handle.markers({0, 1, 2}, 0))
            assert {(m.hour, m.day, m.ids[i : i + 16]) for m in markers for i in range(0, len(m.ids), 16)} >= build.marked


def retraced(parked: Parked) -> Parked:
    """It failed again, in another way."""
    return replace(parked, error=f"another {parked.error}")


def apply(build: Build, commit: Commit) -> None:
    """What a commit that is kept changes."""
    changes = deepcopy(commit.changes)
    build.checkpoints |= commit.reached
    build.entries += changes.entries.id
    for key, count in changes.counts.items():
        build.counts[key] = build.counts.get(key, 0) + count
    build.documents |= changes.documents
    told = {parked.position: parked for parked in commit.retraced}
    left = [told.get(parked.position, parked) for parked in build.parked if parked.position not in commit.unparked]
    build.parked = left + list(commit.parked)
    build.marked |= {(marker.hour, marker.day, marker.ids) for marker in commit.markers}


def test_a_store_does_what_a_plain_model_does(store_backend: StoreBackend) -> None:
    machine = type("StoreModel", (StoreModel,), {"backend": store_backend})

    run_state_machine_as_test(machine, settings=share(store_backend.dear * 3))
