"""Structured logs: a JSON object a line for machines, a line of words on a terminal."""

import io
import logging
from collections.abc import Iterator

import orjson
import pytest

from consumers import logs


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_record_is_a_json_object_on_one_line() -> None:
    out = io.StringIO()
    logs.configure("projector", "INFO", out)

    logging.getLogger("some.module").warning("%d events\nfolded", 3, extra={"generation": 2})

    told = orjson.loads(out.getvalue())
    assert len(out.getvalue().splitlines()) == 1
    assert (told["service"], told["level"], told["message"], told["generation"]) == (
        "projector",
        "WARNING",
        "3 events\nfolded",
        2,
    )
    assert told["timestamp"].endswith("+00:00")


def test_an_exception_is_told_with_its_trace() -> None:
    out = io.StringIO()
    logs.configure("api", "INFO", out)

    try:
        orjson.loads(b"nonsense")
    except orjson.JSONDecodeError:
        logging.getLogger("some.module").exception("it broke")

    told = orjson.loads(out.getvalue())
    assert told["exception_name"] == "JSONDecodeError"
    assert "Traceback" in told["exception"]


def test_what_is_below_the_level_is_not_told() -> None:
    out = io.StringIO()
    logs.configure("api", "WARNING", out)

    logging.getLogger("some.module").info("quiet")

    assert out.getvalue() == ""


def test_chatty_libraries_are_quiet() -> None:
    out = io.StringIO()
    logs.configure("api", "INFO", out)

    logging.getLogger("uvicorn.access").info("GET /")

    assert out.getvalue() == ""


def test_on_a_terminal_people_read_a_line() -> None:
    out = Terminal()
    logs.configure("projector", "INFO", out)

    logging.getLogger("some.module").info("ready", extra={"generation": 2})
    logging.getLogger("some.module").error("gone")

    first, second = out.getvalue().splitlines()
    assert first[8:] == " projector  INFO    ready  generation=2"
    assert "\x1b[31mERROR  \x1b[0m gone" in second


def test_on_a_terminal_a_trace_is_shown_below() -> None:
    out = Terminal()
    logs.configure("projector", "INFO", out)

    try:
        orjson.loads(b"nonsense")
    except orjson.JSONDecodeError:
        logging.getLogger("some.module").exception("it broke")

    assert "it broke\nTraceback" in out.getvalue()


def test_configuring_twice_does_not_tell_twice() -> None:
    out = io.StringIO()
    logs.configure("a", "INFO", out)
    logs.configure("b", "INFO", out)

    logging.getLogger("some.module").info("once")

    assert len(out.getvalue().splitlines()) == 1
