"""JSON in any arrangement comes apart into documents; rubbish comes back whole."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.unwrap import documents
from pipeline.unwrap.documents import Document, in_bytes, in_lines, lines_of

ONE, TWO = {"a": 1, "b": ["}", "]", '\\"']}, {"c": {"d": None}}


def values(data: bytes) -> list[Any]:
    """Good documents as values, bad ones as their bytes."""
    found = list(in_bytes(data))
    assert found == list(in_lines(BytesIO(data))) or b"\n" in data
    return [document.raw if document.fault else document.value for document in found]


def pretty(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2)


def plain(value: Any) -> bytes:
    return orjson.dumps(value)


@pytest.mark.parametrize(
    "data",
    [
        plain(ONE) + b"\n" + plain(TWO),
        plain(ONE) + b"\r\n\r\n" + plain(TWO) + b"\r\n",
        plain(ONE) + plain(TWO),
        plain(ONE) + b" , " + plain(TWO) + b",",
        pretty(ONE) + b"\n" + pretty(TWO),
        pretty(ONE) + pretty(TWO) + b"\n\n",
        plain(ONE) + b"\n" + pretty(TWO),
        pretty(ONE) + b"\n" + plain(TWO),
        b"\x1e" + plain(ONE) + b"\n\x1e" + plain(TWO) + b"\n",
        b"\xef\xbb\xbf" + plain(ONE) + b"\n" + plain(TWO),
    ],
    ids=["lines", "crlf", "one line", "commas", "pretty", "pretty, touching", "mixed", "mixed 2", "json-seq", "bom"],
)
def test_two_documents_come_apart_however_they_stand(data: bytes) -> None:
    assert values(data) == [ONE, TWO]


@pytest.mark.parametrize(
    "data",
    [
        plain([ONE, TWO]),
        pretty([ONE, TWO]),
        b"[\n" + plain(ONE) + b",\n" + plain(TWO) + b"\n]\n",
        b"\xef\xbb\xbf" + pretty([ONE, TWO]),
    ],
)
def test_an_array_is_one_document_however_it_is_written(data: bytes) -> None:
    assert values(data) == [[ONE, TWO]]
    assert [document.value for document in in_lines(BytesIO(data))] == [[ONE, TWO]]


@pytest.mark.parametrize("data", [b"", b" \n\t\r\n", b"\xef\xbb\xbf", b"\n\n\n", b",\n,\n"])
def test_blank_input_has_no_documents(data: bytes) -> None:
    assert values(data) == []


def test_each_line_of_rubbish_is_one_bad_document() -> None:
    data = b"\n".join([plain(ONE), b"rubbish", plain(TWO), b"more \xff rubbish", b'{"a" 1}'])

    assert values(data) == [ONE, b"rubbish", TWO, b"more \xff rubbish", b'{"a" 1}']


def test_documents_know_their_lines_and_faults() -> None:
    data = b"\n".join([plain(ONE), b"", pretty(TWO), b"rubbish"])

    found = list(in_bytes(data))

    assert [document.line for document in found] == [1, 3, 8]
    assert [document.fault for document in found] == ["", "", "is no JSON: unexpected character, expected a JSON value"]


@pytest.mark.parametrize("cut", range(1, len(plain(ONE))))
def test_a_line_that_was_cut_anywhere_spoils_no_other(cut: int) -> None:
    data = b"\n".join([plain(TWO), plain(ONE)[:cut], plain(TWO), plain(TWO)])

    assert values(data) == [TWO, plain(ONE)[:cut], TWO, TWO]


def test_a_document_of_several_lines_that_was_cut_is_one_bad_document() -> None:
    broken = b'{\n  "a": 1,\n  "b": {\n    "c": 2\n  ...\n'
    data = plain(ONE) + b"\n" + broken + plain(TWO)

    assert values(data) == [ONE, broken.strip(), TWO]


def test_the_end_of_a_broken_document_is_not_lost() -> None:
    assert values(b'{\n  "a": [1,\n') == [b'{\n  "a": [1,']
    assert values(b'{\n  "a": "no end\n}\n') == [b'{\n  "a": "no end\n}']
    assert values(b'{\n  "a": "no end\n},\n...\n' + plain(TWO)) == [b'{\n  "a": "no end\n},\n...', TWO]


@pytest.mark.parametrize(
    "cut", [b'{"a": {"b": 1', b'{"a": {"b": "c', b'{"a": {"b": [1], ', b'{"a": {"b": 1}', b'{"a": {', b"[1, [2"]
)
@pytest.mark.parametrize("rubbish", [b"rubbish", b"2026-01-02 it failed", b"-- ", b"\xff\xfe", b". . ."])
def test_a_line_that_was_cut_does_not_swallow_rubbish_behind_it(cut: bytes, rubbish: bytes) -> None:
    data = b"\n".join([plain(ONE), cut, rubbish, cut, plain(TWO)])

    assert values(data) == [ONE, cut.strip(), rubbish.strip(), cut.strip(), TWO]


def test_rubbish_inside_of_a_document_belongs_to_it() -> None:
    broken = b'{\n  "a": [1],\n  ...\n  "b": {\n    "c": 2\n  }\n}'

    assert values(broken + b"\n" + plain(TWO)) == [broken, TWO]


def test_whole_objects_inside_of_a_broken_array_are_saved() -> None:
    data = b"[\n" + plain(ONE) + b"\n" + plain(TWO) + b",\n"

    assert values(data) == [b"[", ONE, TWO]


def test_what_follows_a_document_on_its_line_is_not_lost() -> None:
    assert values(plain(ONE) + b" and so on\n" + plain(TWO)) == [ONE, b"and so on", TWO]
    assert values(b'{"a": 1}}\n' + plain(TWO)) == [{"a": 1}, b"}", TWO]


def test_scalars_are_documents_too() -> None:
    assert values(b'1\n"text"\nnull') == [1, "text", None]


@pytest.mark.parametrize("data", [b"[" * 2000, b'{"a":' * 2000, b'"' + b'\\"' * 5000, b"[" * 100 + b"]" * 50 + b"\n" * 50])
def test_hostile_text_is_one_bad_document(data: bytes) -> None:
    assert values(data) == [data.strip()]


def test_a_document_longer_than_the_limit_is_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "LONGEST", 100)
    long = plain({"a": "x" * 100})

    assert [document.fault for document in in_bytes(long)] == ["is longer than 0 MiB"]
    assert next(in_bytes(b'{"a":\n' + b'"x",\n' * 100)).fault == "is longer than 0 MiB"


def test_lines_come_out_of_pieces_whole() -> None:
    assert list(lines_of([b"ab", b"c\nd", b"", b"e\n\nf"])) == [b"abc", b"de", b"", b"f"]
    assert list(lines_of([])) == []


def test_a_line_without_end_is_cut_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "LONGEST", 10)

    assert list(lines_of([b"x" * 8, b"x" * 8, b"x\ny"])) == [b"x" * 16, b"x", b"y"]


@given(st.lists(st.sampled_from([b"{", b"}", b"[", b"]", b'"', b"\\", b",", b":", b"1", b" ", b"\n", b"a", b'{"a":1}', b"\xff"])))
def test_no_byte_that_says_anything_is_lost(pieces: list[bytes]) -> None:
    data = b"".join(pieces)

    kept = b"".join(document.raw for document in in_lines(BytesIO(data)))

    assert _essence(kept) == _essence(data)


@given(
    st.lists(st.dictionaries(st.text(max_size=5), st.integers(-(2**63), 2**63) | st.text(max_size=5), max_size=3), max_size=5),
    st.sampled_from([plain, pretty]),
    st.data(),
)
def test_documents_that_are_written_are_read(
    written: list[dict[str, Any]], write: Callable[[Any], bytes], data: st.DataObject
) -> None:
    text = b"".join(write(value) + data.draw(st.sampled_from([b"\n", b"\n\n", b""])) for value in written)

    assert [document.value for document in in_bytes(text)] == written


def test_a_document_shows_what_it_is() -> None:
    assert Document({"a": 1}, b'{"a":1}', 1).fault == ""


def _essence(data: bytes) -> bytes:
    return bytes(byte for byte in data if byte not in b" \t\r\n,\x1e")


def test_bytes_that_are_no_text_are_called_so() -> None:
    (document,) = in_bytes(b"\xff\xfe{}")

    assert document.fault == "is no JSON: it is not UTF-8 text"
