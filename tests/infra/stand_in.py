"""Packages that hold next to nothing, for tests that ask how they are deployed, not what they do.

Their API signs anybody in, and answers any event but ``/events/unknown`` as if it knew it.
"""

import json
import zipfile
from pathlib import Path

API = """
def handler(event, context):
    if event["rawPath"] == "/auth/login":
        return {"statusCode": 200, "body": '{"access_token": "any"}'}
    if event["headers"].get("authorization") != "Bearer any":
        return {"statusCode": 401, "body": "who asks?"}
    known = not event["rawPath"].endswith("/unknown")
    return {"statusCode": 200 if known else 404, "body": event["rawPath"]}
"""


def packages(folder: Path) -> Path:
    """``folder``, with packages and their manifest."""
    for name in ("central", "agent"):
        with zipfile.ZipFile(folder / f"{name}.zip", "w") as zipped:
            zipped.writestr("consumers/__init__.py", "")
            zipped.writestr("consumers/api/__init__.py", "")
            zipped.writestr("consumers/api/handler.py", API)
    manifest = {name: {"python": "3.13", "architecture": "x86_64"} for name in ("central", "agent")}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder
