"""What can be done, each by its own function: bootstrap, deploy, agent, destroy."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from infra.deploy.artifacts import Artifacts, inline, read
from infra.deploy.errors import NotBootstrapped, StageProtected
from infra.deploy.stacks import Stacks

BOOTSTRAP: Final = "findstream-bootstrap"
AGENT: Final = "findstream-agent"
"""A name that ingest knows: what CloudFormation says of this stack is told as the agent's status."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """``templates`` are the transformed ones, ``packages`` the zips; ``change`` names the change sets of this run."""

    stacks: Stacks
    s3: Any
    templates: Path
    packages: Path
    change: str

    def bootstrap(self, parameters: Mapping[str, str]) -> dict[str, str]:
        """Make the bucket from which everything is deployed. Of ``parameters`` it takes those that concern it."""
        template = inline(self.templates / "bootstrap.json")
        own = {name: value for name, value in parameters.items() if name in template.parameters}
        return self.stacks.deploy(BOOTSTRAP, template, own, change=self.change)

    def central(self, stage: str, parameters: Mapping[str, str]) -> dict[str, str]:
        """Deploy the central stack of a stage. Raises ``NotBootstrapped``, ``NothingBuilt`` and what ``Stacks.deploy`` does."""
        artifacts = self._artifacts()
        return self.stacks.deploy(
            central_stack(stage),
            artifacts.template(self.templates / "central.json"),
            {"Stage": stage, **self._code(artifacts, "central"), **parameters},
            change=self.change,
        )

    def agent(self, parameters: Mapping[str, str]) -> dict[str, str]:
        """Deploy the agent into this account and region. Raises as ``central`` does."""
        artifacts = self._artifacts()
        return self.stacks.deploy(
            AGENT,
            artifacts.template(self.templates / "agent.json"),
            {**self._code(artifacts, "agent"), **parameters},
            change=self.change,
        )

    def agent_for_stack_sets(self) -> dict[str, str]:
        """Put the agent's zip and template into the bucket; returns what a stack set is to be given."""
        artifacts = self._artifacts()
        return {**artifacts.template(self.templates / "agent.json").source, **self._code(artifacts, "agent")}

    def destroy(self, stage: str, *, really_prod: bool) -> list[str]:
        """Delete the central stack; returns what is left, on purpose. Raises ``StageProtected``, ``StackFailed``."""
        if stage == "prod" and not really_prod:
            message = "prod is protected"
            raise StageProtected(message)
        return self.stacks.delete(central_stack(stage))

    def _artifacts(self) -> Artifacts:
        bucket = self.stacks.outputs(BOOTSTRAP).get("BucketName")
        if bucket is None:
            message = f"there is no stack {BOOTSTRAP}"
            raise NotBootstrapped(message)
        return Artifacts(self.s3, bucket)

    def _code(self, artifacts: Artifacts, name: str) -> dict[str, str]:
        key = artifacts.put(self.packages / f"{name}.zip", name)
        built = json.loads(read(self.packages / "manifest.json"))[name]
        runtime = {"RuntimeVersion": f"python{built['python']}", "Architecture": built["architecture"]}
        return {"CodeBucket": artifacts.bucket, "CodeKey": key, **runtime}


def central_stack(stage: str) -> str:
    """The name of a stage's central stack."""
    return f"findstream-{stage}"
