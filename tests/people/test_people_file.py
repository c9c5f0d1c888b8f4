"""The file of people: for its owner only, and what is erased is gone from it."""

from contextlib import closing
from pathlib import Path

import pytest

from consumers.people.errors import PeopleUnavailable, PeopleUnreadable
from consumers.people.passwords import Passwords
from consumers.people.sqlite import SqlitePeople
from tests.people.stores import NOW_US, PASSWORD, QUICK, session, user


def everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()))


def test_no_trace_of_an_erased_user_is_in_the_file(tmp_path: Path) -> None:
    with closing(SqlitePeople(tmp_path / "people.db", passwords=QUICK)) as people:
        ada = user("ada.unmistakable@example.org", full_name="Ada Unmistakable", preferences={"nick": "unmistakable"})
        people.users.add(ada, PASSWORD)
        people.sessions.open(session(ada))
        assert b"nmistakable" in everything_in(tmp_path)

        people.users.erase(ada.id)

        assert b"nmistakable" not in everything_in(tmp_path)
        assert ada.id.encode() not in everything_in(tmp_path)


def test_neither_passwords_nor_tokens_are_in_the_file(tmp_path: Path) -> None:
    with closing(SqlitePeople(tmp_path / "people.db", passwords=QUICK)) as people:
        ada = user()
        people.users.add(ada, "a password to look for")
        people.sessions.open(session(ada, "a token to look for"))

        assert b"to look for" not in everything_in(tmp_path)


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    with closing(SqlitePeople(tmp_path / "people.db", passwords=QUICK)) as people:
        people.users.add(user(), PASSWORD)

        assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("people.db*")} == {0o600}


def test_a_backup_is_a_whole_store(tmp_path: Path) -> None:
    ada = user()
    with closing(SqlitePeople(tmp_path / "people.db", passwords=QUICK)) as people:
        people.users.add(ada, PASSWORD)
        people.backup(tmp_path / "copy.db")

    with closing(SqlitePeople(tmp_path / "copy.db", passwords=QUICK)) as copy:
        assert copy.users.verify(ada.email, PASSWORD) == ada


def test_a_store_that_was_closed_is_unavailable(tmp_path: Path) -> None:
    people = SqlitePeople(tmp_path / "people.db")
    people.close()

    with pytest.raises(PeopleUnavailable, match="was closed"):
        people.users.admins()


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "people.db").write_bytes(b"this is not a database, but it is long enough to be one" * 100)

    with pytest.raises(PeopleUnreadable, match="not a database"):
        SqlitePeople(tmp_path / "people.db")


def test_sessions_and_failures_that_are_long_over_leave_the_file(tmp_path: Path) -> None:
    with closing(SqlitePeople(tmp_path / "people.db", passwords=Passwords(4))) as people:
        ada = user()
        people.users.add(ada, PASSWORD)
        old = session(ada, expires_us=NOW_US)
        people.sessions.open(old)
        people.sessions.open(session(ada, created_us=NOW_US + 1))

        with people._file.reading() as db:
            assert db.execute("SELECT count(*) FROM session").fetchone() == (1,)
