"""SAM templates to plain CloudFormation ones, before they are deployed: what was linted, checked and tested is what runs.

Run by ``.venv-infra``, as SAM's translator asks for another pydantic than ours.
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parent
TEMPLATES: Final = {name: ROOT / name / "template.yaml" for name in ("central", "agent", "bootstrap")}

_REGION: Final = "eu-central-1"
"""The translator asks for one. Nothing that it makes of our templates depends on it; a test compares."""


def transformed(template: Path, region: str = _REGION) -> dict[str, Any]:
    """The template as CloudFormation takes it, without any transform."""
    from boto3.session import Session  # noqa: PLC0415  # this and the next only stand in .venv-infra
    from samtranslator.parser.parser import Parser  # noqa: PLC0415
    from samtranslator.translator.translator import Translator  # noqa: PLC0415
    from samtranslator.yaml_helper import yaml_parse  # noqa: PLC0415

    parsed = yaml_parse(template.read_text(encoding="utf-8"))
    translator = Translator({}, Parser(), boto_session=Session(region_name=region))
    plain: dict[str, Any] = translator.translate(parsed, {})
    translator.metrics.publish()  # to nowhere; else it complains of metrics that were not
    return plain


def main() -> None:
    """Write each template to the folder that is named, as JSON."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "build/infra")
    folder.mkdir(parents=True, exist_ok=True)
    for name, template in TEMPLATES.items():
        (folder / f"{name}.json").write_text(json.dumps(transformed(template, *sys.argv[2:]), indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
