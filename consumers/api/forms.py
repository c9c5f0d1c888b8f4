"""The forms of ids and keys that the API takes, and how a wrong one is told to people."""

from collections.abc import Mapping
from typing import Final

UUID_FORM: Final = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
UUID_OR_NONE: Final = r"^([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})?$"
RULE_ID: Final = r"^[a-z0-9][a-z0-9-]{1,62}[a-z0-9]$"
KEY: Final = r"^[!-~]{0,128}$"
ACCOUNT: Final = r"^[0-9]{12}$"
ACCOUNT_OR_NONE: Final = r"^(\d{12})?$"

WORDS: Final[Mapping[str, str]] = {
    UUID_FORM: "is no id: 32 hexadecimal digits in lower case, as 6f0c5a39-8d1b-8b7e-a1c2-3d4e5f607182",
    UUID_OR_NONE: "is no id: 32 hexadecimal digits in lower case, as 6f0c5a39-8d1b-8b7e-a1c2-3d4e5f607182; or nothing",
    RULE_ID: "is no rule's id: 3 to 64 lower-case letters, digits and hyphens",
    KEY: "is no key: 1 to 128 printable characters without spaces",
    ACCOUNT: "is no account: 12 digits",
    ACCOUNT_OR_NONE: "is no account: 12 digits",
}
"""What is told of a value that has none of these forms, instead of the form itself."""
