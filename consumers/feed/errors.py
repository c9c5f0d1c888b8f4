"""What can break in the feed. The docstring says when, then what the operator does."""


class FeedError(Exception):
    """The base of all below."""


class FeedFull(FeedError):
    """As many clients follow as are allowed. Do: close some pages, or follow with a filter from one program."""


class FeedClosed(FeedError):
    """The server is stopping. Do: nothing; clients reconnect."""
