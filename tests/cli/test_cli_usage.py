"""Every command: helpful help, one clear line for a mistake, JSON and nothing else where it is asked for."""

import os
import re
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from consumers.composition import open_log
from pipeline.settings import Settings
from tests.cli.shell import Findstream

COMMANDS = (
    "run", "ingest", "sample", "status", "tail", "events", "replay", "rebuild", "report", "backup", "restore", "doctor",
    "quarantine list", "quarantine show", "quarantine reingest", "quarantine discard",
    "parked list", "parked show", "parked redrive",
    "notify why", "notify preview", "notify test", "notify ledger", "notify dead", "notify redrive", "notify retry",
    "login", "logout", "whoami", "users bootstrap", "users list", "users create", "users edit", "users remove", "users password",
    "keys create", "keys list", "keys revoke", "keys rotate-signing",
)  # fmt: skip
WITHOUT_EVENTS = (
    "status", "tail --no-follow", "events", "replay", "rebuild --all", "rebuild --all --cancel", "report", "doctor",
    "quarantine list", "quarantine reingest --all", "parked list", "parked redrive --all",
    "notify ledger", "notify dead", "notify redrive --all", "sample --count 3",
)  # fmt: skip
READING = (
    *(command for command in WITHOUT_EVENTS if command not in {"doctor", "sample --count 3"}),
    "parked show x", "quarantine show x", "quarantine discard x", "notify preview x", "notify why x", "backup copy",
)  # fmt: skip


@pytest.fixture
def emptied(home: Path) -> Path:
    """A folder with a log that holds nothing yet."""
    with open_log(Settings.load()):
        return home


@pytest.mark.parametrize("command", READING)
def test_who_only_reads_makes_no_folder(findstream: Findstream, home: Path, command: str) -> None:
    answer = findstream(*command.split())

    assert (answer.code, answer.out) == (3, "")
    assert f"{home} holds no " in answer.err
    assert "FINDSTREAM_HOME" in answer.err
    assert not home.exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_help_tells_what_a_command_does_with_an_example(findstream: Findstream, command: str) -> None:
    answer = findstream(*command.split(), "--help")

    assert answer.code == 0
    assert f"findstream {command}" in answer.out
    assert "Examples:" in answer.out


@pytest.mark.parametrize("command", COMMANDS)
def test_help_speaks_in_words_and_keeps_the_indent_of_examples(findstream: Findstream, command: str) -> None:
    told = findstream(*command.split(), "-h").out
    usage = next(line for line in told.splitlines() if "Usage:" in line)

    assert not re.search(r"<[a-z]|list\[", told)
    assert "...]" not in usage
    assert "...}" not in usage
    assert re.search(r"^ Examples: *\n   \S", told, re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_can_answer_in_json(findstream: Findstream, command: str) -> None:
    assert "--json" in findstream(*command.split(), "--help").out


@pytest.mark.usefixtures("emptied")
@pytest.mark.parametrize("command", WITHOUT_EVENTS)
def test_json_is_all_there_is_on_stdout_also_without_any_event(findstream: Findstream, command: str) -> None:
    answer = findstream(*command.split(), "--json")

    assert answer.code == 0
    documents = [orjson.loads(line) for line in answer.out.splitlines()]
    assert bool(documents) is not command.startswith("tail")


@pytest.mark.usefixtures("emptied")
@pytest.mark.parametrize("command", [command for command in WITHOUT_EVENTS if not command.startswith("sample")])
def test_people_get_words_also_without_any_event(findstream: Findstream, command: str) -> None:
    answer = findstream(*command.split())

    assert answer.code == 0
    assert "Traceback" not in answer.err


@pytest.mark.usefixtures("emptied")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("bogus", "No such command 'bogus'"),
        ("events --bogus", "--bogus"),
        ("events -s LOUD", "'--severity' / '-s': 'LOUD' is no severity; write UNKNOWN, LOW, MEDIUM, HIGH, CRITICAL, or 0 to 4"),
        ("events --since soon", "'--since': 'soon' is no time; write 15m, 2h or 7d (ago), 2026-01-31"),
        ("events --since 2026-01-31T09:00:00", "is no time"),
        ("events --since 2h --until 3h", "--until: must be later than --since"),
        ("events --limit 0", "'--limit'"),
        ("events --cursor x", "cursor: not one of this system's"),
        ("events --direction up", "'--direction': 'up' is not one of 'asc', 'desc'"),
        ("events --account 12", "'--account': '12' is no account; write its 12 digits"),
        ("tail --no-follow --account x", "'--account': 'x' is no account"),
        ("ingest nowhere.json", "FILE: nowhere.json does not exist"),
        ("rebuild", "NAME: name the projections (event_index, "),
        ("rebuild weather", "'weather' is no projection; there are event_index, "),
        ("replay weather", "'weather' is no projection"),
        ("parked redrive", "KEY: name keys, or say --all"),
        (
            "quarantine list --after nope",
            "--after: 'nope' is no item of the quarantine; write an id as findstream quarantine list",
        ),
        ("quarantine reingest", "ID: name ids, or say --all"),
        ("notify test nowhere", "CHANNEL: 'nowhere' is no channel; there are default"),
        ("notify retry nowhere", "CHANNEL: 'nowhere' is no channel; there are default"),
        ("notify ledger --channel nowhere", "CHANNEL: 'nowhere' is no channel; there are default"),
        ("notify redrive", "KEY: name keys, or say --all"),
        ("notify redrive nothing", "not of the form route/group/flush, for example threats/account="),
        ("report --date yesterday", "'--date': 'yesterday' is no day; write it as 2026-01-31"),
        ("sample --storms 2", "'--storms': '2' is no share; write a number from 0 to 0.9"),
        ("run --rate 0", "'--rate'"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(findstream: Findstream, arguments: str, says: str) -> None:
    answer = findstream(*arguments.split())

    assert answer.code == 2
    assert answer.out == ""
    assert len(answer.err.splitlines()) == 1
    assert answer.err.startswith("findstream: ")
    assert says in answer.err


@pytest.mark.usefixtures("emptied")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("parked show nothing", "'nothing' is not parked"),
        ("parked redrive nothing", "'nothing' is not parked"),
        ("quarantine show nothing", "'nothing' is not in the quarantine"),
        ("notify preview nothing", "no event has the id 'nothing'"),
        ("notify why nothing", "no event has the id 'nothing'"),
        ("notify ledger --event nothing", "no event has the id 'nothing'"),
    ],
)
def test_an_id_of_nothing_is_refused_in_one_line(findstream: Findstream, arguments: str, says: str) -> None:
    answer = findstream(*arguments.split())

    assert (answer.code, answer.out) == (3, "")
    assert len(answer.err.splitlines()) == 1
    assert answer.err.startswith(f"findstream: {says}")


