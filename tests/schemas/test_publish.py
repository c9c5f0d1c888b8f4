import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from jsonschema import Draft202012Validator

from schemas import cloudevents, publish
from schemas.body import Body
from schemas.compatibility import breaches
from schemas.errors import IncompatibleSchema
from schemas.publish import FOLDER, HISTORY, digest, generated, read_history
from schemas.registry import MODELS, REGISTRY, Registry
from schemas.upcasters import UPCASTERS
from tests.schemas.samples import BODIES, event, finding

REPOSITORY = FOLDER.parent.parent


def published(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = orjson.loads((FOLDER / name).read_bytes())
    return schema


def test_what_is_published_is_what_the_code_generates() -> None:
    """If this fails: ``make schemas``, which refuses what would break stored facts or their readers."""
    files = generated()

    assert sorted([*files, HISTORY]) == sorted(path.name for path in FOLDER.iterdir())
    for name, text in files.items():
        assert text == (FOLDER / name).read_bytes(), f"{name} is out of date: make schemas"


def test_no_published_schema_has_changed_incompatibly() -> None:
    """If this fails: take the change back, or raise the version of the type and write an upcaster."""
    files = generated()

    for path in FOLDER.glob("*.json"):
        assert breaches(published(path.name), orjson.loads(files[path.name])) == [], path.name


def test_every_published_file_is_the_last_of_its_history() -> None:
    latest = {name: hashed for hashed, name in read_history(FOLDER)}

    assert latest == {path.name: digest(path.read_bytes()) for path in FOLDER.glob("*.json")}


def forms_in_git(name: str) -> Mapping[str, bytes]:
    """All contents that a published file has had in the commits at hand, by SHA-256."""

    def git(*arguments: str) -> bytes:
        return subprocess.run(
            ["git", "-c", "safe.directory=*", *arguments], cwd=REPOSITORY, capture_output=True, check=True
        ).stdout

    path = f"schemas/published/{name}"
    commits = git("log", "--format=%H", "--diff-filter=d", "--", path).decode().split()
    return {digest(text): text for text in (git("show", f"{commit}:{path}") for commit in commits)}


@pytest.mark.skipif(
    not (REPOSITORY / ".git").exists() or not shutil.which("git"), reason="no git history at hand to compare with"
)
@pytest.mark.parametrize("name", sorted(name for name in generated() if name.endswith(".json")))
def test_no_schema_breaks_any_form_that_was_ever_published(name: str) -> None:
    forms = forms_in_git(name)

    for hashed, listed in read_history(FOLDER):
        if listed == name and hashed in forms:
            assert breaches(orjson.loads(forms[hashed]), published(name)) == []


@pytest.mark.parametrize("event_type", BODIES)
def test_published_schemas_accept_what_the_check_accepts(event_type: str) -> None:
    given = REGISTRY.check(event(event_type))

    assert Draft202012Validator(published(f"{event_type}-1.json")).is_valid(given.data)
    assert Draft202012Validator(published("envelope.json")).is_valid(cloudevents.encode(given))


def test_published_schemas_refuse_what_the_check_refuses() -> None:
    schema = Draft202012Validator(published("finding.observed-1.json"))

    for body in (finding("dream"), finding("guardduty", score="high"), {**finding("generic"), "form": ""}, {"kind": "generic"}):
        assert not schema.is_valid(body)
    assert not Draft202012Validator(published("task.created-1.json")).is_valid({**BODIES["task.created"], "title": "ab"})
    assert not Draft202012Validator(published("envelope.json")).is_valid(
        {**cloudevents.encode(event("agent.beat")), "severity": 9}
    )


def test_every_published_schema_is_one() -> None:
    for path in FOLDER.glob("*.json"):
        Draft202012Validator.check_schema(published(path.name))
        assert published(path.name)["$id"].startswith("urn:findstream:schema:")
    assert published("agent.beat-1.json")["$id"] == cloudevents.encode(event("agent.beat"))["dataschema"]


def test_the_asyncapi_document_has_a_message_for_every_schema() -> None:
    document = yaml.safe_load((FOLDER / "asyncapi.yaml").read_bytes())

    messages = document["components"]["messages"]
    assert list(messages) == [f"{event_type}-{version}" for event_type, version in REGISTRY]
    assert document["channels"]["facts"]["messages"] == {key: {"$ref": f"#/components/messages/{key}"} for key in messages}
    for key, message in messages.items():
        envelope, body = message["payload"]["schema"]["allOf"]
        assert (FOLDER / envelope["$ref"]).resolve() == FOLDER / "envelope.json"
        assert (FOLDER / body["properties"]["data"]["$ref"]).resolve() == FOLDER / f"{key}.json"
        assert message["summary"]


class BeatTwo(Body):
    """A beat with more to tell."""

    version: str = ""
    mood: str = ""


class BeatBroken(Body):
    """A beat that asks for what old ones do not have."""

    mood: str


def registry(**changes: type[Body]) -> Registry:
    return Registry({**MODELS, **{("agent.beat", int(key[1:])): model for key, model in changes.items()}}, UPCASTERS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    publish.publish(generated(), tmp_path / "published")
    return tmp_path / "published"


def test_publishing_twice_writes_nothing(folder: Path) -> None:
    before = (folder / HISTORY).read_text()

    assert publish.publish(generated(), folder) == []
    assert (folder / HISTORY).read_text() == before


def test_a_compatible_change_is_published_and_leaves_a_line_of_history(folder: Path) -> None:
    before = read_history(folder)
    files = generated(registry(v1=BeatTwo))

    assert publish.publish(files, folder) == ["agent.beat-1.json", "asyncapi.yaml"]
    assert read_history(folder) == [*before, (digest(files["agent.beat-1.json"]), "agent.beat-1.json")]
    assert publish.publish(files, folder) == []


def test_an_incompatible_change_is_refused_and_nothing_written(folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    with pytest.raises(IncompatibleSchema, match=r"agent.beat-1.json: version: property removed\n.*mood: newly required"):
        publish.publish(generated(registry(v1=BeatBroken)), folder)

    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_an_incompatible_change_is_welcome_as_a_new_version(folder: Path) -> None:
    both = Registry({**MODELS, ("agent.beat", 2): BeatBroken}, {**UPCASTERS, ("agent.beat", 1): lambda _: {"mood": "good"}})

    assert publish.publish(generated(both), folder) == ["agent.beat-2.json", "asyncapi.yaml"]


def test_a_published_schema_cannot_be_taken_back(folder: Path) -> None:
    fewer = Registry({key: model for key, model in MODELS.items() if key != ("agent.beat", 1)}, UPCASTERS)

    with pytest.raises(IncompatibleSchema, match=r"agent.beat-1.json: was published, but no model generates it"):
        publish.publish(generated(fewer), folder)


def test_a_file_edited_by_hand_is_noticed(folder: Path) -> None:
    path = folder / "agent.beat-1.json"
    path.write_bytes(path.read_bytes().replace(b"256", b"512"))

    with pytest.raises(IncompatibleSchema, match=r"agent.beat-1.json: was edited by hand"):
        publish.publish(generated(), folder)


def test_a_file_deleted_by_hand_is_noticed(folder: Path) -> None:
    (folder / "agent.beat-1.json").unlink()

    with pytest.raises(IncompatibleSchema, match=r"agent.beat-1.json: was published and is gone"):
        publish.publish(generated(), folder)


def test_the_command_tells_what_it_wrote(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(publish, "FOLDER", folder)
    assert publish.main() == 0
    assert capsys.readouterr().out == "nothing to publish\n"

    (folder / "asyncapi.yaml").unlink()
    assert publish.main() == 0
    assert capsys.readouterr().out == f"wrote {folder / 'asyncapi.yaml'}\n"

    (folder / "agent.beat-1.json").unlink()
    assert publish.main() == 1
    assert "is gone" in capsys.readouterr().err
