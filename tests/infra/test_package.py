"""How zips for Lambda are built."""

import os
import re
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from infra.package import build as building
from infra.package import tree
from infra.package.__main__ import main
from infra.package.archive import archive, sha256, sizes
from infra.package.build import Built, build
from infra.package.errors import InstallRefused, PackageTooLarge
from infra.package.recipe import RECIPES, ROOT, Recipe
from infra.package.target import Target
from tests.repository.test_lock import pins

THIS = Target("{}.{}".format(*sys.version_info), "x86_64")
NOTHING = Recipe(lock=Path("/nowhere.lock"), code=("schemas",), services=frozenset({"kinesis"}), without=("schemas/published",))


def a_tree(folder: Path, names: list[str], *, at: int) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {name}\n")
        os.utime(path, (at, at))
    return folder


def test_the_same_files_give_the_same_bytes_whenever_and_in_whatever_order_they_came(tmp_path: Path) -> None:
    names = ["b/z.py", "a.py", "b/a.py"]
    archive(a_tree(tmp_path / "one", names, at=1_000_000_000), tmp_path / "one.zip")
    archive(a_tree(tmp_path / "other", names[::-1], at=1_700_000_000), tmp_path / "other.zip")

    assert sha256(tmp_path / "one.zip") == sha256(tmp_path / "other.zip")
    assert zipfile.ZipFile(tmp_path / "one.zip").namelist() == ["a.py", "b/a.py", "b/z.py"]


def test_other_contents_give_another_name(tmp_path: Path) -> None:
    archive(a_tree(tmp_path / "one", ["a.py"], at=1), tmp_path / "one.zip")
    (tmp_path / "one/a.py").write_text("changed")
    archive(tmp_path / "one", tmp_path / "other.zip")

    assert sha256(tmp_path / "one.zip") != sha256(tmp_path / "other.zip")


def test_files_can_be_read_by_lambda(tmp_path: Path) -> None:
    archive(a_tree(tmp_path / "one", ["a.py"], at=1), tmp_path / "one.zip")

    assert zipfile.ZipFile(tmp_path / "one.zip").infolist()[0].external_attr >> 16 == 0o100644


def test_the_largest_entries_come_first(tmp_path: Path) -> None:
    a_tree(tmp_path, ["small.py", "large/a.py", "large/b.py"], at=1)

    assert list(sizes(tmp_path)) == ["large", "small.py"]


def test_our_code_is_copied_with_its_data_and_version_but_for_what_stays_out(tmp_path: Path) -> None:
    tree.copy_code(NOTHING, tmp_path)

    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert {"schemas/__init__.py", "schemas/envelope.py"} <= found
    assert [path for path in found if path.startswith("schemas/published") or path.endswith(".pyc")] == []
    assert "Name: findstream" in next(tmp_path.glob("findstream-*.dist-info/METADATA")).read_text()


def test_what_no_function_reads_is_taken_away(tmp_path: Path) -> None:
    kept = ["botocore/data/kinesis/service.json", "botocore/data/endpoints.json", "x.dist-info/METADATA", "x/a.py"]
    pruned = [
        "botocore/data/ec2/service.json",
        "boto3/data/ec2.json",
        "bin/jp.py",
        "x/tests/a.py",
        "x/a.pyi",
        "x.dist-info/RECORD",
    ]
    a_tree(tmp_path, [*kept, *pruned], at=1)

    tree.prune(NOTHING, tmp_path)

    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()} == set(kept)


@pytest.mark.parametrize("name", RECIPES)
def test_boto3_keeps_each_service_that_the_code_asks_it_for_and_no_other(name: str) -> None:
    recipe = RECIPES[name]
    code = [ROOT / path for path in tree.ours(recipe) if path.suffix == ".py"]
    called = {found for path in code for found in re.findall(r"\bclient\(\s*\"([a-z0-9]+)\"", path.read_text())}

    assert called == recipe.services


def test_code_is_compiled_without_the_time_and_the_place_of_the_build(tmp_path: Path) -> None:
    compiled = []
    for number in (1, 2):
        folder = a_tree(tmp_path / str(number), ["a.py"], at=number)
        assert tree.compile_all(THIS, folder)
        compiled.append(next(folder.rglob("*.pyc")).read_bytes())

    assert compiled[0] == compiled[1]
    assert b"/var/task/a.py" in compiled[0]


