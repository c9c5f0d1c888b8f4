"""The JSON documents in text: one, an array, NDJSON, concatenated, pretty-printed, or a mixture, with rubbish between.

Loss:     every byte that is not white space (or a comma between documents) comes back in exactly one document, a good one or
          one with a ``fault``.
Recovery: a line that is no JSON is a bad document by itself. A document of several lines that turns out broken is one bad
          document, up to the first line, not indented, that cannot be part of it; lines inside it that are whole objects come
          back as documents of their own.
Memory:   one document, at most ``LONGEST`` bytes; longer ones come in bad pieces.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

import orjson

LONGEST: Final = 64 << 20
"""Most bytes of one document, 64 MiB: CloudTrail's largest files are below."""

_BOM: Final = b"\xef\xbb\xbf"
_SEPARATORS: Final = b" \t\r\n,\x1e"
_OPENING: Final = (b"{", b"[")
_VALUE: Final = b'"{[-0123456789tfn'
"""How a value begins."""
_TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*("?)|[{}\[\]]', re.DOTALL)


@dataclass(slots=True)
class Document:
    """One JSON value with its bytes and its first line (from 1); with a ``fault`` the bytes are no JSON, and that says why."""

    value: Any
    raw: bytes
    line: int
    fault: str = ""


def in_bytes(data: bytes) -> Iterator[Document]:
    """The documents in ``data``."""
    text = data.removeprefix(_BOM).strip()
    end = text.find(b"\n")
    if end >= 0 and _parsed(text[:end], 1).fault:
        whole = _parsed(text, 1)
        if not whole.fault:
            yield whole
            return
    yield from in_lines(BytesIO(data))


def in_lines(lines: Iterable[bytes]) -> Iterator[Document]:
    """The documents in lines, which may keep their ends."""
    splitter = _Splitter()
    number = 0
    for line in lines:
        number += 1
        if not splitter.lines:
            text = line.strip()
            try:
                if len(text) <= LONGEST:
                    yield Document(orjson.loads(text), text, number)
                    continue
            except orjson.JSONDecodeError:
                text = text.removeprefix(_BOM) if number == 1 else text
                if not text:
                    continue
        yield from splitter.feed(line.removeprefix(_BOM) if number == 1 else line, number)
    yield from splitter.end()


def lines_of(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The lines in pieces of bytes; a line is cut after ``LONGEST`` bytes."""
    rest = bytearray()
    for chunk in chunks:
        rest += chunk
        start = 0
        while (end := rest.find(b"\n", start)) >= 0:
            yield bytes(rest[start:end])
            start = end + 1
        del rest[:start]
        if len(rest) > LONGEST:
            yield bytes(rest)
            rest.clear()
    if rest:
        yield bytes(rest)


class _Splitter:
    """Puts documents together that share a line or span several."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, bytes]] = []
        """Of the document that has begun and not ended."""
        self._open = bytearray()
        """Its brackets that are open."""
        self._size = 0
        self._broken = False

    def feed(self, line: bytes, number: int) -> Iterator[Document]:
        """The documents that end in this line."""
        if self._is_of_another(line):
            yield from self.end()
        text = line.rstrip(b"\r\n")
        while text:
            if not self.lines:
                text = text.lstrip(_SEPARATORS)
                if text and not text.startswith(_OPENING):
                    yield _parsed(text.rstrip(_SEPARATORS), number)
                    return
            end = self._scan(text)
            self._keep(text if end is None else text[:end], number)
            if end is None:
                if self._size > LONGEST or (self._broken and len(self.lines) == 1):
                    yield from self.end()
                return
            yield from self._finished()
            text = text[end:]

    def end(self) -> Iterator[Document]:
        """The rest, which is no whole document: its lines that are objects by themselves, and the bad stretches between them."""
        lines = self.lines
        stretch: list[tuple[int, bytes]] = []
        self._clear()
        for number, line in lines:
            alone = _parsed(line.strip(), number) if line.startswith(b"{") else None
            if alone and not alone.fault:
                yield from _bad(stretch)
                yield alone
                stretch = []
            else:
                stretch.append((number, line))
        yield from _bad(stretch)

    def _finished(self) -> Iterator[Document]:
        whole = _parsed(b"\n".join(line for _, line in self.lines).strip(), self.lines[0][0])
        if whole.fault:
            yield from self.end()
        else:
            self._clear()
            yield whole

    def _is_of_another(self, line: bytes) -> bool:
        """Whether this line cannot belong to the open document: it begins where lines of other documents do, and does not fit.

        A line that is indented and does not fit breaks the open document, of which it is part.
        """
        if not self.lines or not line.strip():
            return False
        if self._broken:
            return line.startswith(_OPENING)
        if self._fits(line.lstrip()[:1]):
            return False
        self._broken = line[:1].isspace()
        return not self._broken

    def _fits(self, first: bytes) -> bool:
        """Whether ``first`` may come after the open document's last character."""
        last = self.lines[-1][1].rstrip()[-1:]
        if last == b"{" or (last == b"," and self._open.endswith(b"{")):
            return first in b'"}'
        if last in b"[,:":
            return first in _VALUE or (last == b"[" and first == b"]")
        return first in b",:}]"

    def _scan(self, text: bytes) -> int | None:
        """Where in ``text`` the open document ends, None if it does not. A text in quotes that does not end makes it broken."""
        if self._broken:
            return None
        for token in _TOKEN.finditer(text):
            sign = token[0]
            if sign in b"{[":
                self._open += sign
            elif sign in b"}]":
                self._open.pop()
                if not self._open:
                    return token.end()
            elif not token[1]:
                self._broken = True
                return None
        return None

    def _keep(self, text: bytes, number: int) -> None:
        if text.strip():
            self.lines.append((number, text))
            self._size += len(text)

    def _clear(self) -> None:
        self.lines, self._open, self._size, self._broken = [], bytearray(), 0, False


def _parsed(text: bytes, line: int) -> Document:
    if len(text) > LONGEST:
        return Document(None, text, line, f"is longer than {LONGEST >> 20} MiB")
    try:
        return Document(orjson.loads(text), text, line)
    except orjson.JSONDecodeError as broken:
        why = "it is not UTF-8 text" if "UTF-8" in broken.msg else broken.msg.partition(": line")[0]
        return Document(None, text, line, f"is no JSON: {why}")


def _bad(stretch: list[tuple[int, bytes]]) -> Iterator[Document]:
    if stretch:
        document = _parsed(b"\n".join(line for _, line in stretch).strip(), stretch[0][0])
        yield Document(None, document.raw, document.line, document.fault or "is no JSON")
