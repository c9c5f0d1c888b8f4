from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.aws.built import NotImportable, unpacked

HANDLER = "import json\nimport inside.helper\n\ndef handler(event, context):\n    return event\n"


def built(folder: Path, handler: str) -> Path:
    """A zip as for Lambda, whose module ``door`` is as given."""
    path = folder / "function.zip"
    with ZipFile(path, "w") as archive:
        archive.writestr("door.py", handler)
        archive.writestr("inside/__init__.py", "")
        archive.writestr("inside/helper.py", "")
    return path


def test_a_handler_is_imported_with_what_its_package_holds(tmp_path: Path) -> None:
    with unpacked(built(tmp_path, HANDLER)) as package:
        imported = package.imported("door.handler")

    assert {"door", "inside", "json"} <= imported.packages()
    assert "inside.helper" in imported.modules
    assert 0 < imported.seconds < 10


def test_a_folder_is_imported_where_it_lies(tmp_path: Path) -> None:
    (tmp_path / "door.py").write_text("import json\nhandler = json.loads\n")

    with unpacked(tmp_path) as package:
        assert "door" in package.imported("door.handler").packages()

    assert (tmp_path / "door.py").exists()


@pytest.mark.parametrize("missing", ["orjson", "pytest", "schemas"])
def test_what_only_our_own_environment_has_is_missed(tmp_path: Path, missing: str) -> None:
    with unpacked(built(tmp_path, f"import {missing}\n{HANDLER}")) as package, pytest.raises(NotImportable, match=missing):
        package.imported("door.handler")


@pytest.mark.parametrize("handler", ["door.other", "door.json", "elsewhere.handler"])
def test_a_handler_that_is_not_there_or_no_function_is_refused(tmp_path: Path, handler: str) -> None:
    with unpacked(built(tmp_path, HANDLER)) as package, pytest.raises(NotImportable):
        package.imported(handler)
