"""What all event bodies share.

Reading:   fields that this build does not know are ignored, so that an older reader digests a newer producer's body.
Producing: unknown fields are refused (``schemas.registry.Registry.check``), so that no misspelt field gets onto the log.
Absent:    a field with a default may be missing; its default then holds for ever, for replay must not change its meaning.
"""

from typing import Annotated, Final

import orjson
from pydantic import BaseModel, ConfigDict, Field

from schemas.envelope import MAX_TIME_US

MAX_NAME: Final = 256
"""Longest name of a channel, route, user, stack version and the like, in characters."""

TimeUs = Annotated[int, Field(ge=0, lt=MAX_TIME_US)]
"""Microseconds since the epoch, UTC."""

Name = Annotated[str, Field(max_length=MAX_NAME)]
"""A short text; empty where it does not apply."""

UserId = Annotated[str, Field(max_length=64)]
"""Id of a user, never a name: names resolve on reading. Empty: nobody, or the system itself."""


Version = Annotated[int, Field(ge=1)]
"""Of what a command changed, after the change: 1, 2, 3… without a gap."""


class Body(BaseModel):
    """The body of one type and version of event. Values are compared by content and never change."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    def encoded(self) -> bytes:
        """The body as JSON for ``Envelope.body``: only the fields that were given, in the order of the model."""
        return orjson.dumps(self.model_dump(mode="json", exclude_unset=True))
