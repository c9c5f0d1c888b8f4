"""gzip, zlib and base64 open within bounds."""

import gzip
import io
import zlib
from base64 import b64encode

import pytest

from pipeline.errors import NotUnpacked
from pipeline.unwrap import packing
from pipeline.unwrap.packing import Budget, chunks, from_base64, unpacked

TEXT = b'{"a": 1}\n' * 1000


def test_gzip_and_zlib_open() -> None:
    assert unpacked(gzip.compress(TEXT), Budget(10_000)) == TEXT
    assert unpacked(zlib.compress(TEXT), Budget(10_000)) == TEXT


def test_members_of_gzip_make_one_text_and_padding_is_none() -> None:
    assert unpacked(gzip.compress(b"a") + gzip.compress(b"b") + b"\0\0", Budget(10)) == b"ab"


def test_what_unpacks_to_too_much_is_refused_before_it_is_in_memory() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)

    with pytest.raises(NotUnpacked, match="unpacks to more than 1 MiB"):
        unpacked(bomb, Budget(1 << 20))


def test_a_budget_is_spent_by_all_that_opens() -> None:
    budget = Budget(15_000)
    unpacked(gzip.compress(TEXT), budget)

    with pytest.raises(NotUnpacked):
        unpacked(gzip.compress(TEXT), budget)
    with pytest.raises(NotUnpacked):
        unpacked(gzip.compress(b"x"), budget)


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(TEXT, mtime=0)[:-9],
        gzip.compress(TEXT, mtime=0)[:5],
        b"\x1f\x8bnonsense",
        gzip.compress(b"a", mtime=0) + b"rest",
    ],
)
def test_damaged_gzip_is_refused(data: bytes) -> None:
    with pytest.raises(NotUnpacked, match="is damaged gzip"):
        unpacked(data, Budget(10_000))


def test_base64_opens() -> None:
    assert from_base64(b64encode(TEXT).decode()) == TEXT


@pytest.mark.parametrize("text", ["%", "abc", "ä", None, 7, ["YQ=="]])
def test_other_text_is_no_base64(text: object) -> None:
    with pytest.raises(NotUnpacked, match="is not base64"):
        from_base64(text)


@pytest.mark.parametrize("data", [b"", b"a", b"ab", TEXT])
def test_a_plain_stream_comes_as_it_is(data: bytes) -> None:
    assert b"".join(chunks(io.BytesIO(data))) == data


@pytest.mark.parametrize("pad", [b"", b"\0" * 512])
def test_a_packed_stream_comes_unpacked_in_pieces(pad: bytes) -> None:
    text = bytes(range(256)) * 20_000
    packed = gzip.compress(text[:100]) + gzip.compress(text[100:]) + pad

    pieces = list(chunks(io.BytesIO(packed)))

    assert b"".join(pieces) == text
    assert max(map(len, pieces)) <= packing.MEBIBYTE


@pytest.mark.parametrize("cut", [3, 11, 40, -1, -8])
def test_a_packed_stream_that_was_cut_is_refused_at_its_end(cut: int) -> None:
    with pytest.raises(NotUnpacked, match="is damaged gzip"):
        list(chunks(io.BytesIO(gzip.compress(TEXT)[:cut])))


def test_a_packed_stream_that_turns_into_something_else_is_refused() -> None:
    with pytest.raises(NotUnpacked, match="is damaged gzip"):
        list(chunks(io.BytesIO(gzip.compress(TEXT) + b"rest")))


def test_a_bomb_of_a_stream_is_refused_on_the_way() -> None:
    bomb = gzip.compress(b"\0" * (80 << 20))
    come = 0

    def read() -> None:
        nonlocal come
        for piece in chunks(io.BytesIO(bomb)):
            come += len(piece)

    with pytest.raises(NotUnpacked, match="unpacks to more than 200 times its size"):
        read()
    assert come <= 65 << 20
