"""``tail --url``: the live feed of a server, followed from afar through all that can interrupt it."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import httpx
import orjson
import pytest

from consumers.cli import session, tailing
from consumers.cli.exits import FAILED, INTERRUPTED, USAGE
from consumers.cli.following import MOST_SECONDS, Following
from consumers.cli.kept_tokens import Kept, KeptTokens
from consumers.cli.last import Filter
from consumers.composition import now_us
from consumers.errors import ApiFailed, ApiRefused
from tests.cli.shell import Findstream

SERVER = "https://findstream.example"
STREAM = {"content-type": "text/event-stream; charset=utf-8"}
Answer = httpx.Response | httpx.TransportError


def block(number: int) -> bytes:
    return b'id: s:%d:0\ndata: {"n":%d}\n\n' % (number, number)


def stream(*blocks: bytes) -> httpx.Response:
    return httpx.Response(200, headers=STREAM, stream=Blocks(blocks))


class Blocks(httpx.SyncByteStream):
    """A stream that fails where it is ``b"!"``."""

    def __init__(self, blocks: tuple[bytes, ...]) -> None:
        self._blocks = blocks

    def __iter__(self) -> Iterator[bytes]:
        for each in self._blocks:
            if each == b"!":
                message = "the network broke"
                raise httpx.ReadError(message)
            yield each


def error(status: int, message: str) -> httpx.Response:
    return httpx.Response(status, json={"error": {"code": "x", "message": message, "details": []}})


class Far:
    """A server that gives these answers, one a request; then the test is over."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.slept: list[float] = []
        self.said: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if not self.answers:
            raise KeyboardInterrupt
        answer = self.answers.pop(0)
        if isinstance(answer, httpx.TransportError):
            raise answer
        return answer

    def follow(self, place: str = "", **asked: str) -> list[Any]:
        """What a follower is told until the answers are at an end."""
        told: list[Any] = []
        with session.client(server=SERVER, signed_in=False, transport=httpx.MockTransport(self)) as api:
            following = Following(api, asked, place, say=self.said.append, sleep=self.slept.append)
            with pytest.raises(KeyboardInterrupt):
                told.extend(event["n"] for event in following)
        return told

    @property
    def places(self) -> list[str | None]:
        """Behind what each request asked to go on."""
        return [request.headers.get("last-event-id") for request in self.requests]


def test_events_are_told_and_the_filters_are_the_server_s() -> None:
    far = Far(stream(b"retry: 2000\nid: s:0:0\n\n", block(1), block(2)))

    assert far.follow(severity="3", text="disk full") == [1, 2]
    assert dict(far.requests[0].url.params) == {"severity": "3", "text": "disk full"}
    assert far.places[0] is None


def test_whoever_is_interrupted_goes_on_behind_what_was_told() -> None:
    far = Far(stream(block(1), b"!"), httpx.ConnectError("refused"), error(503, "later"), stream(block(2)))

    assert far.follow() == [1, 2]
    assert far.places == [None, "s:1:0", "s:1:0", "s:1:0", "s:2:0"]
    assert far.said == ["interrupted, goes on once it can: the network broke"]


def test_half_an_event_is_not_told_and_asked_for_again() -> None:
    far = Far(stream(block(1), b'id: s:2:0\ndata: {"n":'), stream(block(2)))

    assert far.follow() == [1, 2]
    assert far.places[1] == "s:1:0"


def test_a_heartbeat_moves_the_place_and_tells_nothing() -> None:
    far = Far(stream(block(1), b": still here\nid: s:9:0\n\n"))

    assert far.follow() == [1]
    assert far.places == [None, "s:9:0"]


def test_who_was_too_slow_goes_on_where_the_server_says() -> None:
    far = Far(stream(block(1), b'event: dropped\nid: s:1:0\ndata: {"resume":"s:1:0"}\n\n'), stream(block(2)))

    assert far.follow() == [1, 2]


def test_the_wait_is_what_the_server_asks_for_and_grows_to_a_minute() -> None:
    far = Far(stream(b"retry: 3000\nid: s:0:0\n\n"), *[httpx.ConnectError("refused")] * 7, stream(block(1)), stream())

    far.follow()

    assert far.slept[:7] == [3, 6, 12, 24, 48, MOST_SECONDS, MOST_SECONDS]
    assert far.slept[8:10] == [3, 6]


def test_a_summary_with_odd_line_breaks_stays_one_event() -> None:
    far = Far(stream(b'id: s:1:0\ndata: {"n":"a\xe2\x80\xa8b\xc2\x85c"}\n\n'))

    assert far.follow() == ["a\u2028b\x85c"]


