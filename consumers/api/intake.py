"""What the API needs of ingest: one method of ``pipeline.ingest.Ingest``."""

from typing import Protocol

from pipeline.ingest import Accepted


class Intake(Protocol):
    """Takes raw input in, strictly."""

    def accept(self, raw: bytes, *, origin: str) -> Accepted:
        """Take all of ``raw``, durably, or nothing. Raises ``InputRejected`` for what cannot be an event, ``LogUnavailable``."""
        ...
