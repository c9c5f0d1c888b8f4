"""Event patterns of Amazon EventBridge: read and refused as there, and compiled to closures over parsed JSON.

Source: Amazon EventBridge User Guide, "Comparison operators for use in event patterns"; github.com/aws/event-ruler.
"""

from typing import Any

from consumers.rules.pattern.matching import MISSING, Match, matcher
from consumers.rules.pattern.reading import read
from consumers.rules.pattern.tree import Leaf, Node

__all__ = ["MISSING", "Leaf", "Match", "Node", "compiled", "matcher", "read"]


def compiled(pattern: Any) -> Match:
    """Whether a document matches this pattern. Raises ``PatternRefused`` if it is none."""
    return matcher(read(pattern))
