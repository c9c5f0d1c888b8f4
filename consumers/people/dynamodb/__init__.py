"""The store of people in the DynamoDB table of everything else.

Layout:  users ``people#user``/id, e-mail addresses ``people#email``/address (so that no two users have one), the number of active
         admins ``people#admins``/active, sessions ``people#session#<user>``/id, failed attempts ``people#attempt#<key>``, ingest
         keys ``people#key``/id and ``people#key_hash``/hash. Sessions and attempts have a TTL; it is not relied upon.
Atomic:  what spans items is one transaction, conditional on what was read; one that was overtaken is decided anew.
"""

from collections.abc import Callable
from random import Random
from time import sleep
from typing import Any

from consumers.people.dynamodb.keys import DynamoAttempts, DynamoKeys
from consumers.people.dynamodb.sessions import DynamoSessions
from consumers.people.dynamodb.users import DynamoUsers
from consumers.people.errors import PeopleUnavailable
from consumers.people.passwords import Passwords
from pipeline.dynamodb_table import Table


class DynamoPeople:
    """The port of people on the table of this name. ``dice`` names transactions and spreads retries."""

    def __init__(
        self,
        client: Any,
        table: str,
        *,
        dice: Random,
        passwords: Passwords | None = None,
        pause: Callable[[float], None] = sleep,
    ) -> None:
        opened = Table(client, table, PeopleUnavailable, dice=dice, pause=pause)
        self.users = DynamoUsers(opened, passwords or Passwords(), dice)
        self.sessions = DynamoSessions(opened, dice)
        self.attempts = DynamoAttempts(opened)
        self.keys = DynamoKeys(opened, dice)

    def close(self) -> None:
        """Nothing is held open."""