@pytest.mark.parametrize("answer", [httpx.ConnectError("refused"), error(503, "too many follow")])
def test_a_server_that_does_not_answer_at_first_is_an_error(answer: Answer) -> None:
    with (
        pytest.raises(ApiFailed, match=r"refused|too many"),
        session.client(server=SERVER, signed_in=False, transport=httpx.MockTransport(Far(answer))) as api,
    ):
        next(iter(Following(api, {}, "", say=print, sleep=lambda _: None)))


@pytest.mark.parametrize("body", [httpx.Response(200, text="<html>"), stream(b"data: {\n\n")])
def test_what_is_no_feed_is_told(body: httpx.Response) -> None:
    with (
        pytest.raises(ApiFailed, match="is it a findstream server"),
        session.client(server=SERVER, signed_in=False, transport=httpx.MockTransport(Far(body))) as api,
    ):
        next(iter(Following(api, {}, "", say=print, sleep=lambda _: None)))


def test_a_right_that_was_taken_away_ends_it() -> None:
    far = Far(stream(block(1)), error(403, "admins only"))
    with (
        pytest.raises(ApiRefused, match="admins only"),
        session.client(server=SERVER, signed_in=False, transport=httpx.MockTransport(far)) as api,
    ):
        list(islice(Following(api, {}, "", say=print, sleep=lambda _: None), 2))


@pytest.fixture
def far(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Far]:
    """Lets the command follow a far server, as somebody who signed in there."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    tokens = KeptTokens(SERVER)
    with tokens.held():
        tokens.write(Kept(SERVER, "ada@x.org", "token", "refresh", now_us() + 3_600_000_000))

    def reach(*answers: Answer) -> Far:
        server = Far(*answers)
        transport = httpx.MockTransport(server)
        monkeypatch.setattr(tailing, "client", lambda **asked: session.client(**asked, transport=transport))
        monkeypatch.setattr(tailing, "sleep", server.slept.append)
        return server

    return reach


EVENT = {
    "time": 1767225600.5,
    "severity": 3,
    "account": "",
    "source": "aws.health",
    "type": "finding.observed",
    "summary": "gone\x1b[2J",
    "id": "e1",
}


def test_the_command_shows_a_far_feed_and_says_how_to_go_on(findstream: Findstream, far: Callable[..., Far]) -> None:
    server = far(stream(b"id: s:7:0\ndata: " + orjson.dumps(EVENT) + b"\n\n"))

    answer = findstream("tail", "--url", f"{SERVER}/", "-s", "HIGH", "--resource", "arn:x", "--account", "111122223333")

    assert answer.code == INTERRUPTED
    assert answer.out == "2026-01-01 00:00:00Z HIGH     -            aws.health             finding.observed: gone\ufffd[2J\n"
    assert answer.err.endswith("to go on from here: --after s:7:0\n")
    request = server.requests[0]
    assert str(request.url).startswith(f"{SERVER}/feed?")
    assert dict(request.url.params) == {"severity": "3", "resource": "arn:x", "account": "111122223333"}
    assert request.headers["authorization"] == "Bearer token"


def test_the_command_goes_on_where_it_was_in_json(findstream: Findstream, far: Callable[..., Far]) -> None:
    server = far(stream(b"id: s:8:0\ndata: " + orjson.dumps(EVENT) + b"\n\n"))

    assert findstream("tail", "--url", SERVER, "--after", "s:7:0", "--json").lines == [EVENT]
    assert server.places == ["s:7:0", "s:8:0"]


def test_the_command_may_begin_at_the_beginning(findstream: Findstream, far: Callable[..., Far]) -> None:
    server = far()

    assert findstream("tail", "--url", SERVER, "--since-start").code == INTERRUPTED
    assert server.places == ["genesis"]


def test_nothing_is_said_of_going_on_before_there_was_anything(findstream: Findstream, far: Callable[..., Far]) -> None:
    far()

    assert findstream("tail", "--url", SERVER).err == ""


def test_a_server_that_is_away_is_told(findstream: Findstream, far: Callable[..., Far]) -> None:
    far(httpx.ConnectError("refused"))

    answer = findstream("tail", "--url", SERVER)

    assert (answer.code, answer.out) == (FAILED, "")
    assert f"{SERVER} cannot be reached: refused" in answer.err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--url", "findstream.example"), "write https://findstream.example"),
        (("--url", SERVER, "--last", "5"), "a feed is not read backwards"),
        (("--url", SERVER, "--no-follow"), "a feed has no end"),
        (("--url", SERVER, "--since-start", "--after", "s:1:0"), "contradicts --since-start"),
        (("--after", "s:1:0"), "goes with --url"),
    ],
)
def test_what_a_feed_cannot_do_is_wrong_usage(findstream: Findstream, options: tuple[str, ...], told: str) -> None:
    answer = findstream("tail", *options)

    assert answer.code == USAGE
    assert told in answer.err


def test_a_filter_that_is_empty_asks_for_nothing() -> None:
    assert Filter("", "", "", 0).asked() == {}
