"""Where an agent runs. All of it stands in the ARN of its function."""

import re
from dataclasses import dataclass
from typing import Final, Self

from pipeline.errors import PlaceUnknown

_ARN: Final = re.compile(r"arn:(?P<partition>aws[a-z-]*):lambda:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):function:.+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Place:
    """A partition (``aws``, ``aws-cn``, …), a region and an account; ``arn`` is the function's."""

    partition: str
    region: str
    account: str
    arn: str

    @classmethod
    def of_function(cls, arn: str) -> Self:
        """The place of the function ``arn``, which may end in an alias or version. Raises ``PlaceUnknown``."""
        found = _ARN.fullmatch(arn)
        if found is None:
            raise PlaceUnknown(arn)
        return cls(found["partition"], found["region"], found["account"], ":".join(arn.split(":")[:7]))

    def log_group(self, name: str) -> str:
        """The ARN of a log group here."""
        return f"arn:{self.partition}:logs:{self.region}:{self.account}:log-group:{name}"

    def log_stream(self, group: str, name: str) -> str:
        """The ARN of a log stream here."""
        return f"{self.log_group(group)}:log-stream:{name}"
