"""Two clients of two servers over the same files edit one task: no update lost, every conflict a 409.

A thousand times with FINDSTREAM_TORTURE; ``tests/desks`` has a thousand edits by two processes always.
"""

import os
import threading
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.api.desk_world import ADA, DeskWorld, token
from tests.api.served import Served

TIMES = 500 if os.environ.get("FINDSTREAM_TORTURE") == "1" else 100
HEADERS = {"Authorization": f"Bearer {token(ADA)}"}


def edit(url: str, name: str, task: str, told: list[tuple[int, int]]) -> None:
    """Edit so many times with success; tells each answer's status and version."""
    version, done = 1, 0
    with httpx.Client(base_url=url, timeout=60, headers=HEADERS) as client:
        while done < TIMES:
            answer = client.put(f"/tasks/{task}", json={"version": version, "title": f"{name} {done}"})
            if answer.status_code == 200:
                version = answer.json()["version"]
                done += 1
            else:
                version = int(answer.headers["Findstream-Version"])
            told.append((answer.status_code, version))


@pytest.mark.long
def test_two_clients_of_two_servers_lose_no_update(tmp_path: Path) -> None:
    worlds = [DeskWorld(tmp_path), DeskWorld(tmp_path)]
    told: list[list[tuple[int, int]]] = [[], []]
    with ExitStack() as stack:
        servers = [stack.enter_context(Served(stack.enter_context(world.open()))) for world in worlds]
        for world in worlds:
            world.paused = True
        look = {"title": "Look at it", "description": "Somebody ought to look."}
        task = httpx.post(f"{servers[0].url}/tasks", json=look, headers=HEADERS).json()["id"]
        clients = [
            threading.Thread(target=edit, args=(server.url, name, task, lines))
            for server, name, lines in zip(servers, ("ada", "bob"), told, strict=True)
        ]
        for client in clients:
            client.start()
        for client in clients:
            client.join(280)
        worlds[0].paused = False
        last = f"{servers[0].url}/tasks/{task}/history?at_least={2 * TIMES + 1}"
        history = httpx.get(last, headers=HEADERS, timeout=60).json()["items"]

    accepted = [version for lines in told for status, version in lines if status == 200]
    assert {status for lines in told for status, _ in lines} == {200, 409}
    assert sorted(accepted) == list(range(2, 2 * TIMES + 2))
    assert [change["version"] for change in history] == list(range(1, 2 * TIMES + 2))
    titles = [change["changes"][0] for change in history[1:]]
    assert [title["old"] for title in titles[1:]] == [title["new"] for title in titles[:-1]]
    for name in ("ada", "bob"):
        assert [title["new"] for title in titles if title["new"].startswith(name)] == [f"{name} {n}" for n in range(TIMES)]
