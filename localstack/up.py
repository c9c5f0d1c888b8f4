"""The whole AWS shape on this machine, without containers: an emulator, and the transformed templates deployed to it.

``make up-aws-local`` prepares what is needed and runs this. The emulator forgets all when it ends.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from boto3.session import Session

from infra.deploy.commands import Deployment, central_stack
from infra.deploy.stacks import Stacks
from localstack import smoke

ROOT: Final = Path(__file__).parents[1]
REGION: Final = "eu-central-1"
ACCOUNT: Final = "123456789012"
QUICK: Final = {"IngestWindowSeconds": "1", "ProjectorWindowSeconds": "0", "NotifierWindowSeconds": "0"}

_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 10.0


def say(line: str) -> None:
    """One line for whoever watches."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@contextmanager
def ministack(port: int) -> Iterator[str]:
    """The emulator on loopback, until the context ends; its address."""
    command = ROOT / ".venv-emulators/bin/ministack"
    settings = {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "SFTP_ENABLED": "0", "IOT_MTLS_ENABLED": "0"}
    settings |= {"MINISTACK_ACCOUNT_ID": ACCOUNT}  # whose API is asked by who shows a token instead of a signature
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | settings
    process = subprocess.Popen([command], env=environment, stdout=sys.stderr)  # noqa: S603  # our own emulator
    try:
        _wait(process, f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(_STOP_SECONDS)


def _wait(process: "subprocess.Popen[bytes]", url: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"{url}/_ministack/health", timeout=2).close()  # noqa: S310  # on loopback
        except OSError:
            time.sleep(0.05)
            continue
        return
    message = f"the emulator does not answer on {url}; is the port taken? ARGS='--port 4567' takes another"
    raise SystemExit(message)


def deploy(session: Session, packages: Path, templates: Path) -> dict[str, str]:
    """Deploy bucket, central stack and agent; returns the central stack's outputs."""
    stacks = Stacks(session.client("cloudformation"), lambda _: None, 0.2)
    deployment = Deployment(stacks, session.client("s3"), templates, packages, "up")
    deployment.bootstrap({})
    outputs = deployment.central("local", QUICK)
    deployment.agent({"CentralBusArn": outputs["BusArn"], "OrgId": "o-local00000", "AgentVersion": "local"})
    return outputs


def main() -> int:
    """Run the AWS shape on this machine until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m localstack.up", description=main.__doc__)
    parser.add_argument("--port", type=int, default=4566)
    parser.add_argument("--packages", type=Path, default=ROOT / "build/local")
    parser.add_argument("--templates", type=Path, default=ROOT / "build/infra")
    parser.add_argument("--smoke", action="store_true", help="check it from end to end, then end")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # else the emulator would outlive this
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        return 0


def _run(arguments: argparse.Namespace) -> int:
    with ministack(arguments.port) as endpoint:
        told = {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_REGION": REGION,
        }
        os.environ.update(told)
        session = Session(region_name=REGION)
        for name, value in deploy(session, arguments.packages, arguments.templates).items():
            say(f"{name:24} {value}")
        if arguments.smoke:
            return smoke.check(smoke.of(session, central_stack("local")))
        say("Use it so:  export " + " ".join(f"{name}={value}" for name, value in told.items()))
        say("Check it:   .venv/bin/python -m localstack.smoke")
        while True:
            time.sleep(3600)


if __name__ == "__main__":
    sys.exit(main())
