"""The data folder (``FINDSTREAM_HOME``): where each part's files lie, and who runs on it.

``run.lock`` is held (``flock``) by the one ``findstream run`` on this folder, for as long as it lives; the kernel lets it go with
the process, however that ends. ``run.json`` tells what that run last said of its roles; it is believed while the lock is held.
"""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import sleep
from typing import IO, Any, Final

import orjson

from consumers.errors import AlreadyRunning, HomeUnusable, NoData

_PATIENCE: Final = (0.01, 0.05, 0.2, 0.0)
"""Pauses between attempts at the lock, in seconds."""


@dataclass(frozen=True, slots=True)
class RoleState:
    """One role as its supervisor sees it. ``state`` is running, waiting (to be started again) or ended."""

    state: str
    pid: int | None
    since_us: int
    restarts: int


@dataclass(frozen=True, slots=True)
class RunState:
    """A run. Times are microseconds since the epoch."""

    pid: int
    since_us: int
    url: str
    roles: Mapping[str, RoleState] = field(default_factory=dict)


class Home:
    """The folder's layout."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = path / "log.db"
        self.quarantine = path / "quarantine.db"
        self.ledger = path / "notices.db"
        self.people = path / "people.db"
        self.keys = path / "keys.json"
        self.desks = path / "desks.db"
        self.jobs = path / "jobs.db"
        self.projections = path / "projections"
        self.rules = path / "rules"
        self._lock = path / "run.lock"
        self._state = path / "run.json"

    def make(self) -> None:
        """Create the folder, readable by its owner only. An existing one is left as it is. Raises ``HomeUnusable``."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as broken:
            message = f"FINDSTREAM_HOME: {self.path} cannot be made a folder: {broken.strerror}"
            raise HomeUnusable(message) from broken

    def expect_data(self) -> None:
        """Raise ``NoData`` if nothing was ever put in: who only reads makes no folder."""
        if not any(part.exists() for part in (self.log, self.quarantine, self.ledger, self.desks)):
            message = f"{self.path} holds no data; is FINDSTREAM_HOME right? findstream run and findstream ingest put some there"
            raise NoData(message)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder for one run. Raises ``AlreadyRunning``."""
        self.make()
        with self._lock.open("a+b") as file:
            if not any(_locked(file, pause) for pause in _PATIENCE):
                message = f"{self._holder()} already runs on {self.path}; stop it first, or set FINDSTREAM_HOME to another folder"
                raise AlreadyRunning(message)
            try:
                yield
            finally:
                self._state.unlink(missing_ok=True)

    def note(self, state: RunState) -> None:
        """Tell what the run does now; only its holder calls this."""
        aside = self._state.with_suffix(".json.new")
        aside.write_bytes(orjson.dumps(asdict(state)))
        aside.replace(self._state)

    def running(self) -> RunState | None:
        """The run that holds the folder, as it last told; None if nobody does."""
        try:
            with self._lock.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return None
        except BlockingIOError:
            return self._noted()
        return None

    def _noted(self) -> RunState | None:
        try:
            told: dict[str, Any] = orjson.loads(self._state.read_bytes())
        except (FileNotFoundError, orjson.JSONDecodeError):
            return RunState(pid=0, since_us=0, url="")
        roles = {name: RoleState(**role) for name, role in told.pop("roles").items()}
        return RunState(**told, roles=roles)

    def _holder(self) -> str:
        state = self._noted()
        return f"process {state.pid}" if state and state.pid else "another process"


def _locked(file: IO[bytes], pause: float) -> bool:
    """Try to take the lock; if somebody has it (who only looks has it for a moment), wait ``pause`` seconds."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sleep(pause)
        return False
    return True


def alive(pid: int | None) -> bool:
    """Whether a process of this id exists."""
    if pid is None:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
