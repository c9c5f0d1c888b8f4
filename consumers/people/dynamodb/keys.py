"""Failed attempts and ingest keys in DynamoDB, as the port says."""

from collections.abc import Sequence
from contextlib import suppress
from random import Random

from consumers.people.dynamodb.items import ABSENT, KEYS, PRESENT, attempt_key, named, secret_key, ttl
from consumers.people.errors import KeyUnknown
from consumers.people.session import Failures, IngestKey
from pipeline.dynamodb_table import Item, Key, Refused, Table, delete, put, update


class DynamoAttempts:
    """The port ``Attempts``."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, key: str) -> Failures | None:
        """What is known of a key."""
        item = self._table.get(attempt_key(key))
        return Failures(int(item["count"]), int(item["last"])) if item else None

    def swap(self, key: str, before: Failures | None, after: Failures, *, expires_us: int) -> bool:
        """Replace ``before``, as the port says."""
        item: Item = {"count": after.count, "last": after.last_us, "expires": ttl(expires_us)}
        condition, values = (ABSENT, {}) if before is None else ("#count = :count AND #last = :last", _read(before))
        try:
            self._table.write(put(attempt_key(key), item, condition, values))
        except Refused:
            return False
        return True

    def forget(self, key: str) -> None:
        """Forget a key."""
        self._table.write(delete(attempt_key(key)))


class DynamoKeys:
    """The port ``IngestKeys``."""

    def __init__(self, table: Table, dice: Random) -> None:
        self._table = table
        self._dice = dice

    def add(self, key: IngestKey, secret_hash: str) -> None:
        """Keep a new key."""
        item: Item = {"name": key.name, "created": key.created_us, "by": key.created_by, "hash": secret_hash}
        writes = [put(Key(KEYS, key.id), item, ABSENT), put(secret_key(secret_hash), {"key": key.id}, ABSENT)]
        self._table.transact(writes, named(self._dice))

    def list(self) -> Sequence[IngestKey]:
        """All keys."""
        return [_key(item) for item in self._table.query(KEYS)]

    def find(self, secret_hash: str) -> IngestKey | None:
        """The key whose secret has this hash, unless it is revoked."""
        known = self._table.get(secret_key(secret_hash))
        item = self._table.get(Key(KEYS, str(known["key"]))) if known else None
        return _key(item) if item and "revoked" not in item else None

    def used(self, key_id: str, now_us: int) -> None:
        """Note that a key was used."""
        with suppress(Refused):
            self._table.write(update(Key(KEYS, key_id), "SET #used = :now", PRESENT, {"now": now_us}))

    def revoke(self, key_id: str, now_us: int) -> IngestKey:
        """Refuse a key from now on, as the port says."""
        for key in self.list():
            if key.id == key_id:
                with suppress(Refused):
                    unrevoked = f"{PRESENT} AND attribute_not_exists(#revoked)"
                    self._table.write(update(Key(KEYS, key_id), "SET #revoked = :now", unrevoked, {"now": now_us}))
                return _key(self._table.get(Key(KEYS, key_id)) or {})
        message = f"no key has the id {key_id}"
        raise KeyUnknown(message)


def _read(failures: Failures) -> dict[str, str | int | bytes]:
    return {"count": failures.count, "last": failures.last_us}


def _key(item: Item) -> IngestKey:
    return IngestKey(
        str(item["sk"]),
        str(item["name"]),
        int(item["created"]),
        str(item["by"]),
        int(item["used"]) if "used" in item else None,
        int(item["revoked"]) if "revoked" in item else None,
    )