def test_without_a_python_of_that_version_the_code_is_not_compiled(tmp_path: Path) -> None:
    assert tree.compile_all(Target("3.99", "x86_64"), tmp_path) is False


def test_pip_is_told_the_target_and_not_this_machine() -> None:
    words = Target("3.13", "arm64").pip()

    assert words[words.index("--python-version") + 1] == "3.13"
    assert {word for word in words if "manylinux" in word} >= {"manylinux2014_aarch64", "manylinux_2_28_aarch64"}


def test_a_target_can_be_told_by_an_interpreter() -> None:
    assert Target.like(sys.executable).python == THIS.python


def test_a_python_that_is_there_but_does_not_answer_is_passed_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shim = tmp_path / "python3.9"
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))

    assert Target("3.9", "x86_64").interpreter() is None


def test_a_lock_that_cannot_be_had_is_told_with_pips_words(tmp_path: Path) -> None:
    with pytest.raises(InstallRefused, match=r"nowhere\.lock"):
        tree.install(NOTHING, THIS, tmp_path)


def installed(_: Recipe, __: Target, folder: Path) -> None:
    a_tree(folder, ["botocore/data/endpoints.json", "needed.py"], at=1)


def locked(folder: Path) -> Recipe:
    (folder / "our.lock").write_text("")
    return replace(NOTHING, lock=folder / "our.lock")


def test_other_services_make_another_package(tmp_path: Path) -> None:
    assert tree.inputs(locked(tmp_path)) != tree.inputs(replace(locked(tmp_path), services=frozenset({"sesv2"})))


def test_another_lock_or_other_code_makes_another_package(tmp_path: Path) -> None:
    before = tree.inputs(locked(tmp_path))
    less = tree.inputs(replace(locked(tmp_path), without=()))
    (tmp_path / "our.lock").write_text("orjson==1")

    assert len({before, less, tree.inputs(replace(NOTHING, lock=tmp_path / "our.lock"))}) == 3


def test_a_package_is_built_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "install", installed)

    built = build("ours", locked(tmp_path), THIS, tmp_path)

    assert (built.sha256, built.zipped) == (sha256(tmp_path / "ours.zip"), (tmp_path / "ours.zip").stat().st_size)
    assert {"needed.py", "schemas"} <= set(built.parts)
    assert built.told().startswith("ours.zip  0.")


def test_a_package_that_lambda_would_refuse_is_not_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "install", installed)
    monkeypatch.setattr(building, "UNPACKED_LIMIT", 1000)

    with pytest.raises(PackageTooLarge):
        build("ours", NOTHING, THIS, tmp_path)

    assert not (tmp_path / "ours.zip").exists()


def test_a_package_that_is_not_compiled_says_so() -> None:
    built = Built("ours", "3.99", "arm64", "", "", 0, 0, compiled=False, parts={})

    assert "not compiled, as there is no Python 3.99 here" in built.told()


@pytest.mark.parametrize("name", RECIPES)
def test_a_package_has_the_versions_that_the_tests_have(name: str) -> None:
    tested = pins((ROOT / "requirements.lock").read_text())
    packaged = pins(RECIPES[name].lock.read_text())

    assert packaged == {each: tested[each] for each in packaged}


@pytest.mark.parametrize("lock", [*(recipe.lock for recipe in RECIPES.values()), ROOT / "infra/tools/requirements.lock"])
def test_every_pin_of_a_package_or_a_tool_has_a_hash_and_no_address(lock: Path) -> None:
    text = lock.read_text()

    assert text.count("==") <= text.count("--hash=sha256:")
    assert "://" not in text


def test_the_command_builds_what_is_named_and_a_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tree, "install", installed)
    monkeypatch.setattr(sys, "argv", ["package", "agent", "--like", sys.executable, "--to", str(tmp_path)])

    assert main() == 0
    manifest = orjson.loads((tmp_path / "manifest.json").read_bytes())
    assert (manifest["agent"]["python"], manifest["agent"]["sha256"]) == (THIS.python, sha256(tmp_path / "agent.zip"))
    assert capsys.readouterr().out.startswith("agent.zip")


def test_the_command_says_what_pip_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(RECIPES, "agent", NOTHING)
    monkeypatch.setattr(sys, "argv", ["package", "agent", "--to", str(tmp_path)])

    assert main() == 1
    assert "nowhere.lock" in capsys.readouterr().err
