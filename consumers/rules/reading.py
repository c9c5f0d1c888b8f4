"""Which members of a finding a condition reads without knowing that they are there: for hints, so by the look of its text.

Known: a member that ``has`` asks for, or that the pattern needs to be there; a condition is asked where that matched.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

_TEXT: Final = re.compile(r"""r?("[^"\\]*(?:\\.[^"\\]*)*"|'[^'\\]*(?:\\.[^'\\]*)*')""")
_READ: Final = re.compile(r"""\b(?P<has>has\(\s*)?(?P<path>detail(?:\.[A-Za-z_]\w*|\[§\d+\])+)(?P<call>\s*\()?""")
_STEP: Final = re.compile(r"""\.([A-Za-z_]\w*)|\[§(\d+)\]""")

Keys = tuple[str, ...]


def unguarded(expression: str, match: Mapping[str, Any]) -> list[str]:
    """The members of ``detail`` that are read and may be missing, as dotted paths, each once, in order."""
    texts: list[str] = []

    def set_aside(found: re.Match[str]) -> str:
        texts.append(found[1][1:-1])
        return f"§{len(texts) - 1}"

    reads = [(_keys(each, texts), bool(each["has"])) for each in _READ.finditer(_TEXT.sub(set_aside, expression))]
    known = {*_needed(match, ()), *(keys for keys, asked in reads if asked)}
    found: dict[str, None] = {}
    for keys, asked in reads:
        upto = len(keys) - asked  # ``has`` asks for the last member only
        for length in range(2, upto + 1):
            if keys[:length] not in known:
                found[".".join(keys[:length])] = None
                break
    return list(found)


def _keys(read: re.Match[str], texts: list[str]) -> Keys:
    keys = [name or texts[int(number)] for name, number in _STEP.findall(read["path"])]
    return ("detail", *(keys[:-1] if read["call"] and not read["has"] else keys))


def _needed(pattern: Mapping[str, Any], above: Keys) -> Iterator[Keys]:
    """The members without which a pattern does not match, and those above them."""
    for key, wanted in pattern.items():
        if isinstance(wanted, Mapping):
            inside = list(_needed(wanted, (*above, key)))
            yield from inside
            if inside:
                yield (*above, key)
        elif key == "$or":
            yield from set.intersection(*(set(_needed(alternative, above)) for alternative in wanted))
        elif {"exists": False} not in wanted:
            yield (*above, key)
