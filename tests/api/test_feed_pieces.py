"""The live feed in pieces, as it is served where answers are buffered."""

from typing import Any

import httpx
import pytest
from httpx_sse import EventSource

from consumers.api.authentication import Authentication
from consumers.cli.following import Following
from consumers.feed import pieces, vector
from consumers.feed.message import Filter
from consumers.feed.pieces import piece
from pipeline.log.port import Batch, Position
from tests.api.world import USER, MemoryLog, World, finding, signed_in
from tests.support.facts import fact

NO = Filter()


def told(body: bytes) -> tuple[list[Any], str, int]:
    """The events of a piece, the place behind it, and the milliseconds until the next."""
    answer = httpx.Response(200, headers={"content-type": "text/event-stream"}, content=body)
    blocks = list(EventSource(answer).iter_sse())
    retry = next(block.retry for block in blocks if block.retry is not None)
    return [block.json() for block in blocks if block.data], blocks[-1].id, retry


class Counting:
    """A log that counts how often it is read."""

    def __init__(self, inner: MemoryLog) -> None:
        self._inner = inner
        self.reads = 0

    def read(self, shard: str, after: Position | None, limit: int) -> Batch:
        self.reads += 1
        return self._inner.read(shard, after, limit)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def test_who_comes_new_stands_at_the_present_and_reads_nothing(world: World) -> None:
    world.log.append([finding(n) for n in range(5)])
    log: Any = Counting(world.log)

    events, place, retry = told(piece(log, world.log.heads(), NO, None))

    assert (events, vector.decode(place), retry) == ([], world.log.heads(), pieces.WAIT_MILLISECONDS)
    assert told(piece(log, world.log.heads(), NO, vector.decode(place))) == ([], place, pieces.WAIT_MILLISECONDS)
    assert log.reads == 0


def test_pieces_join_to_the_whole_feed_in_order_without_a_repeat(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consumers.feed.backlog.BATCH", 7)
    monkeypatch.setattr("consumers.feed.pieces.MOST_READS", 2)
    world.log.append([finding(n) for n in range(200)])
    found: list[Any] = []
    place, retry = "genesis", pieces.HURRY_MILLISECONDS
    while retry == pieces.HURRY_MILLISECONDS:
        events, place, retry = told(piece(world.log, world.log.heads(), NO, vector.decode(place)))
        found += events

    assert len({event["id"] for event in found}) == len(found) == 200
    positions = [Position.parse(event["position"]) for event in found]
    for shard, head in world.log.heads().items():
        assert [p.sequence for p in positions if p.shard == shard] == list(range(1, head.sequence + 1))
    assert vector.decode(place) == world.log.heads()


def test_a_piece_is_bounded_by_its_bytes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consumers.feed.backlog.BATCH", 5)
    monkeypatch.setattr("consumers.feed.pieces.MOST_BYTES", 1)
    world.log.append([finding(n) for n in range(200)])

    events, _, retry = told(piece(world.log, world.log.heads(), NO, {}))

    assert 0 < len(events) <= 5 * len(world.log.heads())
    assert retry == pieces.HURRY_MILLISECONDS


def test_what_is_not_folded_yet_is_told_later(world: World) -> None:
    world.log.append([finding(1)])
    goal = dict(world.log.heads())

    assert told(piece(world.log, {}, NO, {})) == ([], "genesis", pieces.WAIT_MILLISECONDS)
    assert len(told(piece(world.log, goal, NO, {}))[0]) == 1


def test_a_piece_in_which_nothing_matches_moves_the_client(world: World) -> None:
    world.log.append([finding(n) for n in range(5)])

    events, place, _ = told(piece(world.log, world.log.heads(), Filter(min_severity=4), {}))

    assert (events, vector.decode(place)) == ([], world.log.heads())


@pytest.fixture
def lambda_like(world: World) -> httpx.Client:
    """A client of the resolver with this route, as API Gateway calls it."""
    authentication = Authentication(world.sign_in, local=False, cookies=False)
    feed = pieces.routes(world.log, world.log.heads, principal=authentication.principal)
    resolver = world.resolver(authentication=authentication, more=[feed])

    def answer(request: httpx.Request) -> httpx.Response:
        query = dict(request.url.params)
        event = {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": request.url.path,
            "rawQueryString": request.url.query.decode(),
            "queryStringParameters": query,
            "headers": dict(request.headers),
            "requestContext": {"stage": "$default", "http": {"method": request.method, "path": request.url.path}},
            "isBase64Encoded": False,
        }
        made = resolver.resolve(event, None)
        return httpx.Response(made["statusCode"], headers=made["headers"], text=made["body"])

    return httpx.Client(base_url="https://api.example", transport=httpx.MockTransport(answer), headers=signed_in())


def test_the_route_takes_filters_and_the_place_as_the_stream_does(lambda_like: httpx.Client, world: World) -> None:
    world.log.append([finding(1), finding(2, severity=4, summary="The disk is full")])

    answer = lambda_like.get("/feed?after=genesis&severity=high&text=full+disk")

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert [event["summary"] for event in told(answer.content)[0]] == ["The disk is full"]
    place = told(answer.content)[1]
    assert told(lambda_like.get("/feed", headers={"Last-Event-ID": place}).content)[0] == []


@pytest.mark.parametrize("query", ["severity=bad", "after=nonsense", "account=1", "nonsense=1"])
def test_a_wrong_wish_is_refused(lambda_like: httpx.Client, query: str) -> None:
    assert lambda_like.get(f"/feed?{query}").status_code == 422


def test_a_user_gets_what_users_may_see(lambda_like: httpx.Client, world: World) -> None:
    secret = fact("config.changed", finding(1).time_us, 1)
    world.log.append([finding(1), secret])
    seen: list[list[str]] = []
    for who in (signed_in(USER), signed_in()):
        events = told(lambda_like.get("/feed?after=genesis", headers=who).content)[0]
        seen.append([event["type"] for event in events])

    assert seen[0] == ["finding.observed"]
    assert sorted(seen[1]) == ["config.changed", "finding.observed"]
    assert lambda_like.get("/feed", headers={"Authorization": ""}).status_code == 401


def test_the_command_line_follows_pieces_as_it_follows_a_stream(lambda_like: httpx.Client, world: World) -> None:
    world.log.append([finding(n) for n in range(3)])
    waited: list[float] = []
    said: list[str] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        world.log.append([finding(10 + len(waited))])
        if len(waited) == 3:
            raise KeyboardInterrupt

    found: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        found.extend(event["id"] for event in Following(lambda_like, {}, "genesis", say=said.append, sleep=sleep))

    assert set(found) == {finding(n).id for n in (0, 1, 2, 11, 12)}
    assert len(found) == 5
    assert waited == [5.0] * 3
    assert said == []
