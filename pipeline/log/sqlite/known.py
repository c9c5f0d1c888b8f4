"""Which ids the log knows, and where their events stand: what refuses a repeated event.

One statement serves all keys of a block, which come joined and are cut apart by the numbers in ``number``. A statement each
would give the GIL away, and wait for it, a thousand times: beside one busy thread that is the difference between 64,000 and
754 keys a second.
"""

import sqlite3
from collections.abc import Sequence
from typing import Final

from pipeline.log.sqlite.keys import KEY_BYTES, key_of

_KEY: Final = f"substr(:keys, 1 + {KEY_BYTES} * i, {KEY_BYTES})"
_INSERT: Final = f"INSERT INTO known (id, address) SELECT {_KEY}, :first + i FROM number WHERE i < :count"  # noqa: S608 constants
_FIND: Final = f"SELECT i, known.address FROM number CROSS JOIN known ON known.id = {_KEY} WHERE i < :count"  # noqa: S608 constants


def enter(connection: sqlite3.Connection, keys: Sequence[bytes], first: int) -> bool:
    """Enter the keys of the events of a block, the first of which stands at the address ``first``.

    False, and nothing entered, if one of them is known already.
    """
    try:
        connection.execute(_INSERT, {"keys": b"".join(keys), "count": len(keys), "first": first})
    except sqlite3.IntegrityError:
        return False
    return True


def find(connection: sqlite3.Connection, keys: Sequence[bytes]) -> dict[int, int]:
    """The addresses of those keys that are known, by their number in ``keys``, those of one block."""
    return dict(connection.execute(_FIND, {"keys": b"".join(keys), "count": len(keys)}))


def address_of_id(connection: sqlite3.Connection, event_id: str) -> int | None:
    """Where the event with this id stands."""
    row = connection.execute("SELECT address FROM known WHERE id = ?", (key_of(event_id),)).fetchone()
    return row[0] if row else None
