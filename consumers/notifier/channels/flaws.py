"""What is wrong with a value of the channels file, in words for whoever writes it: the accepted form, never the value."""

from collections.abc import Mapping
from typing import Any, Final

_PLACES: Final = "{env: NAME}, {file: PATH} or {secret: ARN}"

_KINDS: Final = "kind must be slack, email or webhook"
_WORDS: Final[Mapping[str, str]] = {
    "extra_forbidden": "there is no such key",
    "missing": "is missing",
    "union_tag_invalid": _KINDS,
    "union_tag_not_found": f"{_KINDS}; it is missing",
    "dict_type": "must be keys with values",
    "model_type": "must be keys with values",
    "model_attributes_type": "must be keys with values",
    "string_type": "must be text",
    "tuple_type": "must be a list",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "too_short": "must have {min_length} at least",
    "too_long": "must have {max_length} at most",
    "string_too_short": "must have {min_length} characters at least",
    "string_too_long": "must have {max_length} characters at most",
    "literal_error": "must be {expected}",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be {ge} at least",
    "less_than_equal": "must be {le} at most",
}
_FORMS: Final[Mapping[str, str]] = {
    "[key]": "a name is in lower case: letters, digits, _ and -, at most 64",
    "env": "must be the name of an environment variable",
    "secret": "must be an ARN of Secrets Manager, as arn:aws:secretsmanager:…",
    "host": "must be the name or the address of a server",
    "region": "must be a region, as eu-central-1",
    "configuration_set": "must be a name: letters, digits, _ and -, at most 64",
    "subject_prefix": "must be one line",
}
_SECRETS: Final = frozenset({"webhook", "password", "key", "Secret"})
_SHAPES: Final = frozenset({"dict_type", "model_type", "model_attributes_type"})


def told(error: Mapping[str, Any]) -> str:
    """One error of pydantic in our words."""
    kind, last = error["type"], error["loc"][-1] if error["loc"] else ""
    if kind in _SHAPES and last in _SECRETS:
        return f"must be {_PLACES}"
    if kind == "string_pattern_mismatch" and last in _FORMS:
        return _FORMS[last]
    if kind in _WORDS:
        return _WORDS[kind].format_map(error.get("ctx", {}))
    message: str = error["msg"]
    return message.removeprefix("Value error, ")
