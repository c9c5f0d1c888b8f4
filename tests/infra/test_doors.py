"""The packages as they were built: each door is imported where nothing else is, and brings in no more than it needs."""

import json
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.package import tree
from infra.package.recipe import RECIPES
from tests.aws.built import Built, unpacked
from tests.aws.servers import refuse
from tests.infra.conftest import ROOT
from tests.infra.test_functions import DOORS

FOLDERS = ("build/lambda", "build/local")
COLLECTOR = "pipeline.collectors.handler"
SETTINGS = {
    "FINDSTREAM_LOG_URL": "kinesis://stream",
    "FINDSTREAM_STORE_URL": "dynamodb://table",
    "FINDSTREAM_BODIES_URL": "s3://bucket/bodies",
    "FINDSTREAM_SLACK_WEBHOOK_SECRET": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:webhook",
    "FINDSTREAM_SIGNING_KEYS_SECRET": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:signing-keys",
    "FINDSTREAM_CONSOLE_URL": "https://findings.example",
    "FINDSTREAM_NOTIFIER_TIMER_URL": "https://sqs.eu-central-1.amazonaws.com/123456789012/notifier-timer",
    "FINDSTREAM_NOTIFIER_FUNCTION": "arn:aws:lambda:eu-central-1:123456789012:function:notifier",
    "FINDSTREAM_BUS_ARN": "arn:aws:events:eu-central-1:123456789012:event-bus/findstream-prod",
    "AWS_ACCESS_KEY_ID": "123456789012",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "POWERTOOLS_SERVICE_NAME": "door",
    "POWERTOOLS_METRICS_NAMESPACE": "findstream",
}
NEVER = {"starlette", "uvicorn", "typer", "rich", "prometheus_client", "moto", "pytest"}
"""For a laptop or for tests; no package holds them."""
HEAVY = {"jinja2", "slack_sdk", "sqlite3", "pydantic_settings", "pydantic"}
"""Slow to import: only doors that need them do."""
NEEDED = {
    "pipeline.intake.handler": {"pydantic", "pydantic_settings"},
    "pipeline.republish.handler": {"pydantic", "pydantic_settings"},
    "projections.handler": {"pydantic", "pydantic_settings"},
    "consumers.rules.handler": {"pydantic", "pydantic_settings", "jinja2"},
    "consumers.notifier.handler": {"pydantic", "pydantic_settings", "jinja2", "slack_sdk"},
    "consumers.api.handler": {"pydantic", "pydantic_settings", "jinja2"},
    "consumers.reports.handler": {"pydantic", "pydantic_settings"},
    "consumers.silence.handler": {"pydantic", "pydantic_settings"},
    "pipeline.desks.handler": {"pydantic", "pydantic_settings"},
    "projections.sweep.handler": {"pydantic", "pydantic_settings"},
    "consumers.redrive.handler": {"pydantic", "pydantic_settings", "jinja2"},
    "consumers.jobs.handler": {"pydantic", "pydantic_settings", "jinja2"},
    COLLECTOR: set(),
}


def packages() -> Path:
    """The folder of the packages that this Python can import."""
    ours = "{}.{}".format(*sys.version_info)
    fitting = [ROOT / name for name in FOLDERS if manifest(ROOT / name).get("central", {}).get("python") == ours]
    if not fitting:
        refuse(f"no package for Python {ours} is built: make package package-local")
    stale = [name for name, recipe in RECIPES.items() if manifest(fitting[0])[name]["inputs"] != tree.inputs(recipe)]
    if stale:
        refuse(f"the code has changed since {', '.join(stale)} was built: make package package-local")
    return fitting[0]


def manifest(folder: Path) -> Any:
    path = folder / "manifest.json"
    return json.loads(path.read_bytes()) if path.exists() else {}


@pytest.fixture(scope="module", params=["central", "agent"])
def named(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def central() -> Iterator[Built]:
    with unpacked(packages() / "central.zip") as built:
        yield built


@pytest.fixture(scope="module")
def agent() -> Iterator[Built]:
    with unpacked(packages() / "agent.zip") as built:
        yield built


@pytest.mark.parametrize("door", [*DOORS.values(), COLLECTOR])
def test_a_door_is_imported_from_its_package_alone_and_brings_in_only_what_it_needs(
    door: str, request: pytest.FixtureRequest
) -> None:
    built: Built = request.getfixturevalue("agent" if door == COLLECTOR else "central")

    imported = built.imported(f"{door}.handler", SETTINGS)

    assert imported.packages() & (HEAVY | NEVER) <= NEEDED[door]


@pytest.mark.parametrize(
    "room",
    [
        "pipeline.ingest.Ingest",
        "projections.projector.Projector",
        "consumers.notifier.assembly.open_notifier",
        "consumers.api.service.resolver",
        "consumers.reports.reporter.Reporter",
    ],
)
def test_a_room_is_imported_from_the_package_alone(central: Built, room: str) -> None:
    assert not central.imported(room, SETTINGS).packages() & NEVER


def test_a_package_holds_no_tools_for_laptops(named: str) -> None:
    entries = {name.partition("/")[0] for name in zipfile.ZipFile(packages() / f"{named}.zip").namelist()}

    assert not entries & (NEVER | {"pip", "setuptools", "bin", "tests", "infra"})


def test_a_package_is_named_by_its_hash_compiled_and_small(named: str) -> None:
    told = manifest(packages())[named]

    assert told["compiled"] is True
    assert told["zipped"] < {"central": 26_000_000, "agent": 6_000_000}[named]


def test_boto3_knows_the_services_that_are_called_only(named: str) -> None:
    names = zipfile.ZipFile(packages() / f"{named}.zip").namelist()
    services = {name.split("/")[2] for name in names if name.startswith("botocore/data/") and name.count("/") > 2}

    assert (
        services
        == {
            "central": {"dynamodb", "kinesis", "lambda", "s3", "secretsmanager", "sesv2", "sqs", "sts"},
            "agent": {"events", "lambda", "logs"},
        }[named]
    )
