"""The server's socket."""

import socket
from contextlib import closing

from consumers.api.server import listen


def test_an_answer_does_not_wait_for_an_acknowledgement() -> None:
    """asyncio sets TCP_NODELAY on connections whose protocol is named, which they have from their listener."""
    with closing(listen(0)) as listening:
        assert listening.proto == socket.IPPROTO_TCP
