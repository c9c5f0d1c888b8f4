"""The whole way of a command, without processes: recorder, relay, log, projections, API; whoever reads makes them go on first."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from consumers.api.app import Application, build
from consumers.api.telling import Notified
from consumers.assuming import Assume, Attempt
from consumers.draw import draw_id
from consumers.jobs.asking import Asks
from consumers.jobs.worker import Worker
from consumers.people.principal import Principal, Role
from consumers.people.session import Session
from consumers.people.sign_in import SignIn
from consumers.people.sqlite import SqlitePeople
from consumers.people.tokens import Tokens, Use
from consumers.people.user import User
from consumers.rules.history.jobs import History
from consumers.rules.history.routing import with_every_channel
from pipeline.desks.recorder.sqlite import open_sqlite
from pipeline.desks.relay import Relay
from pipeline.ingest import Ingest
from pipeline.log.sqlite import SqliteLog
from pipeline.quarantine.sqlite import SqliteQuarantine
from tests.api.contract import Checked
from tests.api.noted import MemoryLedger, Told
from tests.api.world import DAY_US, NOW_US, Clock
from tests.desks.world import Ids, desk_over
from tests.jobs.memory import MemoryJobs
from tests.people.signing import MemoryKeys
from tests.people.stores import PASSWORD, QUICK, entropy
from tests.support.spine import Spine

if TYPE_CHECKING:
    from consumers.notifier.channels.port import Channel
    from consumers.notifier.ledger.port import Ledger
    from projections.decided import Decided
    from projections.judged import Judged
    from projections.reading import Reading

ADA = Principal("0199f3a1-0000-7000-8000-00000000000a", Role.ADMIN)
BOB = Principal("0199f3a1-0000-7000-8000-00000000000b", Role.USER)
EVE = Principal("0199f3a1-0000-7000-8000-00000000000e", Role.USER)
NAMES = {ADA.user_id: "Ada", BOB.user_id: "Bob", EVE.user_id: "Eve"}


KEYS = MemoryKeys()


def session_of(who: Principal) -> Session:
    """The first session of each, which is open for ten years."""
    return Session(f"session-of-{who.user_id}", who.user_id, 1, "none", NOW_US, NOW_US + 3650 * DAY_US)


def token(who: Principal) -> str:
    """An access token of that session."""
    signer = Tokens(KEYS, clock=lambda: NOW_US, entropy=entropy)
    return signer.sign(Use.ACCESS, who.user_id, session_of(who).id, lifetime=timedelta(days=3650))


def add_people(people: SqlitePeople) -> None:
    """The three, signed in."""
    for who in (ADA, BOB, EVE):
        if people.users.get(who.user_id) is None:
            name = NAMES[who.user_id]
            people.users.add(User(who.user_id, f"{name.lower()}@example.org", name, who.role, NOW_US, NOW_US), PASSWORD)
            people.sessions.open(session_of(who))


class Prompt:
    """A reading that lets relay and projector go on before each answer."""

    def __init__(self, inner: object, go_on: Callable[[], None]) -> None:
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
        self.jobs = MemoryJobs()
        self.ledger = MemoryLedger()
        self.channels: dict[str, Channel | None] = {"default": Told(), "oncall": Told(), "night": Told()}
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
            closing(SqlitePeople(self.folder / "people.db", passwords=QUICK)) as people,
            Spine(self.folder / "projections", log) as spine,
        ):
            add_people(people)
            self.recorders, self.log, self.spine = recorders, log, spine
            relay = Relay(recorders, log)

            def go_on() -> None:
                with self._lock:
                    while not self.paused and (relay.step() or spine.projector.step()):
                        pass

            self.desk = desk_over(recorders, self.clock, Ids())
            yield build(
                reading=cast("Reading", Prompt(spine.catalog, go_on)),
                judged=cast("Judged", Prompt(spine.catalog, go_on)),
                decided=cast("Decided", Prompt(spine.catalog, go_on)),
                notified=Notified(cast("Ledger", self.ledger), lambda: self.channels, "http://127.0.0.1:8321"),
                asks=Asks(self.jobs, self.clock, draw_id),
                ingest=Ingest(log, quarantine, clock=self.clock),
                log=log,
                quarantine=quarantine,
                desk=self.desk,
                people=people,
                sign_in=SignIn(people, Tokens(KEYS, clock=self.clock, entropy=entropy), clock=self.clock, entropy=entropy),
                entropy=entropy,
                assume=self._assume or self._assumed,
                clock=self.clock,
                version="1.2.3",
                fresh_seconds=0.05,
            )

    def work(self) -> int:
        """Do the long work that was asked for; returns how many jobs were done."""
        history = History(self.log, self.spine.catalog, lambda: with_every_channel(self.spine.catalog), lambda: 0, lambda: None)
        return Worker(self.jobs, history.kinds(), self.clock).drain()

    def headers(self) -> dict[str, str]:
        """Of who asks."""
        return {"Authorization": f"Bearer {token(self.asker)}"}

    def _assumed(self, role_arn: str, external_id: str) -> Attempt:
        self.attempts.append((role_arn, external_id))
        return self.attempt


class Client(Checked):
    """A checked client with a world behind it."""

    def __init__(self, app: Application, world: DeskWorld) -> None:
        super().__init__(app, {})
        self.world = world

    def request(self, method: str, url: str, **options: Any) -> Any:
        """The answer to who asks now."""
        return super().request(method, url, **{**options, "headers": {**self.world.headers(), **options.get("headers", {})}})

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
