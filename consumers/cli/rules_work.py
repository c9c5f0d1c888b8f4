"""What ``rules backtest | diff | reprocess | verify`` work with: log and rules, opened, and a long reading that Ctrl-C ends."""

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import TypeVar

import typer

from consumers.cli.freshness import remark_on_lag
from consumers.cli.progress import bar
from consumers.composition import open_catalog, open_judging, open_log, settings_of_data
from consumers.errors import Refused
from consumers.rules import shelf
from consumers.rules.compiled import CompiledRule
from consumers.rules.engine.passed import passed
from consumers.rules.history import asking
from consumers.rules.history.errors import Cancelled
from consumers.rules.history.lockstep import Progress, Watch
from consumers.rules.shelf import Written
from pipeline.log.port import Log, Position
from pipeline.settings import Settings
from projections.catalog import Catalog

_Found = TypeVar("_Found")


class Work:
    """The parts that these commands need, and how the long part of one is watched and ended."""

    def __init__(self, settings: Settings, log: Log, catalog: Catalog) -> None:
        self.settings = settings
        self.log = log
        self.catalog = catalog
        self.seconds = 0.0

    def rule(self, given: str) -> CompiledRule:
        """The one rule of a file, or one as published. Raises as ``rules``."""
        found = self.rules(given)
        if len(found) != 1:
            message = f"{given} holds {len(found)} rules; name a file with one"
            raise typer.BadParameter(message, param_hint="RULE")
        return found[0]

    def rules(self, given: str) -> list[CompiledRule]:
        """The rules of a file or folder, or one as published. Raises ``Refused`` if one of them is flawed, with all its flaws."""
        if Path(given).exists():
            return [self._sound(written) for written in shelf.of_files([Path(given)])]
        if given.endswith((".yaml", ".yml")):
            message = f"there is no file {given}"
            raise typer.BadParameter(message, param_hint="RULE")
        return [self._published(given)]

    def _sound(self, written: Written) -> CompiledRule:
        if written.rule is None:
            message = f"{written.place}: {'; '.join(map(str, written.flaws))}"
            raise Refused(message)
        return asking.of_rule(written.rule, self.catalog)

    def _published(self, given: str) -> CompiledRule:
        rule_id, _, number = given.partition("@")
        if number and not (number.isascii() and number.isdigit()):
            message = f"{given!r} is no version; write it as {rule_id}@2"
            raise typer.BadParameter(message, param_hint="RULE")
        return asking.of_version(self.catalog, rule_id, int(number) if number else None)

    def passed(self, *, tell: bool) -> Mapping[str, Position] | None:
        """How far rules were judged live; with ``tell``, what they owe the log stands there then."""
        with closing(open_judging(self.settings)) as judging:
            return passed(judging, self.log, tell=tell)

    def watched(self, title: str, judge: Callable[[Watch], _Found]) -> _Found | None:
        """What ``judge`` finds; None if Ctrl-C ended it."""
        began = time.monotonic()
        asked_to_end = False

        def ask(_number: int, _frame: FrameType | None) -> None:
            nonlocal asked_to_end
            asked_to_end = True

        before = signal.signal(signal.SIGINT, ask)
        try:
            with bar(title, "events") as tell:

                def told(progress: Progress) -> None:
                    tell(progress.done, progress.total)

                return judge(Watch(told, lambda: asked_to_end))
        except Cancelled:
            return None
        finally:
            signal.signal(signal.SIGINT, before)
            self.seconds = round(time.monotonic() - began, 3)


@contextmanager
def at_work(*, as_json: bool) -> Iterator[Work]:
    """Log and rules, opened; a remark if the rules that are known are behind the log."""
    settings = settings_of_data()
    with open_log(settings) as log, open_catalog(settings, log) as catalog:
        if not as_json:
            remark_on_lag(settings, [state for state in catalog.states() if state.name == "rules"], "the list of rules")
        yield Work(settings, log, catalog)
