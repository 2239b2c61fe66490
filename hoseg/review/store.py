"""Corrections of readers: an append-only history in one SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hoseg.database import Database
from hoseg.errors import InputError, OutputError

STORE = "review.sqlite"
WITHDRAW = "withdraw"
KINDS = ("grade", "false_ossification", "missed_ossification", "mask", "comment", "sign", WITHDRAW)
_WITHDRAWN = "SELECT CAST(value AS INTEGER) FROM history WHERE kind = 'withdraw'"


@dataclass(frozen=True)
class Correction:
    """One entry of the history: a grade, a mark, a mask, a comment, a signature, a withdrawal.

    image: folder of the image, relative to the run
    side: left, right or unknown; "" when it is about the image
    kind: one of ``KINDS``
    value: class 0-4 for a grade; "row,column" of a point; text of a comment; for "withdraw" the
        number of an earlier entry of the same reader about the same image, which stays in the
        history but no longer counts
    blinded: made without seeing the computer's result
    """

    reader: str
    image: str
    kind: str
    side: str = ""
    value: str = ""
    blinded: bool = False

    def __post_init__(self) -> None:
        checks = {
            "reader": 0 < len(self.reader.strip()) <= 100,
            "image": 0 < len(self.image) <= 400,
            "kind": self.kind in KINDS,
            "side": self.side in ("", "left", "right", "unknown"),
            "value": len(self.value) <= 4000,
        }
        if self.kind == "grade":
            checks["value"] = self.value in ("0", "1", "2", "3", "4")
        if self.kind == WITHDRAW:
            checks["value"] = self.value.isascii() and self.value.isdecimal()
            checks["value"] &= len(self.value) <= 15
        for key, fits in checks.items():
            if not fits:
                shown = repr(getattr(self, key))[:80]
                raise InputError("correction", f"{key} = {shown} is not allowed", code="bad_review")


class ReviewStore(Database):
    """Open or make the history of a run.

    Raises
    ------
    OutputError: the file cannot be written or is no history
    """

    tables = """
    CREATE TABLE IF NOT EXISTS history (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        time TEXT NOT NULL,
        reader TEXT NOT NULL,
        image TEXT NOT NULL,
        side TEXT NOT NULL,
        kind TEXT NOT NULL,
        value TEXT NOT NULL,
        blinded INTEGER NOT NULL,
        mask BLOB
    );
    CREATE INDEX IF NOT EXISTS by_image ON history (image);
    CREATE TRIGGER IF NOT EXISTS never_change BEFORE UPDATE ON history
    BEGIN SELECT RAISE(ABORT, 'the history is append-only'); END;
    CREATE TRIGGER IF NOT EXISTS never_delete BEFORE DELETE ON history
    BEGIN SELECT RAISE(ABORT, 'the history is append-only'); END;
    CREATE TRIGGER IF NOT EXISTS never_replace BEFORE INSERT ON history
    WHEN EXISTS (SELECT 1 FROM history WHERE number = NEW.number)
    BEGIN SELECT RAISE(ABORT, 'the history is append-only'); END;
    """
    pragmas = ("journal_mode=WAL", "synchronous=FULL")
    remedy = "move the file away or free space"

    def __init__(self, path: Path) -> None:
        super().__init__(path, timeout_s=10)

    def add(
        self, correction: Correction, mask_png: bytes | None = None, time: str | None = None
    ) -> int:
        """Append to the history; returns the number of the entry.

        mask_png: for kind "mask", the reader's ossification mask
        time: ISO 8601, when it was made elsewhere; None = now

        Raises
        ------
        InputError: there is no such entry to withdraw
        OutputError: disk full, or another program holds the file
        """
        if correction.kind == WITHDRAW:
            self._check_withdrawal(correction)
        time = time or datetime.now(UTC).isoformat(timespec="milliseconds")
        try:
            with self._base:
                cursor = self._base.execute(
                    "INSERT INTO history (time, reader, image, side, kind, value, blinded, mask) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        time, correction.reader.strip(), correction.image, correction.side,
                        correction.kind, correction.value, int(correction.blinded), mask_png,
                    ),
                )  # fmt: skip
        except sqlite3.OperationalError as error:
            raise OutputError(f"{self.path}: {error}; free space and save again") from error
        return int(cursor.lastrowid or 0)

    def _check_withdrawal(self, correction: Correction) -> None:
        """Refuse to withdraw what is not this reader's, or not about this image."""
        entry = self._base.execute(
            "SELECT 1 FROM history WHERE number = ? AND reader = ? AND image = ? AND kind != ?",
            (int(correction.value), correction.reader.strip(), correction.image, WITHDRAW),
        ).fetchone()
        if entry is None:
            sentence = f"this reader has no entry {correction.value} about this image"
            raise InputError("correction", sentence, code="bad_review")

    def history(self, image: str | None = None) -> Iterator[dict[str, Any]]:
        """Entries of one image, or of all, oldest first; masks and withdrawals as flags."""
        names = ("number", "time", *(field.name for field in fields(Correction)))
        where, values = ("WHERE image = ?", (image,)) if image is not None else ("", ())
        columns = ", ".join(names)
        for row in self._base.execute(
            f"SELECT {columns}, mask IS NOT NULL, number IN ({_WITHDRAWN}) FROM history {where} "
            "ORDER BY number",
            values,
        ):
            entry = dict(zip((*names, "has_mask", "withdrawn"), row, strict=True))
            yield entry | {key: bool(entry[key]) for key in ("blinded", "has_mask", "withdrawn")}

    def latest_mask(
        self, image: str, reader: str | None = None, *, blinded: bool = False
    ) -> bytes | None:
        """The newest mask of an image that was not withdrawn.

        reader: drawn by this one; None = by anybody
        blinded: only masks drawn without seeing the computer's result
        """
        row = self._base.execute(
            "SELECT mask FROM history WHERE kind = 'mask' AND image = ?1 "
            f"AND (?2 IS NULL OR reader = ?2) AND blinded >= ?3 AND number NOT IN ({_WITHDRAWN}) "
            "ORDER BY number DESC LIMIT 1",
            (image, reader, int(blinded)),
        ).fetchone()
        return None if row is None else bytes(row[0])

    def latest_grades(
        self, reader: str | None = None, *, blinded: bool = False
    ) -> Iterator[dict[str, Any]]:
        """The newest grade of every reader for every hip, oldest entry first.

        reader: by this one; None = by anybody
        blinded: only grades given without seeing the computer's result
        """
        newest: dict[tuple[str, str, str], dict[str, Any]] = {}
        for entry in self.history():
            counts = entry["kind"] == "grade" and not entry["withdrawn"]
            if counts and reader in (None, entry["reader"]) and entry["blinded"] >= blinded:
                newest[(entry["reader"], entry["image"], entry["side"])] = entry
        yield from sorted(newest.values(), key=lambda entry: entry["number"])
