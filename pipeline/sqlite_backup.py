"""A copy of a file as it was at one moment, taken while others write to it.

Whole:  the copy appears under its name when it is complete and on disk, or not at all; what was there before is replaced.
Serves: it is a file like any other of its kind, so a restore is putting it in the place of the first while nothing runs.
"""

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from pipeline.errors import BackupFailed
from pipeline.sqlite_file import SqliteFile, make_folder, sync


def back_up(file: SqliteFile, target: Path) -> None:
    """Copy ``file`` to ``target``. Raises ``BackupFailed``, and then leaves ``target`` as it was."""
    if target.resolve() == file.path.resolve():
        message = f"{target} is the file itself"
        raise BackupFailed(message)
    partial = target.with_name(f"{target.name}.partial")
    with file.reading() as source:
        try:
            make_folder(target.parent)
            partial.unlink(missing_ok=True)
            with closing(sqlite3.connect(partial)) as copy:
                copy.execute("PRAGMA journal_mode = OFF")  # until it has its name, nobody minds a torn copy
                copy.execute("PRAGMA synchronous = OFF")
                source.backup(copy)  # in one step, hence one snapshot: a copy in parts begins again at each append
            sync(partial)
            for side in ("-wal", "-shm"):  # of a former copy; SQLite would take them for this one's
                target.with_name(target.name + side).unlink(missing_ok=True)
            partial.replace(target)
            sync(target.parent)
        except (sqlite3.Error, OSError) as broken:
            with suppress(OSError):
                partial.unlink()
            message = f"{target}: {broken}"
            raise BackupFailed(message) from broken
