"""The codec of blocks: what goes in comes out, parts can be read alone, and damage is named."""

from io import BytesIO
from itertools import pairwise

import orjson
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import LogCorrupted
from pipeline.log.sqlite import blocks
from pipeline.log.sqlite.blocks import (
    FRAME_BYTES,
    FRAME_EVENTS,
    SMALL,
    SMALL_BODY,
    columns_of,
    decode_bodies,
    decode_frame,
    decode_headers,
    encode_bodies,
    encode_headers,
    pieces,
)
from schemas.envelope import Envelope
from tests.log.made_up import envelopes, event


@given(told=st.lists(envelopes, min_size=1, max_size=30), level=st.sampled_from([blocks.FAST, SMALL]))
def test_headers_come_back_as_they_were(told: list[Envelope], level: int) -> None:
    columns = columns_of(told)

    back, recorded_us, _ = decode_headers(encode_headers(columns, level=level), len(told))

    columns.resources = [list(some) for some in columns.resources]
    assert columns == back
    assert recorded_us == []


def test_recorded_times_come_back_with_the_headers() -> None:
    headers = encode_headers(columns_of([event(1), event(2)]), [10, 20])

    assert decode_headers(headers, 2)[1] == [10, 20]


@given(bodies=st.lists(st.binary(max_size=300) | st.text(max_size=300).map(str.encode), min_size=1, max_size=9))
def test_small_bodies_of_text_stand_among_the_headers(bodies: list[bytes]) -> None:
    headers = encode_headers(columns_of([event(number) for number in range(len(bodies))]), bodies=bodies)

    assert decode_headers(headers, len(bodies))[2] == {
        number: body for number, body in enumerate(bodies) if len(body) <= SMALL_BODY and is_text(body)
    }


def is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


@given(bodies=st.lists(st.binary(max_size=50), max_size=400))
def test_bodies_come_back_as_they_were(bodies: list[bytes]) -> None:
    frames = list(decode_bodies(BytesIO(encode_bodies(bodies))))

    assert bodies == [body for frame in frames for body in frame.bodies]
    assert all(len(frame.bodies) <= FRAME_EVENTS for frame in frames)


def test_one_body_is_read_from_its_frame_alone() -> None:
    bodies = [b"%d" % number for number in range(2 * FRAME_EVENTS + 10)]
    encoded = bytearray(encode_bodies(bodies))
    encoded[-20:] = bytes(20)

    frame = decode_frame(BytesIO(encoded), FRAME_EVENTS + 1)

    assert frame.first == FRAME_EVENTS
    assert bodies[FRAME_EVENTS : 2 * FRAME_EVENTS] == frame.bodies
    with pytest.raises(LogCorrupted, match="compressed data"):
        decode_frame(BytesIO(encoded), 2 * FRAME_EVENTS)


def test_a_large_body_has_a_frame_of_its_own() -> None:
    bodies = [b"a", b"b", bytes(FRAME_BYTES + 1), b"c"]

    frames = list(decode_bodies(BytesIO(encode_bodies(bodies))))

    assert [frame.first for frame in frames] == [0, 2, 3]
    assert bodies == [body for frame in frames for body in frame.bodies]


@given(sizes=st.lists(st.integers(0, 12)), most=st.integers(1, 5), most_bytes=st.integers(0, 20))
def test_pieces_are_whole_and_as_large_as_allowed(sizes: list[int], most: int, most_bytes: int) -> None:
    cut = [sizes[piece] for piece in pieces(sizes, most, most_bytes)]

    assert sizes == [size for piece in cut for size in piece]
    assert all(len(piece) == 1 or (len(piece) <= most and sum(piece) <= most_bytes) for piece in cut)
    for piece, following in pairwise(cut):
        assert len(piece) == most or sum(piece) + following[0] > most_bytes


def headers_of(content: object) -> bytes:
    return zstandard.ZstdCompressor().compress(orjson.dumps(content))


@pytest.mark.parametrize(
    "headers",
    [
        b"",
        b"no zstd",
        encode_headers(columns_of([event(1)]))[:-1],
        zstandard.ZstdCompressor().compress(b"no JSON"),
        headers_of([]),
        headers_of({}),
        headers_of({"id": ["a"], "recorded_us": [1]}),
        encode_headers(columns_of([event(1), event(2)])),
        encode_headers(columns_of([event(1)]), [1, 2]),
    ],
)
def test_damaged_headers_are_refused(headers: bytes) -> None:
    with pytest.raises(LogCorrupted):
        decode_headers(headers, 1)


def test_a_changed_bit_is_noticed() -> None:
    headers = bytearray(encode_headers(columns_of([event(number) for number in range(20)])))
    headers[len(headers) // 2] ^= 1

    with pytest.raises(LogCorrupted):
        decode_headers(bytes(headers), 20)


_FRAME_OF_NOTHING = zstandard.ZstdCompressor().compress(b"")


@pytest.mark.parametrize(
    "bodies",
    [
        b"",
        b"\1\0\0\0",
        b"\1\0\0\0" + b"\1\0\0\0" + b"\5\0\0\0" + b"nozstd",
        b"\1\0\0\0" + b"\1\0\0\0" + bytes([len(_FRAME_OF_NOTHING), 0, 0, 0]) + _FRAME_OF_NOTHING,
        encode_bodies([b"one"])[:-1],
        encode_bodies([]),
    ],
)
def test_damaged_bodies_are_refused(bodies: bytes) -> None:
    with pytest.raises(LogCorrupted):
        decode_frame(BytesIO(bodies), 0)
