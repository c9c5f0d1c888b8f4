"""The tokens of the command line: one file a server in the user's configuration folder, for the user only (mode 600).

Together: commands that run at once share a file. Who exchanges the refresh token holds its lock; others wait, and take what came.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import orjson
from platformdirs import user_config_path

_MODE: Final = 0o600


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a sign-in. ``expires_us`` is the access token's end."""

    server: str
    email: str
    access: str
    refresh: str
    expires_us: int

    def __repr__(self) -> str:
        return f"Kept({self.server!r}, {self.email!r})"


class KeptTokens:
    """What is kept for the server of this base URL."""

    def __init__(self, server: str, folder: Path | None = None) -> None:
        self.server = server
        self._folder = folder or user_config_path("findstream", appauthor=False)
        self.path = self._folder / f"session-{sha256(server.encode()).hexdigest()[:16]}.json"

    def read(self) -> Kept | None:
        """What is kept, or None; what cannot be read counts as none."""
        try:
            return Kept(**orjson.loads(self.path.read_bytes()))
        except (FileNotFoundError, orjson.JSONDecodeError, TypeError):
            return None

    def write(self, kept: Kept) -> None:
        """Keep this instead. The file is whole at every moment, and never readable for others."""
        aside = self.path.with_suffix(f".{os.getpid()}")
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _MODE), "wb") as file:
            file.write(orjson.dumps(asdict(kept)))
        aside.replace(self.path)

    def forget(self) -> None:
        """Keep nothing."""
        self.path.unlink(missing_ok=True)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Be the only one who exchanges or replaces what is kept."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.path.with_suffix(".lock").open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
