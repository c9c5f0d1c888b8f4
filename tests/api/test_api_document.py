"""Each ``curl`` line of ``docs/api.md`` works as it stands there, against a real server and the real ingest."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import orjson
import pytest

from consumers.api.errors import RequestRefused
from pipeline.ingest import Ingest
from tests.api.contract import Checked
from tests.api.served import Served
from tests.api.world import ADMIN, PASSWORD, USER, World, finding, kept_open, token_of

DOCUMENT = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
LINES = re.findall(r"^\$ (.*curl .*)$", DOCUMENT, re.MULTILINE)

ALARM = {
    "version": "0",
    "id": "c4c1c1c9-6542-e61b-6ef0-8c4d36933a92",
    "detail-type": "CloudWatch Alarm State Change",
    "source": "aws.cloudwatch",
    "account": "111122223333",
    "time": "2026-01-02T03:04:05Z",
    "region": "eu-central-1",
    "resources": ["arn:aws:cloudwatch:eu-central-1:111122223333:alarm:ApiLatency"],
    "detail": {
        "alarmName": "ApiLatency",
        "state": {"value": "ALARM", "reason": "Threshold crossed", "timestamp": "2026-01-02T03:04:05.000+0000"},
        "previousState": {"value": "OK"},
    },
}


class Reader(NamedTuple):
    """Somebody who follows the document: a server, a folder with two files, the variables that it names."""

    url: str
    folder: Path
    variables: dict[str, str]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    folder = tmp_path_factory.mktemp("reader")
    (folder / "finding.json").write_bytes(orjson.dumps(ALARM))
    (folder / "findings.ndjson").write_bytes(b"\n".join(orjson.dumps(ALARM | {"id": f"other-{n}"}) for n in range(3)))
    world = World()
    event = finding(1)
    position = world.log.append([event])[0].position
    ingest = Ingest(world.log, world.quarantine, clock=world.clock)
    refresh = world.sign_in.in_with(USER.email, PASSWORD, address="").refresh
    with kept_open(world), Served(world.application(ingest=ingest)) as server:
        yield Reader(
            server.url,
            folder,
            {"ID": event.id, "POSITION": str(position), "TOKEN": token_of(), "ME": ADMIN.id, "REFRESH": refresh},
        )


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("line", LINES)
def test_a_line_of_the_document_works(reader: Reader, line: str) -> None:
    command = line.replace("http://127.0.0.1:8321", reader.url).replace("curl ", "curl --fail-with-body ")

    done = subprocess.run(
        ["bash", "-uo", "pipefail", "-c", command],
        cwd=reader.folder,
        env=os.environ | reader.variables,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout


def test_the_example_in_the_openapi_document_is_taken_in() -> None:
    world = World()
    ingest = Ingest(world.log, world.quarantine, clock=world.clock)
    with Checked(world.application(ingest=ingest)) as client:
        body = client.document["paths"]["/events"]["post"]["requestBody"]["content"]["application/json"]
        answer = client.post("/events", json=body["examples"]["eventbridge"]["value"])

    assert answer.status_code == 202


def test_the_document_knows_every_code() -> None:
    def codes(refusal: type[RequestRefused]) -> set[tuple[int, str]]:
        return {(refusal.status, refusal.code)}.union(*(codes(kind) for kind in refusal.__subclasses__()))

    documented = {
        (int(status), code)
        for status, listed in re.findall(r"^\| (\d{3}) \| (.+?) \|", DOCUMENT, re.MULTILINE)
        for code in re.findall(r"`(\w+)`", listed)
    }

    assert documented == codes(RequestRefused) - {(400, "bad_request")}


def test_the_document_has_examples() -> None:
    assert len(LINES) > 15
