import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.aws.servers import refuse
from tests.infra.evaluate import Evaluated

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / ".venv-infra/bin"
ORGANISATION = "o-aaaaaaaaaa"
TOPIC = "arn:aws:sns:eu-central-1:123456789012:alarms"
PROD = {"Stage": "prod", "OrgId": ORGANISATION, "AlarmTopicArn": TOPIC, "CodeBucket": "bucket", "CodeKey": "key"}
AGENT = {
    "CentralBusArn": "arn:aws:events:eu-central-1:210987654321:event-bus/findstream-prod",
    "OrgId": ORGANISATION,
    "AgentVersion": "1.0",
    "CodeBucket": "bucket",
    "CodeKey": "key",
}


def run_tool(*words: str) -> subprocess.CompletedProcess[str]:
    """A command of ``.venv-infra``, in the repository."""
    if not (TOOLS / "checkov").exists():
        refuse("the tools for templates are absent: make tools")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("COV_", "COVERAGE_"))}
    return subprocess.run([TOOLS / words[0], *words[1:]], cwd=ROOT, capture_output=True, text=True, check=False, env=environment)


@pytest.fixture(scope="session")
def transformed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the transformed templates."""
    folder = tmp_path_factory.mktemp("templates")
    done = run_tool("python", "-m", "infra.transform", str(folder))
    assert (done.returncode, done.stderr) == (0, "")
    return folder


@pytest.fixture(scope="session")
def templates(transformed: Path) -> Mapping[str, Any]:
    """The transformed templates by name."""
    return {path.stem: json.loads(path.read_bytes()) for path in transformed.glob("*.json")}


@pytest.fixture(scope="session")
def prod(templates: Mapping[str, Any]) -> Evaluated:
    """What the central template asks for in production."""
    return Evaluated(templates["central"], PROD)


@pytest.fixture(scope="session")
def agent(templates: Mapping[str, Any]) -> Evaluated:
    """What the agent's template asks for."""
    return Evaluated(templates["agent"], AGENT)
