"""``docs/people.md`` tells who may do what as the table of permissions has it."""

import re
from pathlib import Path

from consumers.people.permissions import PERMISSIONS, Access

DOCUMENT = Path(__file__).parents[2] / "docs" / "people.md"


def row(access: Access) -> str:
    """The line of the document that tells what somebody may."""
    routes = sorted((path, method) for (method, path), who in PERMISSIONS.items() if who is access)
    return f"| {access} | {', '.join(f'`{method} {path}`' for path, method in routes)} |"


def test_the_document_tells_who_may_do_what() -> None:
    expected = [row(access) for access in Access if access in PERMISSIONS.values()]
    listed = re.findall(r"^\| .*`(?:GET|POST|PUT|PATCH|DELETE) /.*$", DOCUMENT.read_text(), re.MULTILINE)

    assert listed == expected, "docs/people.md should say:\n" + "\n".join(expected)
