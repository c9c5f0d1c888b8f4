"""Progress bars of long work: on stderr, and only where somebody watches."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

Tell = Callable[[float, float | None], None]
"""Told how much is done, and how much there is (None: unknown, or as before)."""


class _Rate(ProgressColumn):
    """Units a second."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        """The rate of late."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f} {self._unit}/s", style="dim")


class _Done(ProgressColumn):
    """Done of all."""

    def render(self, task: Task) -> Text:
        """Both numbers, or one if the other is not known."""
        return Text(f"{task.completed:,.0f}" + (f" of {task.total:,.0f}" if task.total else ""))


@contextmanager
def bars(unit: str) -> Iterator[Callable[[str, float, float | None], None]]:
    """A bar for each title of which something is told: (title, done, of). They go away at the end.

    Nothing is shown unless stderr is a terminal.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), _Done(), _Rate(unit), TimeRemainingColumn())
    watched = sys.stderr.isatty()
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not watched) as progress:
        tasks: dict[str, TaskID] = {}

        def tell(title: str, done: float, of: float | None) -> None:
            if title not in tasks:
                tasks[title] = progress.add_task(title, total=of)
            if of is None:
                progress.update(tasks[title], completed=done)
            else:
                progress.update(tasks[title], completed=done, total=of)

        yield tell


@contextmanager
def bar(title: str, unit: str, total: float | None = None) -> Iterator[Tell]:
    """One bar."""
    with bars(unit) as tell:
        tell(title, 0, total)

        def one(done: float, of: float | None = None) -> None:
            tell(title, done, of)

        yield one
