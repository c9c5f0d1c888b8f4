"""The shortest proof that a deployed stack works: an event goes in by the bus (or the queue) and comes out by the API.

Works on AWS and on emulators alike (``AWS_ENDPOINT_URL``). It signs in as a user of its own, whom it makes in the table and
removes again. All that it changes is the one event more, of source ``monitoring.smoke``.
"""

import argparse
import json
import os
import secrets
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from boto3.session import Session

ROOT: Final = Path(__file__).parents[1]
SOURCE: Final = "monitoring.smoke"
_DETAIL_TYPE: Final = "Smoke Test"
_PAUSE_SECONDS: Final = 0.5
_CALL_SECONDS: Final = 30.0


class SmokeFailed(Exception):
    """The event did not come out in time. Look into ``make logs``, the dead-letter queues and the event source mappings."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API said."""

    status: int
    body: str


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who signs in."""

    email: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Stack:
    """A deployed stack, by its outputs. ``endpoint`` is an emulator's, None on AWS."""

    session: Session
    outputs: Mapping[str, str]
    endpoint: str | None

    def by_bus(self) -> str:
        """Put an event on the bus; returns the id that EventBridge gave it."""
        detail = json.dumps({"summary": "an event to see whether all works"})
        entry: Any = {"Source": SOURCE, "DetailType": _DETAIL_TYPE, "Detail": detail, "EventBusName": self.outputs["BusArn"]}
        told = self.session.client("events").put_events(Entries=[entry])
        if told["FailedEntryCount"]:
            raise SmokeFailed(str(told["Entries"]))
        return str(told["Entries"][0]["EventId"])

    def by_queue(self) -> str:
        """Send an event to the queue as EventBridge does; returns its id."""
        account = self.session.client("sts").get_caller_identity()["Account"]
        event_id = str(uuid.uuid4())  # noqa: TID251  # a door draws it
        event = {
            "version": "0",
            "id": event_id,
            "source": SOURCE,
            "detail-type": _DETAIL_TYPE,
            "account": account,
            "region": self.session.region_name,
            "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),  # noqa: TID251  # a door reads the clock
            "resources": [],
            "detail": {"summary": "an event to see whether all works"},
        }
        self.session.client("sqs").send_message(QueueUrl=self.outputs["QueueUrl"], MessageBody=json.dumps(event))
        return event_id

    @contextmanager
    def guest(self) -> Iterator[Credentials]:
        """A user who may read, for as long as the context lasts."""
        guest = Credentials(f"smoke-{uuid.uuid4()}@findstream.invalid", secrets.token_urlsafe(24))  # noqa: TID251  # a door draws it
        self._findstream("users", "create", guest.email, "--name", "Smoke Test", "--in-store", lines=f"{guest.password}\n")
        try:
            yield guest
        finally:
            self._findstream("users", "remove", guest.email, "--in-store")

    def _findstream(self, *words: str, lines: str = "") -> None:
        """Call the command line on the stack's table, with the session's credentials. Raises ``SmokeFailed``."""
        credentials = self.session.get_credentials()
        assert credentials is not None, "the stack was described with them"  # noqa: S101
        told = {
            "AWS_ACCESS_KEY_ID": credentials.access_key,
            "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
            "AWS_SESSION_TOKEN": credentials.token or "",
            "AWS_REGION": self.session.region_name,
            "AWS_DEFAULT_REGION": self.session.region_name,
            "AWS_ENDPOINT_URL": self.endpoint or "",
            "FINDSTREAM_STORE_URL": f"dynamodb://{self.outputs['TableName']}",
        }
        environment = {name: value for name, value in (os.environ | told).items() if value}
        command = [sys.executable, "-m", "consumers.cli", *words]
        done = subprocess.run(command, cwd=ROOT, env=environment, input=lines, capture_output=True, text=True, check=False)  # noqa: S603  # our own words
        if done.returncode:
            raise SmokeFailed(done.stderr)

    def sign_in(self, guest: Credentials, *, ask: str) -> dict[str, str]:
        """The headers of who signed in. Raises ``SmokeFailed``."""
        body = json.dumps({"email": guest.email, "password": guest.password})
        ways = {"http": self.request, "function": self.invoke}
        answer = ways[ask]("POST", "/auth/login", {"content-type": "application/json"}, body)
        if answer.status != 200:  # noqa: PLR2004  # the status is its own name
            message = f"signing in: the API says {answer.status} {answer.body[:300]}"
            raise SmokeFailed(message)
        return {"authorization": f"Bearer {json.loads(answer.body)['access_token']}"}

    def request(self, method: str, path: str, headers: Mapping[str, str], body: str = "") -> Answer:
        """Ask the HTTP API."""
        base = self.outputs["ApiUrl"]
        if self.endpoint:
            base = f"{self.endpoint}/_aws/execute-api/{self.outputs['ApiId']}/$default"
        data = body.encode() if body else None
        asked = urllib.request.Request(f"{base}{path}", data, dict(headers), method=method)  # noqa: S310  # our own stack's output
        try:
            with urllib.request.urlopen(asked, timeout=_CALL_SECONDS) as answer:  # noqa: S310  # see above
                return Answer(answer.status, answer.read().decode())
        except urllib.error.HTTPError as refusal:
            with refusal:
                return Answer(refusal.code, refusal.read().decode())

    def invoke(self, method: str, path: str, headers: Mapping[str, str], body: str = "") -> Answer:
        """Ask the function behind the API, where an emulator has no HTTP API."""
        http = {"method": method, "path": path}
        context = {"stage": "$default", "http": http}
        event = {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": "",
            "headers": dict(headers),
            "requestContext": context,
            "body": body,
        }
        name = self.outputs["ApiFunctionName"]
        told = self.session.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event | {"isBase64Encoded": False}))
        answer = json.loads(told["Payload"].read())
        return Answer(int(answer.get("statusCode", 500)), str(answer.get("body", answer)))


