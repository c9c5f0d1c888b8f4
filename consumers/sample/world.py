"""The watched world of the samples: who owns what, and where. Made up, and the same for the same randomness."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

_TEAMS: Final = ("checkout", "payments", "search", "identity", "warehouse", "mobile", "insights", "media", "billing", "edge")
_STAGES: Final = ("prod", "staging", "dev")
_REGIONS: Final = (
    "eu-central-1",
    "eu-west-1",
    "us-east-1",
    "us-west-2",
    "eu-central-1",
    "ap-southeast-2",
    "us-east-1",
    "sa-east-1",
    "us-gov-west-1",
    "cn-north-1",
)


@dataclass(frozen=True, slots=True)
class Place:
    """One account in its home region. ``account`` is 12 digits."""

    account: str
    team: str
    stage: str
    region: str

    @property
    def name(self) -> str:
        """What people call the account."""
        return f"{self.team}-{self.stage}"

    @property
    def partition(self) -> str:
        """The first part of its ARNs. Source: AWS General Reference, "Amazon Resource Names", partitions."""
        return {"us-gov": "aws-us-gov", "cn-nor": "aws-cn"}.get(self.region[:6], "aws")

    def arn(self, service: str, resource: str) -> str:
        """An ARN of this account and region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    def iam(self, resource: str, service: str = "iam") -> str:
        """An ARN of this account's identities, which have no region."""
        return f"arn:{self.partition}:{service}::{self.account}:{resource}"

    def event(self, source: str, detail_type: str, resources: Sequence[str], detail: object) -> dict[str, object]:
        """An EventBridge envelope from here. Source: Amazon EventBridge User Guide, "AWS service event metadata"."""
        return {
            "version": "0",
            "id": "«id»",
            "detail-type": detail_type,
            "source": source,
            "account": self.account,
            "time": "«time»",
            "region": self.region,
            "resources": list(resources),
            "detail": detail,
        }


def places(rng: Random, accounts: int) -> list[Place]:
    """``accounts`` accounts, each with a number of its own."""
    numbers = rng.sample(range(100_000_000_000, 999_999_999_999), accounts)
    return [
        Place(
            account=str(number),
            team=_TEAMS[index % len(_TEAMS)] + ("" if index < len(_TEAMS) * len(_STAGES) else f"-{index // len(_TEAMS)}"),
            stage=_STAGES[index // len(_TEAMS) % len(_STAGES)],
            region=_REGIONS[index % len(_REGIONS)],
        )
        for index, number in enumerate(numbers)
    ]


def hexes(rng: Random, digits: int) -> str:
    """``digits`` random hexadecimal digits: the tail of an instance id, a hash."""
    return f"{rng.getrandbits(4 * digits):0{digits}x}"


def uuid(rng: Random) -> str:
    """A lasting identifier of a made-up thing."""
    digits = hexes(rng, 32)
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
