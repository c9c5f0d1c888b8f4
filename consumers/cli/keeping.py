"""Commands that keep the data: ``backup``, ``restore``, ``doctor``."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.text import Text

from consumers import doctor as examination
from consumers import keeping
from consumers.cli.exits import FAILED
from consumers.cli.output import Json, emit, emit_json, emit_table, moment, plain, remark, size
from consumers.cli.progress import bar
from consumers.composition import now_us
from consumers.doctor import Finding, Verdict
from consumers.embedded import expect_folder
from consumers.home import Home
from pipeline.backup.bundle import TAR_SUFFIXES, Manifest, is_folder, is_tar
from pipeline.settings import Settings

_LOOKS: Final = {Verdict.OK: "green", Verdict.WARN: "yellow", Verdict.FAIL: "bold red"}


def backup(
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="A new folder, or a new .tar, .tar.gz or .tgz file.")],
    *,
    as_json: Json = False,
) -> None:
    """Copy log, quarantine and ledger as they are at one instant, while everything goes on running.

    Projections are not copied: they are folded anew from the log.

    Examples:
      findstream backup /backups/$(date +%F)
      findstream backup today.tar.gz --json
    """
    if not (is_tar(target) or is_folder(target)):
        message = f"{target.name!r} is no name of a backup; write a folder, or a file that ends in {', '.join(TAR_SUFFIXES)}"
        raise typer.BadParameter(message, param_hint="TARGET")
    home = _home()
    with _moving("backup") as progress:
        manifest = keeping.back_up(home, target, clock=now_us, progress=progress)
    if as_json:
        emit_json({"backup": str(target), **manifest.model_dump()})
        return
    emit(plain(f"{target} holds the state of {moment(manifest.created_us)}"))
    _show(manifest)


def restore(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="What findstream backup has written.")],
    *,
    force: Annotated[bool, typer.Option("--force", help="Move a data folder that is not empty aside.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Only prove that the backup can be restored; change nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Put a backup in the place of the data folder. Every byte is verified first; nothing is overwritten or deleted.

    Notices about what happened before now are sent once more if the backup does not know them, marked as possible repeats.

    Examples:
      findstream restore /backups/2026-01-31 --check
      findstream restore today.tar.gz --force
    """
    home = _home()
    with _moving("restore") as progress:
        done = keeping.restore(source, home, clock=now_us, force=force, check=check, progress=progress)
    if as_json:
        aside = str(done.aside) if done.aside else None
        emit_json({"checked": check, "home": str(done.home), "aside": aside, "backup": done.manifest.model_dump()})
        return
    _show(done.manifest)
    if check:
        emit(plain(f"{source} can be restored; nothing was changed"))
        return
    emit(plain(f"restored to {done.home} as of {moment(done.manifest.created_us)}"))
    if done.aside:
        remark(f"what was there before is in {done.aside}")


def doctor(*, as_json: Json = False) -> int:
    """Examine data, settings, disk and clock. Exit code 1 if anything is broken; a warning does not count.

    Examples:
      findstream doctor
    """
    found: list[Finding] = []
    with bar("examining", "checks") as tell:
        for number, finding in enumerate(examination.examine(now_us()), start=1):
            found.append(finding)
            tell(number, None)
    healthy = all(finding.verdict is not Verdict.FAIL for finding in found)
    if as_json:
        checks = [{"check": each.check, "verdict": each.verdict, "told": each.told, "do": each.do} for each in found]
        emit_json({"healthy": healthy, "checks": checks})
    else:
        emit_table(
            ("Verdict", "Check", "Found", "To do"),
            ((Text(f.verdict, style=_LOOKS[f.verdict]), f.check, f.told, f.do) for f in found),
        )
    return 0 if healthy else FAILED


def _home() -> Home:
    """The data folder, as it is. Raises ``SettingRejected`` if the data is on AWS, which has backups of its own."""
    settings = Settings.load()
    expect_folder(settings)
    return Home(settings.home.absolute())


def _show(manifest: Manifest) -> None:
    emit_table(
        ("Part", "File", "Size", "SHA-256", "Holds"),
        ((part.name, part.file, size(part.bytes), part.sha256[:16], _figures(part.holds)) for part in manifest.parts),
    )


def _figures(holds: Mapping[str, object]) -> str:
    return ", ".join(f"{name}: {_held(figure)}" for name, figure in holds.items())


def _held(figure: object) -> str:
    """A number, counts by name, or positions by shard, of which each names its shard itself."""
    if not isinstance(figure, Mapping):
        return str(figure)
    return " ".join(str(value) if str(value).startswith(key) else f"{value} {key}" for key, value in figure.items()) or "none"


@contextmanager
def _moving(title: str) -> Iterator[Callable[[str, int, int], None]]:
    with bar(title, "bytes") as tell:
        yield lambda _name, done, total: tell(done, total)