def test_a_wrong_setting_is_named_with_its_accepted_form(findstream: Findstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINDSTREAM_PORT", "http")

    answer = findstream("status")

    assert (answer.code, answer.out) == (2, "")
    assert "FINDSTREAM_PORT: " in answer.err
    assert "integer" in answer.err


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("CORS_ORIGINS", "write it as https://ops.example,https://wall.example:8443"),
        ("CONSOLE_URL", "write it as https://findstream.example"),
    ],
)
def test_a_url_is_asked_for_by_an_example(findstream: Findstream, monkeypatch: pytest.MonkeyPatch, name: str, says: str) -> None:
    monkeypatch.setenv(f"FINDSTREAM_{name}", "ops")

    assert findstream("status").err == f"findstream: FINDSTREAM_{name}: {says}\n"


def test_without_a_command_help_is_shown(findstream: Findstream) -> None:
    answer = findstream()

    assert "Usage: findstream" in answer.out
    assert all(f" {command.split()[0]} " in answer.out for command in COMMANDS)


def test_who_only_looks_need_not_wait_for_the_rest() -> None:
    code = "import sys; from consumers.cli import call; call(['events', '--help']); print(*sys.modules, sep='\\n')"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()

    assert "consumers.cli.looking" in told
    assert not {"slack_sdk", "pipeline.ingest", "consumers.sample", "uvicorn"} & set(told)


@pytest.mark.parametrize("words", [["ingest", "-"], ["rebuild", "--all"], ["parked", "redrive", "--all"], ["notify", "dead"]])
def test_where_data_lies_in_a_folder_nothing_of_aws_is_imported(home: Path, words: list[str]) -> None:
    code = f"import sys; from consumers.cli import call; call(['ingest', '-']); call({words}); print(*sys.modules, sep='\\n')"
    environment = os.environ | {"FINDSTREAM_HOME": str(home)}
    told = subprocess.run([sys.executable, "-c", code], input="", capture_output=True, text=True, check=True, env=environment)

    assert "consumers.composition" in told.stdout.splitlines()
    assert not {"boto3", "botocore", "consumers.aws", "pipeline.opening"} & set(told.stdout.splitlines())


def test_the_version_can_be_asked_for(findstream: Findstream) -> None:
    answer = findstream("--version")

    assert answer.code == 0
    assert answer.out.startswith("findstream ")


def test_a_defect_is_told_in_one_line_too(findstream: Findstream, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        message = "it broke"
        raise ZeroDivisionError(message)

    monkeypatch.setattr("pipeline.settings.Settings.load", broken)

    answer = findstream("status")

    assert answer.code == 1
    assert (
        answer.err == "findstream: a defect of findstream: ZeroDivisionError: it broke (FINDSTREAM_LOG_LEVEL=DEBUG shows where)\n"
    )


def test_the_trace_of_a_defect_can_be_asked_for(findstream: Findstream, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("pipeline.settings.Settings.load", broken)
    monkeypatch.setenv("FINDSTREAM_LOG_LEVEL", "DEBUG")

    assert "Traceback" in findstream("status").err


def test_a_data_folder_that_cannot_be_made_is_named(findstream: Findstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINDSTREAM_HOME", "/dev/null")

    answer = findstream("sample", "--count", "3", "--ingest")

    assert (answer.code, answer.err) == (1, "findstream: FINDSTREAM_HOME: /dev/null cannot be made a folder: File exists\n")


def test_an_empty_variable_counts_as_not_set(findstream: Findstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINDSTREAM_HOME", "")
    monkeypatch.setenv("FINDSTREAM_PORT", "")

    assert f"{Path('var').absolute()} holds no data" in findstream("status").err