def of(session: Session, stack: str) -> Stack:
    """The deployed stack of this name."""
    described = session.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", ())}
    return Stack(session, outputs, os.environ.get("AWS_ENDPOINT_URL"))


def smoke(stack: Stack, *, by: str = "bus", ask: str = "http", seconds: float = 60.0) -> float:
    """Send an event and wait until the API answers with it; returns the seconds that took. Raises ``SmokeFailed``."""
    ways = {"http": stack.request, "function": stack.invoke}
    with stack.guest() as guest:
        headers = stack.sign_in(guest, ask=ask)
        started = time.monotonic()
        event_id = stack.by_queue() if by == "queue" else stack.by_bus()
        return _awaited(lambda: ways[ask]("GET", f"/events/{event_id}", headers), event_id, started, seconds)


def _awaited(read: Callable[[], Answer], event_id: str, started: float, seconds: float) -> float:
    while True:
        answer = read()
        if answer.status == 200:  # noqa: PLR2004  # the status is its own name
            return time.monotonic() - started
        if time.monotonic() - started > seconds:
            message = f"event {event_id}: after {seconds:g} s the API still says {answer.status} {answer.body[:300]}"
            raise SmokeFailed(message)
        time.sleep(_PAUSE_SECONDS)


def check(stack: Stack, *, by: str = "bus", ask: str = "http", seconds: float = 60.0) -> int:
    """Do so and tell; returns what the process is to end with."""
    try:
        took = smoke(stack, by=by, ask=ask, seconds=seconds)
    except SmokeFailed as failure:
        sys.stderr.write(f"{failure}\n{SmokeFailed.__doc__}\n")
        return 1
    sys.stdout.write(f"in by the {by}, out by the API, in {took:.1f} s\n")
    return 0


def main() -> int:
    """Check a deployed stack from end to end."""
    parser = argparse.ArgumentParser(prog="python -m localstack.smoke", description=main.__doc__)
    parser.add_argument("--stack", default="findstream-local")
    parser.add_argument("--by", choices=["bus", "queue"], default="bus", help="where the event goes in")
    parser.add_argument("--ask", choices=["http", "function"], default="http", help="the HTTP API, or the function behind it")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to wait")
    arguments = parser.parse_args()
    session = Session(region_name=os.environ.get("AWS_REGION"))
    return check(of(session, arguments.stack), by=arguments.by, ask=arguments.ask, seconds=arguments.seconds)


if __name__ == "__main__":
    sys.exit(main())
