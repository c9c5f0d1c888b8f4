"""What happens to the configuration. Subject: ``config/monitoring``, or ``config/aws/<config_id>``."""

from typing import Annotated, Any, Literal

from pydantic import Field

from schemas.body import Body, UserId, Version


class ConfigChanged(Body):
    """A configuration was made or replaced. ``document`` is the whole of it as it now stands, but for what is kept secret.

    ``config`` ``aws`` tells how one watched account is reached; there are many, told apart by ``config_id``. ``monitoring`` tells
    which services are watched and how; there is one. ``version`` is that of this configuration, after the change.
    """

    config: Literal["aws", "monitoring"]
    config_id: Annotated[str, Field(min_length=1, max_length=64)]
    document: dict[str, Any]
    version: Version
    by: UserId
