"""How fast passwords may be tried: decided from what failed before, without locking anybody out for long.

Counted:  each attempt before its password is compared, by every key that it has; a success forgets the keys of its account.
Keys:     the address from which it comes (an IPv6 one by its /64), and the account that it names. Who signed in to an account
          from an address before is counted there apart from strangers, so that these cannot keep the owner out.
Waiting:  the first attempts are free; each further one has to wait twice as long as the one before, up to a minute. An attempt
          that comes too early is refused without being counted or compared. After a quarter of an hour all is forgotten.
Alike:    accounts that do not exist are counted like those that do.
Source: OWASP Authentication Cheat Sheet, "Account Lockout"; OWASP, "Blocking Brute Force Attacks", section "Device Cookies".
"""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import IPv6Address, ip_address
from typing import Final

from consumers.people.errors import SignInThrottled
from consumers.people.port import Attempts
from consumers.people.session import Failures

SECOND_US: Final = 1_000_000
FORGOTTEN_US: Final = 900 * SECOND_US
KNOWN_US: Final = 30 * 86_400 * SECOND_US
LONGEST_SECONDS: Final = 60

_PREFIX_BITS: Final = 64


@dataclass(frozen=True, slots=True)
class Limit:
    """So many attempts in a row are free."""

    free: int

    def wait_us(self, failures: Failures) -> int:
        """How long after the last attempt the next may come."""
        over = failures.count - self.free
        return 0 if over < 0 else min(LONGEST_SECONDS, 1 << min(over, 30)) * SECOND_US


ACCOUNT: Final = Limit(5)
ADDRESS: Final = Limit(30)


class Throttle:
    """Counts attempts. ``clock`` answers microseconds since the epoch."""

    def __init__(self, attempts: Attempts, *, clock: Callable[[], int]) -> None:
        self._attempts = attempts
        self._clock = clock

    def admit(self, email: str, address: str) -> None:
        """Count an attempt. Raises ``SignInThrottled`` if it comes too early; then it is not counted."""
        self._count(_key("address", _network(address)), ADDRESS)
        self._count(self._account(email, address), ACCOUNT)

    def succeeded(self, email: str, address: str) -> None:
        """Forget what failed before on this account from here, and know this address from now on."""
        now_us = self._clock()
        self._uncount(_key("address", _network(address)))
        key = _key("known", email, _network(address))
        known = self._attempts.get(key)
        self._attempts.forget(_key("account", email, _network(address) if self._fresh(known, KNOWN_US) else ""))
        self._attempts.swap(key, known, Failures(0, now_us), expires_us=now_us + KNOWN_US)

    def _account(self, email: str, address: str) -> str:
        known = self._attempts.get(_key("known", email, _network(address)))
        return _key("account", email, _network(address) if self._fresh(known, KNOWN_US) else "")

    def _count(self, key: str, limit: Limit) -> None:
        while True:
            now_us = self._clock()
            before = self._attempts.get(key)
            counted = before if before and self._fresh(before, FORGOTTEN_US) else Failures(0, now_us)
            wait_us = counted.last_us + limit.wait_us(counted) - now_us
            if counted.count and wait_us > 0:
                raise SignInThrottled(-(-wait_us // SECOND_US))
            after = Failures(counted.count + 1, now_us)
            if self._attempts.swap(key, before, after, expires_us=now_us + FORGOTTEN_US):
                return

    def _uncount(self, key: str) -> None:
        """An attempt that succeeded was none; if others count just now, it stays one."""
        if (before := self._attempts.get(key)) and before.count:
            after = Failures(before.count - 1, before.last_us)
            self._attempts.swap(key, before, after, expires_us=before.last_us + FORGOTTEN_US)

    def _fresh(self, failures: Failures | None, kept_us: int) -> bool:
        return failures is not None and self._clock() - failures.last_us < kept_us


def _network(address: str) -> str:
    """What one client can hardly have many of. What is no address counts as one."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(int(parsed) >> (128 - _PREFIX_BITS))
    return str(parsed)


def _key(*parts: str) -> str:
    """A key that names nobody."""
    return sha256("\n".join(parts).encode()).hexdigest()
