"""One SQLite file in a run's folder, opened or made, with errors that say what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from hoseg.errors import OutputError


class Database:
    """Base of the journal of a run and of the history of its review; a context manager.

    tables: SQL that makes what is not there yet
    pragmas: how it is written and locked
    remedy: what to do when it cannot be opened, for the error's sentence

    Raises
    ------
    OutputError: the file cannot be written, or is no such database
    """

    tables: ClassVar[str]
    pragmas: ClassVar[Sequence[str]]
    remedy: ClassVar[str]

    def __init__(self, path: Path, timeout_s: float) -> None:
        self.path = path
        try:
            self._base = sqlite3.connect(path, timeout=timeout_s)
            for pragma in self.pragmas:
                self._base.execute(f"PRAGMA {pragma}")
            self._base.executescript(self.tables)
        except sqlite3.DatabaseError as error:
            raise OutputError(f"{path}: {error}; {self.remedy}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._base.close()
