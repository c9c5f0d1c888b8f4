import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from boto3.session import Session
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
)

from infra.deploy.commands import Deployment, central_stack
from infra.deploy.errors import AccountUnreachable, CallRefused, DeployError, ParameterRejected
from infra.deploy.logs import Logs
from infra.deploy.stacks import Stacks

_NO_CREDENTIALS = "no AWS credentials here: sign in with `aws sso login`, or set AWS_PROFILE; `aws sts get-caller-identity` tells"
_NO_REGION = "no AWS region here: set AWS_REGION, as eu-central-1"
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"}


def say(line: str) -> None:
    """One line for the operator."""
    sys.stdout.write(f"{line}\n")


def main() -> int:
    """Deploy findstream with AWS CloudFormation."""
    arguments = _arguments()
    try:
        arguments.run(arguments)
    except (DeployError, BotoCoreError, ClientError) as error:
        told = error if isinstance(error, DeployError) else understood(error)
        sys.stderr.write(f"{type(told).__name__}: {told}\n{type(told).__doc__}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def understood(error: BotoCoreError | ClientError) -> DeployError:
    """boto3's error as one that says what to do."""
    match error:
        case NoCredentialsError() | PartialCredentialsError():
            return AccountUnreachable(_NO_CREDENTIALS)
        case NoRegionError():
            return AccountUnreachable(_NO_REGION)
        case EndpointConnectionError():
            return AccountUnreachable(f"{error}. Is AWS_ENDPOINT_URL or AWS_REGION wrong, or the network down?")
        case ClientError() if error.response.get("Error", {}).get("Code") in _EXPIRED:
            return AccountUnreachable(f"the credentials are refused or expired ({error}); {_NO_CREDENTIALS}")
        case ClientError():
            return CallRefused(str(error))
        case _:
            return AccountUnreachable(str(error))


def _bootstrap(arguments: argparse.Namespace) -> None:
    _show(_deployment(arguments).bootstrap(parameters(arguments.parameters)))


def _deploy(arguments: argparse.Namespace) -> None:
    _show(_deployment(arguments).central(arguments.stage, parameters(arguments.parameters)))


def _agent(arguments: argparse.Namespace) -> None:
    deployment = _deployment(arguments)
    if arguments.for_stack_sets:
        _show(deployment.agent_for_stack_sets())
    else:
        _show(deployment.agent(parameters(arguments.parameters)))


def _destroy(arguments: argparse.Namespace) -> None:
    left = _deployment(arguments).destroy(arguments.stage, really_prod=arguments.really_prod)
    if left:
        say("Left behind on purpose, with the data in it; delete it by hand if nobody needs it:")
    for resource in left:
        say(f"  {resource}")


def _logs(arguments: argparse.Namespace) -> None:
    client = _session().client("logs")
    logs = Logs(client, f"/findstream/{central_stack(arguments.stage)}/", arguments.named)
    start_ms = _now_ms() - arguments.minutes * 60_000
    lines = logs.follow(start_ms, _now_ms, lambda: time.sleep(2)) if arguments.follow else logs.since(start_ms)
    for line in lines:
        say(line)


def _session() -> Session:
    """boto3 itself reads AWS_DEFAULT_REGION only, the AWS command line AWS_REGION too."""
    return Session(region_name=os.environ.get("AWS_REGION"))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000  # noqa: TID251  # a door reads the clock


def _deployment(arguments: argparse.Namespace) -> Deployment:
    session = _session()
    stacks = Stacks(session.client("cloudformation"), say, arguments.poll_seconds)
    return Deployment(stacks, session.client("s3"), arguments.templates, arguments.packages, f"deploy-{_now_ms()}")


def parameters(words: list[str]) -> dict[str, str]:
    """``Name=value`` words as a mapping. Raises ``ParameterRejected``."""
    if wrong := [word for word in words if "=" not in word]:
        raise ParameterRejected(", ".join(wrong))
    return dict(word.split("=", 1) for word in words)


def _show(outputs: Mapping[str, str]) -> None:
    for name, value in outputs.items():
        say(f"{name:24} {value}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.deploy", description=main.__doc__)
    commands = parser.add_subparsers(required=True)
    bootstrap = _command(commands, "bootstrap", _bootstrap, staged=False, parameterised=True)
    deploy = _command(commands, "deploy", _deploy, parameterised=True)
    agent = _command(commands, "agent", _agent, staged=False, parameterised=True)
    agent.add_argument("--for-stack-sets", action="store_true", help="only put zip and template into the bucket")
    destroy = _command(commands, "destroy", _destroy)
    destroy.add_argument("--really-prod", action="store_true", help="destroy production, too")
    for each in (bootstrap, deploy, agent, destroy):
        each.add_argument("--templates", type=Path, default=Path("build/infra"), help="folder of the transformed templates")
        each.add_argument("--packages", type=Path, default=Path("build/lambda"), help="folder of the zips")
        each.add_argument("--poll-seconds", type=float, default=5.0)
    logs = _command(commands, "logs", _logs)
    logs.add_argument("named", nargs="?", default="", help="only functions whose name holds this")
    logs.add_argument("--minutes", type=int, default=10, help="how far back to begin")
    logs.add_argument("--follow", "-f", action="store_true")
    return parser.parse_args()


def _command(
    commands: Any, name: str, run: Callable[[argparse.Namespace], None], *, staged: bool = True, parameterised: bool = False
) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name)
    command.set_defaults(run=run)
    if staged:
        command.add_argument("--stage", default="dev", choices=["local", "dev", "prod"])
    if parameterised:
        command.add_argument("parameters", nargs="*", metavar="Name=value", help="parameters of the template")
    return command


if __name__ == "__main__":
    sys.exit(main())
