"""The whole way of a command, without processes: recorder, relay, log, projections, API; whoever reads makes them go on first."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, cast

from consumers.api.app import Application, build
from consumers.api.commands import Desks
from consumers.assuming import Assume, Attempt
from consumers.people.principal import Principal, Role
from pipeline.desks.recorder.sqlite import open_sqlite
from pipeline.desks.relay import Relay
from pipeline.ingest import Ingest
from pipeline.log.sqlite import SqliteLog
from pipeline.quarantine.sqlite import SqliteQuarantine
from projections.reading import Reading
from tests.api.contract import Checked
from tests.api.world import Clock
from tests.desks.world import Ids, desk_over
from tests.support.spine import Spine

ADA = Principal("0199f3a1-0000-7000-8000-00000000000a", Role.ADMIN)
BOB = Principal("0199f3a1-0000-7000-8000-00000000000b", Role.USER)
EVE = Principal("0199f3a1-0000-7000-8000-00000000000e", Role.USER)
NAMES = {ADA.user_id: "Ada", BOB.user_id: "Bob", EVE.user_id: "Eve"}


class Named:
    """A directory of three."""

    def names(self, user_ids: Any) -> dict[str, str]:
        return {user_id: NAMES.get(user_id, "a removed user") for user_id in user_ids}


class Prompt:
    """A reading that lets relay and projector go on before each answer."""

    def __init__(self, inner: Reading, go_on: Callable[[], None]) -> None:
        self._inner = inner
        self._go_on = go_on

    def __getattr__(self, name: str) -> Any:
        asked = getattr(self._inner, name)

        def answer(*arguments: Any, **options: Any) -> Any:
            self._go_on()
            return asked(*arguments, **options)

        return answer


class DeskWorld:
    """An application over files in ``folder``. ``asker`` is who asks; ``paused`` keeps the board from going on."""

    def __init__(self, folder: Path, *, assume: Assume | None = None) -> None:
        self.folder = folder
        self.clock = Clock()
        self.asker = ADA
        self.paused = False
        self.url = ""
        self.attempts: list[tuple[str, str]] = []
        self.attempt = Attempt("assumed", "fine", "111122223333", "arn:aws:sts::111122223333:assumed-role/reader/x")
        self._assume = assume
        self._lock = threading.Lock()

    @contextmanager
    def open(self) -> Iterator[Application]:
        recorders = open_sqlite(self.folder / "desks.db")
        with (
            closing(recorders),
            closing(SqliteLog(self.folder / "log.db", shards=3, clock=self.clock)) as log,
            closing(SqliteQuarantine(self.folder / "quarantine.db", clock=self.clock)) as quarantine,
            Spine(self.folder / "projections", log) as spine,
        ):
            self.recorders, self.log, self.spine = recorders, log, spine
            relay = Relay(recorders, log)

            def go_on() -> None:
                with self._lock:
                    while not self.paused and (relay.step() or spine.projector.step()):
                        pass

            self.desk = desk_over(recorders, self.clock, Ids())
            yield build(
                reading=cast("Reading", Prompt(spine.catalog, go_on)),
                ingest=Ingest(log, quarantine, clock=self.clock),
                log=log,
                quarantine=quarantine,
                desks=Desks(self.desk, principal=lambda: self.asker, directory=Named()),
                assume=self._assume or self._assumed,
                clock=self.clock,
                version="1.2.3",
                fresh_seconds=0.05,
            )

    def _assumed(self, role_arn: str, external_id: str) -> Attempt:
        self.attempts.append((role_arn, external_id))
        return self.attempt


class Client(Checked):
    """A checked client with a world behind it."""

    def __init__(self, app: Application, world: DeskWorld) -> None:
        super().__init__(app)
        self.world = world

    def as_(self, who: Principal) -> "Client":
        """The same, asking as somebody else from now on."""
        self.world.asker = who
        return self

    def put(self, url: str, json: Any, **options: Any) -> Any:
        return self.request("PUT", url, json=json, **options)

    def patch(self, url: str, json: Any, **options: Any) -> Any:
        return self.request("PATCH", url, json=json, **options)

    def delete(self, url: str, **options: Any) -> Any:
        return self.request("DELETE", url, **options)
