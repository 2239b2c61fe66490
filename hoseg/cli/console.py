"""How commands print: text is printed as it is, never read as markup; progress goes to stderr."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


def plain_console(*, stderr: bool = False) -> Console:
    """Console that prints names, paths and sentences as they are, long lines unbroken.

    ``pip install 'hoseg[train]'`` or a folder ``films [old]`` would lose its brackets as markup;
    colour comes by ``style``. Tables wrap within the terminal: ``print(table, soft_wrap=False)``.
    """
    return Console(stderr=stderr, markup=False, highlight=False, soft_wrap=True)


class Bar:
    """A bar of progress; ``done`` counts."""

    def __init__(self, bar: Progress, task: TaskID) -> None:
        self._bar, self._task, self.done = bar, task, 0

    def advance(self) -> None:
        """Move on by one."""
        self.done += 1
        self._bar.advance(self._task)


@contextmanager
def progress(what: str, total: int, *, quiet: bool = False) -> Iterator[Bar]:
    """Show a bar while the block runs.

    what: "simulating", "judging", ...
    quiet: show nothing, for ``--json``
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (TextColumn(what, markup=False), BarColumn(), MofNCompleteColumn(), Remaining())
    with Progress(*columns, console=plain_console(stderr=True), disable=quiet) as bar:
        yield Bar(bar, bar.add_task(what, total=total))
