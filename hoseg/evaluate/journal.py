"""Judged films on disk, one JSON line each, so that an interrupted evaluation continues."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from pydantic import TypeAdapter, ValidationError

from hoseg.errors import OutputError
from hoseg.evaluate.case import CASE_JSON, CaseScore


@dataclass(frozen=True)
class Heading:
    """What the lines below were made from; another heading starts the journal afresh.

    model, dataset: identity with a hash of the content where there is one
    version: of hoseg
    """

    model: str
    dataset: str
    version: str


_HEADING_JSON: TypeAdapter[Heading] = TypeAdapter(Heading)


class EvaluationJournal:
    """Append-only file of judged films; a torn last line (kill -9) is dropped and redone."""

    def __init__(self, path: Path, heading: Heading) -> None:
        self._path = path
        self.done: dict[str, CaseScore] = {}
        whole = self._read(heading)
        try:
            self._stream: BinaryIO = path.open("r+b" if whole else "wb")
            self._stream.truncate(whole)
            self._stream.seek(whole)
            if not whole:
                self._write(_HEADING_JSON.dump_json(heading))
        except OSError as error:
            raise OutputError(f"{path}: cannot be written: {error.strerror}") from error

    def add(self, case: CaseScore) -> None:
        """Write one film through to the disk."""
        self._write(CASE_JSON.dump_json(case))
        self.done[case.case] = case

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stream.close()

    def _write(self, line: bytes) -> None:
        try:
            self._stream.write(line + b"\n")
            self._stream.flush()
            os.fsync(self._stream.fileno())
        except OSError as error:
            raise OutputError(
                f"{self._path}: cannot be written: {error.strerror}; free some space and run "
                f"the same command again, it continues"
            ) from error

    def _read(self, heading: Heading) -> int:
        """Take in whole lines of the same heading; return their length in bytes."""
        if not self._path.exists():
            return 0
        length = 0
        with self._path.open("rb") as stream:
            for i, line in enumerate(stream):
                if not line.endswith(b"\n"):
                    break
                try:
                    if i == 0 and _HEADING_JSON.validate_json(line) != heading:
                        return 0
                    if i > 0:
                        case = CASE_JSON.validate_json(line)
                        self.done[case.case] = case
                except ValidationError:
                    break
                length += len(line)
        return length
