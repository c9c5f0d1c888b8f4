"""What Slack refuses, and what must never be in a message of ours.

Stricter than Slack where Slack's words can be read in two ways: lengths are UTF-16 code units of the escaped text, and the 50
blocks hold for a message together with its attachments. A message that could ping somebody, or that links anywhere but to the
console, is refused too, as are texts in which an ``&``, ``<`` or ``>`` stands unescaped.
Source: Slack API, "Reference: blocks", "Composition objects", "Formatting text for app surfaces".
"""

import re
from collections.abc import Iterator
from typing import Any

CONSOLE = "http://127.0.0.1:8321"

BLOCKS, ATTACHMENTS, ACTIONS, CONTEXT, FIELDS = 50, 100, 25, 10, 10
HEADER, SECTION, FIELD, ELEMENT, BLOCK_ID, TEXT = 150, 3000, 2000, 2000, 255, 40_000

_KEYS = {"text", "blocks", "attachments", "unfurl_links", "unfurl_media"}
_BOTH = frozenset({"plain_text", "mrkdwn"})


def violations(payload: Any, *, console: str = CONSOLE) -> list[str]:
    """Everything for which Slack would refuse ``payload``, and everything by which it could ping or mislead."""
    if not isinstance(payload, dict):
        return ["a message is an object"]
    return [*_top(payload), *_parts(payload.get("blocks", []), payload.get("attachments", [])), *_injections(payload, console)]


def width(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def strings(value: Any) -> Iterator[str]:
    """Every text in ``value``, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from (key, *strings(each))
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)


def _top(payload: dict[str, Any]) -> Iterator[str]:
    if unknown := payload.keys() - _KEYS:
        yield f"unknown keys {sorted(unknown)}"
    text = payload.get("text")
    if not isinstance(text, str) or not text.strip():
        yield "text is required"
    elif width(text) > TEXT:
        yield "text is too long"


def _parts(blocks: Any, attachments: Any) -> Iterator[str]:
    if not isinstance(blocks, list) or not isinstance(attachments, list):
        yield "blocks and attachments are lists"
        return
    yield from _count(attachments, 0, ATTACHMENTS, "attachments")
    everything = [*blocks, *(block for attachment in attachments for block in attachment.get("blocks", []))]
    yield from _count(everything, 0, BLOCKS, "blocks")
    ids = [block["block_id"] for block in everything if "block_id" in block]
    if len(ids) != len(set(ids)):
        yield "a block_id is there twice"
    if any(width(name) > BLOCK_ID for name in ids):
        yield "block_id is too long"
    for attachment in attachments:
        if not re.fullmatch(r"#[0-9a-f]{6}", attachment.get("color", "#000000")):
            yield "color is not #rrggbb"
    for block in everything:
        check = _BLOCKS.get(block.get("type"))
        yield from check(block) if check else [f"block of type {block.get('type')!r}"]


def _header(block: dict[str, Any]) -> Iterator[str]:
    yield from _text(block.get("text"), HEADER, "header", frozenset({"plain_text"}))


def _section(block: dict[str, Any]) -> Iterator[str]:
    if "text" not in block and "fields" not in block:
        yield "a section needs text or fields"
    if "text" in block:
        yield from _text(block["text"], SECTION, "section")
    if "fields" in block:
        yield from _count(block["fields"], 1, FIELDS, "fields")
        for each in block["fields"]:
            yield from _text(each, FIELD, "field")


def _context(block: dict[str, Any]) -> Iterator[str]:
    yield from _count(block.get("elements", []), 1, CONTEXT, "context elements")
    for each in block.get("elements", []):
        yield from _text(each, ELEMENT, "context element")


def _actions(block: dict[str, Any]) -> Iterator[str]:
    yield from _count(block.get("elements", []), 1, ACTIONS, "actions")


_BLOCKS: dict[Any, Any] = {
    "header": _header,
    "section": _section,
    "context": _context,
    "actions": _actions,
    "divider": lambda _: (),
}


def _count(found: list[Any], least: int, most: int, what: str) -> Iterator[str]:
    if not least <= len(found) <= most:
        yield f"{len(found)} {what}, not {least} to {most}"


def _text(text: Any, limit: int, where: str, types: frozenset[str] = _BOTH) -> Iterator[str]:
    if not isinstance(text, dict) or text.get("type") not in types or not isinstance(text.get("text"), str):
        yield f"{where}: no text object of type {sorted(types)}"
        return
    if not text["text"].strip():
        yield f"{where}: empty text"
    if width(text["text"]) > limit:
        yield f"{where}: {width(text['text'])} characters, more than {limit}"
    if text["type"] == "mrkdwn" and text.get("verbatim") is not True:
        yield f"{where}: mrkdwn that is not verbatim would turn names and addresses into mentions and links"


def _injections(payload: Any, console: str) -> Iterator[str]:
    own_link = re.compile(rf"<{re.escape(console)}/[^<>|\s]*\|[^<>|]*>")
    for text in strings(payload):
        rest = own_link.sub("", text)
        if "<" in rest or ">" in rest:
            yield f"unescaped bracket: {rest[:80]!r}"
        if re.search(r"&(?!amp;|lt;|gt;)", rest):
            yield f"unescaped or cut ampersand: {rest[:80]!r}"
        if re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]", rest):
            yield f"control character: {rest[:80]!r}"
