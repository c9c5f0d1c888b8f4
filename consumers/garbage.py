"""How often Python looks for garbage in cycles: seldom, where events are folded by the ten thousand.

Folding allocates much and leaves next to no cycles; what is not in a cycle is freed at once in any case.
"""

import gc
from typing import Final

_ALLOCATIONS: Final = 100_000
_GENERATIONS: Final = (20, 20)


def collect_seldom() -> None:
    """Set the collector of this process, once what it needs is imported: that is never looked at again."""
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS, *_GENERATIONS)
