"""Writes ``schemas/published/``: what programs in other languages know of our events. ``python -m schemas.publish``.

Append-only: a published schema is only ever replaced by one that ``schemas.compatibility`` lets take its place, and never
             removed. ``HISTORY`` holds the SHA-256 of every form that was published, oldest first, the last of a file being
             the current one; a file that does not match was edited by hand, and nothing is written over it.
Same code, same bytes: the output depends on nothing but the models.
This is a door for developers, and the only module here that reads or writes files or needs PyYAML.
"""

import sys
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import orjson
import yaml

from schemas import asyncapi, cloudevents
from schemas.compatibility import breaches
from schemas.errors import IncompatibleSchema
from schemas.registry import REGISTRY, Registry

FOLDER: Final = Path(__file__).parent / "published"
HISTORY: Final = "HISTORY"
RELEASE: Final = "1"
"""Of the AsyncAPI document: raised by hand when the stream itself changes; schemas carry versions of their own."""

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def generated(registry: Registry = REGISTRY) -> dict[str, bytes]:
    """File name -> contents, for all that is published."""
    files = {"envelope.json": _json(f"{cloudevents.SCHEMA_URN}envelope", cloudevents.schema())}
    for name, version in registry:
        files[f"{name}-{version}.json"] = _json(f"{cloudevents.SCHEMA_URN}{name}:{version}", registry.schema(name, version))
    document = asyncapi.document(registry, release=RELEASE)
    files["asyncapi.yaml"] = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120).encode()
    return files


def publish(files: Mapping[str, bytes], folder: Path) -> list[str]:
    """Write what is new or changed; returns the names of the files written. Everything is checked first.

    Raises ``IncompatibleSchema`` if a published schema would break, vanish, or was edited by hand.
    """
    schemas = {name: text for name, text in files.items() if name.endswith(".json")}
    history = read_history(folder)
    published = {path.name: path.read_bytes() for path in sorted(folder.glob("*.json"))}
    if complaints := [*_edited(published, history), *_broken(published, schemas)]:
        raise IncompatibleSchema("\n".join(complaints))
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in files.items():
        path = folder / name
        if not path.exists() or path.read_bytes() != text:
            path.write_bytes(text)
            written.append(name)
    news = [(digest(schemas[name]), name) for name in written if name in schemas]
    if news:
        (folder / HISTORY).write_text("".join(f"{hashed}  {name}\n" for hashed, name in [*history, *news]))
    return written


def read_history(folder: Path) -> list[tuple[str, str]]:
    """All (SHA-256, file name) ever published, oldest first."""
    path = folder / HISTORY
    lines = path.read_text().splitlines() if path.exists() else []
    return [(hashed, name) for hashed, _, name in (line.partition("  ") for line in lines)]


def digest(text: bytes) -> str:
    """The SHA-256 of a published file, in hexadecimal, as ``sha256sum`` writes it."""
    return sha256(text).hexdigest()


def _edited(published: Mapping[str, bytes], history: list[tuple[str, str]]) -> list[str]:
    current = {name: hashed for hashed, name in history}
    missing = [f"{name}: was published and is gone" for name in current if name not in published]
    return missing + [
        f"{name}: was edited by hand; its hash is not the last in {HISTORY}"
        for name, text in published.items()
        if digest(text) != current.get(name)
    ]


def _broken(published: Mapping[str, bytes], schemas: Mapping[str, bytes]) -> list[str]:
    gone = [f"{name}: was published, but no model generates it any more" for name in published if name not in schemas]
    return gone + [
        f"{name}: {breach}"
        for name, text in schemas.items()
        if name in published
        for breach in breaches(orjson.loads(published[name]), orjson.loads(text))
    ]


def _json(identity: str, schema: dict[str, Any]) -> bytes:
    whole = {"$schema": _DIALECT, "$id": identity, **schema}
    return orjson.dumps(whole, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def main() -> int:
    """Publish into ``schemas/published``. 0: done; 1: refused, with the reasons on stderr."""
    try:
        written = publish(generated(), FOLDER)
    except IncompatibleSchema as refused:
        print(f"nothing was published:\n{refused}\nRaise the version and write an upcaster.", file=sys.stderr)  # noqa: T201 - a door
        return 1
    print("\n".join(f"wrote {FOLDER / name}" for name in written) or "nothing to publish")  # noqa: T201 - a door
    return 0


if __name__ == "__main__":
    sys.exit(main())
