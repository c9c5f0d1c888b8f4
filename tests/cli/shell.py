"""What the tests of the command line share: an answer in parts, and findings to feed."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON document on stdout."""
        (line,) = self.out.splitlines()
        return orjson.loads(line)

    @property
    def lines(self) -> list[Any]:
        """The JSON documents on stdout, one a line."""
        return [orjson.loads(line) for line in self.out.splitlines()]


Findstream = Callable[..., Answer]


def finding(number: int, **changes: Any) -> dict[str, Any]:
    """A finding as EventBridge delivers it."""
    return {
        "version": "0",
        "id": f"00000000-0000-4000-8000-{number:012}",
        "detail-type": "Probe Result",
        "source": "monitoring.probes",
        "account": "111122223333",
        "time": f"2026-01-01T00:00:{number % 60:02}Z",
        "region": "eu-west-1",
        "resources": [f"arn:aws:test:eu-west-1:111122223333:thing/{number}"],
        "detail": {"title": f"probe {number} failed", "severity": "HIGH"},
        **changes,
    }


def written(folder: Path, name: str, *findings: dict[str, Any]) -> str:
    """A file of findings, one a line."""
    path = folder / name
    path.write_bytes(b"".join(orjson.dumps(each) + b"\n" for each in findings))
    return str(path)
