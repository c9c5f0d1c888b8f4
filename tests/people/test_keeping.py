"""Where signing keys lie."""

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from consumers.people.errors import SigningKeysUnusable
from consumers.people.keeping import FileKeys
from consumers.people.keyring import LEAD_US, first, parsed
from consumers.people.secret_keys import FRESH_US, SecretKeys
from tests.people.signing import Clock
from tests.people.stores import NOW_US, entropy

ARN = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:keys"


def at(folder: Path) -> FileKeys:
    return FileKeys(folder / "keys.json", clock=Clock(), entropy=entropy)


def test_a_file_is_made_for_its_owner_only_and_read_back(tmp_path: Path) -> None:
    made = at(tmp_path).read()

    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600
    assert at(tmp_path).read() == made
    assert [path.name for path in tmp_path.iterdir()] == ["keys.json"]


def test_what_another_process_wrote_is_seen_at_once(tmp_path: Path) -> None:
    one, other = at(tmp_path), at(tmp_path)
    one.read()
    replaced = first(NOW_US, entropy)

    other.write(replaced)

    assert one.read() == replaced
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600


def test_who_comes_second_takes_the_file_of_the_first(tmp_path: Path) -> None:
    made = at(tmp_path).read()

    at(tmp_path)._make()

    assert at(tmp_path).read() == made


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", "null", '{"keys": []}', '{"keys": [{"kid": "a"}]}', '{"first": "short"}', '{"first": 7}', '{"keys": 7}'],
)
def test_a_file_without_keys_is_refused_by_its_name_without_its_content(tmp_path: Path, text: str) -> None:
    (tmp_path / "keys.json").write_text(text)

    with pytest.raises(SigningKeysUnusable, match=r"keys\.json holds no signing keys"):
        at(tmp_path).read()


def test_a_file_that_cannot_be_read_or_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "keys.json").mkdir()

    with pytest.raises(SigningKeysUnusable, match="cannot be read"):
        at(tmp_path).read()
    with pytest.raises(SigningKeysUnusable, match="cannot be written"):
        at(tmp_path / "absent").write(first(NOW_US, entropy))


class Secret:
    """Secrets Manager with one secret."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.reads = 0
        self.down = False

    def get_secret_value(self, **asked: Any) -> dict[str, str]:
        assert asked == {"SecretId": ARN}
        self.reads += 1
        self._check("GetSecretValue")
        return {"SecretString": self.text}

    def put_secret_value(self, **told: Any) -> None:
        self._check("PutSecretValue")
        self.text = told["SecretString"]

    def _check(self, name: str) -> None:
        if self.down:
            raise ClientError({"Error": {"Code": "InternalServiceError", "Message": "no"}}, name)


def test_a_generated_secret_is_a_keyring_of_one() -> None:
    keys = SecretKeys(Secret('{"first": "%s"}' % ("k" * 64)), ARN, clock=Clock())

    assert [key.kid for key in keys.read().keys] == ["first"]


def test_a_secret_is_read_again_before_a_new_key_begins_to_sign() -> None:
    clock, secret = Clock(), Secret(first(NOW_US, entropy).dumped().decode())
    keys = SecretKeys(secret, ARN, clock=clock)
    before = keys.read()
    secret.text = first(NOW_US, entropy).dumped().decode()

    assert keys.read() == before
    assert secret.reads == 1
    assert FRESH_US < LEAD_US
    clock.now_us += FRESH_US
    assert keys.read() == parsed(secret.text, "there")


def test_a_secret_that_cannot_be_read_for_a_while_is_believed_longer() -> None:
    clock, secret = Clock(), Secret(first(NOW_US, entropy).dumped().decode())
    keys = SecretKeys(secret, ARN, clock=clock)
    before = keys.read()
    secret.down = True
    clock.now_us += 10 * FRESH_US

    assert keys.read() == before
    with pytest.raises(SigningKeysUnusable, match="cannot be written"):
        keys.write(before)
    with pytest.raises(SigningKeysUnusable, match="cannot be read"):
        SecretKeys(secret, ARN, clock=clock).read()


def test_a_secret_that_was_written_is_read_back() -> None:
    keys = SecretKeys(Secret(first(NOW_US, entropy).dumped().decode()), ARN, clock=Clock())
    keys.read()
    replaced = first(NOW_US, entropy)

    keys.write(replaced)

    assert keys.read() == replaced
