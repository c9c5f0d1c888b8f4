"""The policy check: what checkov finds in the transformed templates, but for what a template excuses with a reason.

An excuse stands in a template's ``Metadata: checkov: skip``, a list of ``id`` and ``comment``, as checkov has it for a resource.
An excuse for what is not found any more is a fault too. Run by ``.venv-infra``, which has checkov.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from infra.transform import TEMPLATES

_CHECKOV: Final = ("--framework", "cloudformation", "--output", "json", "--quiet", "--compact", "--skip-download")


def findings(report: list[dict[str, Any]], excused: dict[str, dict[str, str]]) -> Iterator[str]:
    """A line for each finding that is not excused, and each excuse without a finding. ``excused`` is by template, then check."""
    used: set[tuple[str, str]] = set()
    for check in (check for part in report for check in part["results"]["failed_checks"]):
        template, check_id = Path(check["file_path"]).stem, check["check_id"]
        used.add((template, check_id))
        if check_id not in excused[template]:
            yield f"{template}: {check['resource']}: {check_id} {check['check_name']}"
    for template, reasons in excused.items():
        for check_id in reasons:
            if (template, check_id) not in used:
                yield f"{template}: {check_id} is excused, but not found"


def excuses(template: dict[str, Any]) -> dict[str, str]:
    """The reasons that a template gives, by check."""
    return {skip["id"]: skip["comment"] for skip in template.get("Metadata", {}).get("checkov", {}).get("skip", ())}


def main() -> int:
    """Check the transformed templates in the folder that is named."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "build/infra")
    files = {name: folder / f"{name}.json" for name in TEMPLATES}
    named = [word for path in files.values() for word in ("--file", str(path))]
    checkov = Path(sys.executable).with_name("checkov")
    said = subprocess.run([checkov, *_CHECKOV, *named], check=False, capture_output=True, text=True)  # noqa: S603  # our own words
    report = json.loads(said.stdout)
    excused = {name: excuses(json.loads(path.read_bytes())) for name, path in files.items()}
    found = list(findings(report if isinstance(report, list) else [report], excused))
    sys.stdout.write("\n".join([*found, f"{len(found)} findings", ""]))
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
