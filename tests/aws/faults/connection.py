"""Faults of any service: the network, and servers that fail as a whole.

To a client, silence and a connection that ends without an answer are the same: the request may have been done.
"""

from collections.abc import Callable

from tests.aws.faults.exchange import Answer, Call, Fault, Unanswered, error


def dropped_before() -> Fault:
    """The connection ends before the server hears of the request."""

    def play(_: Call) -> Answer:
        raise Unanswered

    return Fault("dropped before", play)


def dropped_after() -> Fault:
    """The server does as asked; the connection ends before the client hears of it."""

    def play(call: Call) -> Answer:
        call.passed_on()
        raise Unanswered

    return Fault("dropped after", play)


def silent_before() -> Fault:
    """The server never hears of the request; the client waits until its own time-out."""

    def play(_: Call) -> Answer:
        raise Unanswered(held=True)

    return Fault("silent before", play)


def silent_after() -> Fault:
    """The server does as asked; the client waits for the answer until its own time-out."""

    def play(call: Call) -> Answer:
        call.passed_on()
        raise Unanswered(held=True)

    return Fault("silent after", play)


def refused(code: str, *, status: int = 400) -> Fault:
    """The error ``code`` instead of the request."""
    return Fault(code, lambda _: error(code, "Injected.", status=status))


def internal_failure(code: str = "InternalFailure") -> Fault:
    """An HTTP 500 instead of the request."""
    return refused(code, status=500)


def failed_after(code: str = "InternalFailure") -> Fault:
    """The server does as asked, and then answers HTTP 500."""

    def play(call: Call) -> Answer:
        call.passed_on()
        return error(code, "Injected.", status=500)

    return Fault(f"{code} after", play)


def meanwhile(name: str, act: Callable[[], object]) -> Fault:
    """``act`` happens just before the server gets the request, for example a shard splits under its reader."""

    def play(call: Call) -> Answer:
        act()
        return call.passed_on()

    return Fault(name, play)
