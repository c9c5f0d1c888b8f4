"""Rules on disk: files that hold one or several, and the starter set that comes with the product."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from consumers import marked
from consumers.marked import Flaw
from consumers.rules.errors import RuleRefused
from consumers.rules.rule import Rule
from consumers.rules.text import read

STARTER: Final = Path(__file__).with_name("starter")


@dataclass(frozen=True, slots=True)
class Written:
    """One rule's document in a file: ``line`` is how many lines stand before it. ``rule`` is None if it has ``flaws``."""

    place: str
    line: int
    text: str
    rule: Rule | None
    flaws: tuple[Flaw, ...] = ()


def starter() -> Iterator[Written]:
    """The starter set, by source."""
    return of_files(sorted(STARTER.glob("*.yaml")))


def of_files(files: Iterable[Path]) -> Iterator[Written]:
    """Every rule in these files; those of a folder by name. Raises ``OSError`` for what cannot be read."""
    for file in files:
        if file.is_dir():
            yield from of_files(sorted([*file.glob("*.yaml"), *file.glob("*.yml")]))
        else:
            yield from of_text(file.read_bytes(), file.name)


def of_text(content: bytes, place: str) -> Iterator[Written]:
    """Every rule in a file's content; ids that stand twice in it are a flaw of the second."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as broken:
        line = content.count(b"\n", 0, broken.start) + 1
        yield Written(place, 0, "", None, (Flaw(line, "", "the file is not in UTF-8"),))
        return
    seen: set[str] = set()
    for line, part in marked.documents(text):
        written = _written(place, line, part)
        if written.rule and written.rule.id in seen:
            flaw = Flaw(line + 1, "id", f"another rule of this file is named {written.rule.id}")
            written = Written(place, line, part, None, (flaw,))
        elif written.rule:
            seen.add(written.rule.id)
        yield written


def _written(place: str, line: int, part: str) -> Written:
    try:
        return Written(place, line, part, read(part))
    except RuleRefused as refused:
        flaws = tuple(flaw._replace(line=flaw.line + line if flaw.line else 0) for flaw in refused.flaws)
        return Written(place, line, part, None, flaws)
