"""Tasks, agents and configuration by the command line, against a real server over real files."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import orjson
import pytest

from consumers.cli import tasks
from consumers.cli.kept_tokens import Kept, KeptTokens
from consumers.composition import now_us
from consumers.people.principal import Principal
from tests.api.desk_world import ADA, BOB, EVE, DeskWorld, token
from tests.api.served import Served
from tests.api.test_api_embedded import alarm
from tests.api.world import NOW_US
from tests.cli.shell import Findstream

ACCOUNT = "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/findstream-reader"
LOOK = ("--title", "Look at it", "--description", "Somebody ought to look.")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DeskWorld]:
    """A server, where the command line looks for it."""
    world = DeskWorld(tmp_path / "served")
    with world.open() as app, Served(app) as server:
        monkeypatch.setenv("FINDSTREAM_API_URL", server.url)
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
        keep(server.url, ADA)
        world.url = server.url
        yield world


def keep(url: str, who: Principal) -> None:
    """Be signed in on the command line."""
    tokens = KeptTokens(url)
    with tokens.held():
        tokens.write(Kept(url, "somebody@example.org", token(who), "none", now_us() + 3_600_000_000))


@pytest.fixture
def create(world: DeskWorld, findstream: Findstream) -> Callable[..., str]:
    """Open a task; returns its id."""
    assert world

    def run(*arguments: str) -> str:
        task_id: str = findstream("tasks", "create", *LOOK, "--json", *arguments).json["id"]
        return task_id

    return run


def test_a_due_time_that_is_none_is_told_with_what_is_taken(findstream: Findstream) -> None:
    answer = findstream("tasks", "create", *LOOK, "--due", "3x")

    assert answer.code == 2
    assert "'3x' is no time to come; write 4h, 3d or 2w (ahead)" in answer.err


def test_a_task_goes_its_whole_way(create: Callable[..., str], findstream: Findstream) -> None:
    task = create("--priority", "high", "--due", "3d")
    told = [
        findstream("tasks", "assign", task, BOB.user_id),
        findstream("tasks", "status", task, "in_progress"),
        findstream("tasks", "comment", task, "It was me."),
        findstream("tasks", "edit", task, "--title", "Look again", "--never-due"),
        findstream("tasks", "status", task, "closed"),
    ]

    assert [answer.code for answer in told] == [0] * 5
    assert told[0].out == f"{task} open, high, Bob, due {told[0].out.partition('due ')[2]}"
    assert told[-1].out == f"{task} closed, high, Bob, due -: Look again\n"
    shown = findstream("tasks", "show", task).out
    assert "  Somebody ought to look.\n" in shown
    assert shown.endswith("Ada: It was me.\n")
    history = findstream("tasks", "history", task)
    assert "status: open -> in_progress" in history.out
    assert "title: Look at it -> Look again" in history.out
    assert re.search(r"closed_at: - -> \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", history.out)
    assert [each["version"] for each in findstream("tasks", "history", task, "--json").json["items"]] == list(range(1, 7))


def test_tasks_are_listed_by_what_is_asked(create: Callable[..., str], findstream: Findstream) -> None:
    first, second = create("--priority", "low"), create("--priority", "high", "--assignee", EVE.user_id)

    assert [t["id"] for t in findstream("tasks", "list", "--json").json["items"]] == [second, first]
    assert [t["id"] for t in findstream("tasks", "list", "--unassigned", "--json").json["items"]] == [first]
    listed = findstream("tasks", "list", "--limit", "1")
    assert second in listed.out
    assert listed.err == "2 tasks; more: --offset 1\n"
    assert findstream("tasks", "list", "--overdue").err == "0 tasks\n"


def test_a_task_is_made_from_an_event(world: DeskWorld, findstream: Findstream) -> None:
    event = httpx.post(f"{world.url}/events", json=alarm("ApiLatency"), headers=world.headers()).json()["ids"][0]

    made = findstream("tasks", "from-event", event, "--priority", "critical", "--json").json

    assert (made["event_id"], made["priority"]) == (event, "critical")
    assert [t["id"] for t in findstream("tasks", "list", "--event", event, "--json").json["items"]] == [made["id"]]


def test_a_task_is_taken_away_from_whose_it_is_and_deleted(create: Callable[..., str], findstream: Findstream) -> None:
    task = create("--assignee", EVE.user_id)

    assert ", -, due -" in findstream("tasks", "assign", task).out
    assert findstream("tasks", "delete", task).out == f"deleted {task}\n"
    assert findstream("tasks", "show", task).code == 3
    assert findstream("tasks", "delete", create(), "--json").json["version"] == 2


def test_refusals_are_told_in_the_server_s_words_with_an_exit_code(create: Callable[..., str], findstream: Findstream) -> None:
    task = create()

    stale = findstream("tasks", "edit", task, "--title", "Late", "--version", "7")
    wrong = findstream("tasks", "create", "--title", "ab", "--description", "short")
    nothing = findstream("tasks", "edit", task)

    assert (stale.code, stale.out) == (3, "")
    assert stale.err == "findstream: the task is at version 1 by now\n"
    assert (wrong.code, nothing.code) == (2, 2)
    assert "title: String should have at least 3 characters" in wrong.err
    assert "name what to change" in nothing.err


def test_without_a_server_a_command_says_how_to_start_it(
    findstream: Findstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINDSTREAM_PORT", "1")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    keep("http://127.0.0.1:1", ADA)

    answer = findstream("tasks", "list")

    assert answer.code == 1
    assert "does findstream run there?" in answer.err


@pytest.mark.parametrize(("text", "ahead"), [("4h", 4 * 3600), ("3d", 3 * 86_400), ("2w", 14 * 86_400)])
def test_a_due_date_may_be_told_from_now(text: str, ahead: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "now_us", lambda: NOW_US)

    assert tasks.due_seconds(text) == NOW_US / 1e6 + ahead
    assert tasks.due_seconds("2026-12-31") == 1_798_675_200


def test_an_agent_is_registered_changed_shown_and_removed(world: DeskWorld, findstream: Findstream) -> None:
    assert world
    made = findstream("agents", "register", ACCOUNT, "--name", "Payments", "--contact", "ops@example.com")
    edited = findstream("agents", "edit", ACCOUNT, "--disabled")
    listed = findstream("agents", "list")
    shown = findstream("agents", "show", ACCOUNT)

    assert made.out == f"{ACCOUNT} Payments, enabled\n"
    assert edited.out == f"{ACCOUNT} Payments, disabled\n"
    assert "disabled" in listed.out
    assert "contact:        ops@example.com" in shown.out
    assert "last_heartbeat: -" in shown.out
    assert findstream("agents", "edit", ACCOUNT).code == 2
    assert findstream("agents", "register", ACCOUNT, "--name", "Again").code == 3
    assert findstream("agents", "remove", ACCOUNT).out == f"removed {ACCOUNT}\n"
    assert findstream("agents", "list", "--status", "disabled", "--json").json == {"items": []}
    assert findstream("agents", "show", ACCOUNT, "--json").code == 3


def test_an_account_is_configured_and_tried(world: DeskWorld, findstream: Findstream, tmp_path: Path) -> None:
    (tmp_path / "external-id").write_text("hush-hush\n")
    options = (
        "--name",
        "Payments",
        "--role",
        ROLE,
        "--region",
        "eu-central-1",
        "--external-id-file",
        str(tmp_path / "external-id"),
    )
    made = findstream("config", "add-account", ACCOUNT, *options, "--json").json

    assert ROLE in findstream("config", "accounts").out
    assert findstream("config", "accounts", "--json").json["items"] == [made]
    assert findstream("config", "try-account", made["id"]).out == "assumed: fine\n"
    assert world.attempts == [(ROLE, "hush-hush")]
    world.attempt = type(world.attempt)("refused", "AccessDenied: no")
    assert findstream("config", "try-account", made["id"], "--json").code == 3


def test_what_is_watched_is_shown_and_replaced(world: DeskWorld, findstream: Findstream, tmp_path: Path) -> None:
    assert world
    file = tmp_path / "monitoring.json"
    file.write_text(findstream("config", "monitoring").out)
    document = orjson.loads(file.read_bytes())
    document["services"]["lambda"] = {"polling_seconds": 60}
    file.write_bytes(orjson.dumps(document))

    replaced = findstream("config", "monitoring", "--replace", str(file), "--json")

    assert replaced.json["services"]["lambda"]["polling_seconds"] == 60
    assert findstream("config", "monitoring", "--replace", str(file)).code == 3
    file.write_bytes(orjson.dumps({"services": {}}))
    assert findstream("config", "monitoring", "--replace", str(file), "--json").json["version"] == 2
    for wrong in (b"{", b"[]"):
        file.write_bytes(wrong)
        assert findstream("config", "monitoring", "--replace", str(file)).code == 2


def test_who_is_no_admin_sees_their_own(world: DeskWorld, create: Callable[..., str], findstream: Findstream) -> None:
    task = create("--assignee", BOB.user_id)

    def seen(who: Principal) -> int:
        keep(world.url, who)
        return findstream("tasks", "show", task).code

    assert [seen(ADA), seen(BOB), seen(EVE)] == [0, 0, 3]
