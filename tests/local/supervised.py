"""A supervisor over small made-up roles, for the tests: tells what it does as JSON lines on stdout.

Usage: supervised.py '{"role": "python code of the role, which gets its lifeline as LIFELINE", ...}' [grace [healthy]], in seconds
"""

import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import orjson

from consumers.home import RoleState
from consumers.local import Patience, Supervisor

CODES: dict[str, str] = orjson.loads(sys.argv[1])
GRACE = float(sys.argv[2]) if len(sys.argv) > 2 else 10.0
HEALTHY = float(sys.argv[3]) if len(sys.argv) > 3 else 60.0


def tell(**fields: Any) -> None:
    print(orjson.dumps(fields).decode(), flush=True)  # noqa: T201 -- what the test reads


def command(role: str, lifeline: int) -> list[str]:
    return [sys.executable, "-c", f"LIFELINE = {lifeline}\n{CODES[role]}"]


def note(roles: Mapping[str, RoleState]) -> None:
    tell(states={name: asdict(state) for name, state in roles.items()})


Supervisor(
    roles=list(CODES),
    say=lambda role, text, level: tell(role=role, said=text, level=level),
    note=note,
    clock=time.monotonic,
    now_us=lambda: 7,
    command=command,
    patience=Patience(first_pause=0.05, longest_pause=0.2, healthy=HEALTHY, grace=GRACE),
).run()
tell(said="over")
