"""How commands about tasks, agents and configuration reach the server: signed in, over HTTP, as anybody else does."""

from collections.abc import Mapping

from consumers.cli.session import client
from consumers.draw import draw_id

__all__ = ["client", "drawn_key"]


def drawn_key() -> Mapping[str, str]:
    """The header that makes a command safe to be sent again."""
    return {"Idempotency-Key": str(draw_id())}
