"""How a body of an old version becomes one of the next: pure steps on parsed JSON, one a version.

A step takes the body of version N and returns the body of version N + 1. It neither changes its argument nor asks anything
else; it must know every body that was ever written at N. Steps are never removed: the log holds its first events for ever.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]

UPCASTERS: Final[Mapping[tuple[str, int], Upcaster]] = {}
"""(type, N) -> the step from N to N + 1. Empty: no type has a second version yet."""
