"""What can break in live judging. The docstring says when, then what the operator does."""

from consumers.rules.errors import RulesError


class BookBehind(RulesError):
    """A shard has taken up a version that is not in the book: what was read of the rules is older than what was read before.

    Do: nothing; judging waits until the projection ``rules`` has caught up. If it stays so, see why that is behind.
    """
