"""How many examples a property deserves whose single example is dear."""

from hypothesis import settings


def share(part: int) -> settings:
    """The profile's number of examples, divided by ``part``."""
    return settings(max_examples=max(5, settings().max_examples // part))
