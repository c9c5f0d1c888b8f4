"""``docs/settings.md`` lists every setting as ``pipeline.settings`` has it."""

import re
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from pipeline.settings import Settings

DOCUMENT = Path(__file__).parents[2] / "docs" / "settings.md"


def accepted(schema: dict[str, Any]) -> str:
    """The accepted form of a setting, in the words of the document."""
    schema = next((branch for branch in schema.get("anyOf", []) if branch["type"] != "null"), schema)
    match schema:
        case {"minimum": low, "maximum": high}:
            return f"{low} to {high}"
        case {"enum": values}:
            return ", ".join(values)
        case {"pattern": pattern}:
            return "ARN" if pattern.startswith("^arn:") else "URL"
        case {"format": "password"}:
            return "text, secret"
        case {"format": "path"}:
            return "path"
    return str(schema["type"])


def row(name: str) -> str:
    """The line of the table that tells of a setting."""
    field = Settings.model_fields[name]
    assert not isinstance(field.default, SecretStr), "a secret has no default"
    default = "none" if field.default is None else f"`{field.default}`"
    form = accepted(Settings.model_json_schema()["properties"][name])
    return f"| `FINDSTREAM_{name.upper()}` | {form} | {default} | {field.description} |"


def test_the_document_lists_every_setting_as_it_is() -> None:
    expected = [row(name) for name in Settings.model_fields]
    listed = re.findall(r"^\| `FINDSTREAM_.*$", DOCUMENT.read_text(), re.MULTILINE)

    assert listed == expected, "docs/settings.md should say:\n" + "\n".join(expected)


def test_every_variable_is_named_as_the_process_reads_it(monkeypatch: Any, tmp_path: Path) -> None:
    monkeypatch.setenv("FINDSTREAM_HOME", str(tmp_path))
    monkeypatch.setenv("FINDSTREAM_SLACK_WEBHOOK", "https://hooks.example/hunter2")

    settings = Settings.load()

    assert settings.home == tmp_path
    assert settings.slack_webhook is not None
    assert "hunter2" not in repr(settings)
