"""What goes into each zip.

boto3 is ours, though Lambda has one: the version that was tested runs, and does not change overnight (AWS Lambda Developer
Guide, "Working with Python", on including the SDK). Nine tenths of it describe services that are not called; these stay out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Recipe:
    """``code`` are files and folders of the repository, ``without`` those in them that stay out; ``services`` are boto3's."""

    lock: Path
    code: tuple[str, ...]
    services: frozenset[str]
    without: tuple[str, ...] = ()


RECIPES: Final[Mapping[str, Recipe]] = {
    "central": Recipe(
        lock=ROOT / "infra/central/requirements.lock",
        code=("schemas", "pipeline", "projections", "consumers"),
        services=frozenset({"dynamodb", "kinesis", "lambda", "s3", "secretsmanager", "sesv2", "sqs", "sts"}),
        without=(
            "consumers/cli",
            "consumers/console",
            "consumers/roles",
            "consumers/sample",
            "pipeline/collectors",
            "schemas/published",
        ),
    ),
    "agent": Recipe(
        lock=ROOT / "infra/agent/requirements.lock",
        code=("pipeline/__init__.py", "pipeline/errors.py", "pipeline/collectors"),
        services=frozenset({"events", "lambda", "logs"}),
    ),
}

DATA: Final = frozenset({".html", ".j2", ".json", ".py", ".toml", ".yaml"})
"""Endings of our files that are taken along; also ``HISTORY``."""
