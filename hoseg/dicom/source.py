"""One input and the limits within which it may be read."""

from __future__ import annotations

import stat
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from hoseg.errors import InputError
from hoseg.file_names import as_text
from hoseg.radiograph import Orientation
from hoseg.reasons import Reason

# What zipfile raises on damaged, encrypted and unsupported archives.
ARCHIVE_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    RuntimeError,
    NotImplementedError,
    KeyError,
    EOFError,
    OSError,
    ValueError,
)


@dataclass(frozen=True)
class Limits:
    """What one input may cost, checked before anything is allocated.

    file_bytes: size of a file, or of an unpacked archive member
    frame_pixels: rows x columns
    decoded_bytes: rows x columns x samples x bytes x frames of one file
    frames: images in one file
    archive_members: files in one archive
    """

    file_bytes: int = 2 * 1024**3
    frame_pixels: int = 256 * 1024**2
    decoded_bytes: int = 1024**3
    frames: int = 512
    archive_members: int = 200_000


@dataclass(frozen=True)
class Source:
    """Where the bytes of one input are. Picklable, holds no open file.

    path: file on disk
    name: the path as the user gave it, as ``hoseg.file_names`` spells it;
        "archive.zip!inner/name" inside an archive
    member: name inside the archive, or None
    problem: (reason code, sentence) found on the way; ``decode`` raises it
    spacing_mm: (row, column) at the hip given by the user, for files that carry none; or None
    override_spacing: ``spacing_mm`` stands in place of what a file carries, too
    occurrence: which of the members of that name, from 0
    presentation: how the film lies by a Presentation State that turns it, else None
    identity: the same text for the same bytes, however the user spelled the path; "" when the
        input was not discovered
    """

    path: Path
    name: str
    member: str | None = None
    problem: tuple[str, str] | None = None
    spacing_mm: tuple[float, float] | None = None
    occurrence: int = 0
    identity: str = ""
    override_spacing: bool = False
    presentation: Orientation | None = None

    def fail(self, reason: Reason, sentence: str) -> InputError:
        """Make the error that says what is wrong with this input."""
        return InputError(self.name, sentence, code=reason.value)

    def read(self, limits: Limits) -> bytes:
        """Return all bytes.

        Raises
        ------
        InputError: not_found, unreadable, not_a_file, empty_file, file_too_large, bad_archive
        """
        if self.problem is not None:
            raise InputError(self.name, self.problem[1], code=self.problem[0])
        data = self._read_file(limits) if self.member is None else self._read_member(limits)
        if not data:
            raise self.fail(Reason.EMPTY_FILE, "the file is empty; copy it again")
        return data

    def head(self, size: int) -> bytes:
        """Return the first bytes, or none of an input that cannot be read."""
        try:
            if self.member is not None:
                return self._unpack(size)
            # Opening a pipe or a device could block for ever.
            if not stat.S_ISREG(self.path.stat().st_mode):
                return b""
            with self.path.open("rb") as file:
                return file.read(size)
        except ARCHIVE_ERRORS:
            return b""

    def _unpack(self, size: int) -> bytes:
        with zipfile.ZipFile(self.path) as archive:
            same = [info for info in archive.infolist() if info.filename == self.member]
            if len(same) <= self.occurrence:
                raise KeyError(f"there is no member named {self.member!r} in the archive")
            with archive.open(same[self.occurrence]) as stream:
                return stream.read(size)

    def _read_file(self, limits: Limits) -> bytes:
        try:
            info = self.path.stat()
            # Opening a pipe or a device could block for ever.
            if not stat.S_ISREG(info.st_mode):
                raise self.fail(Reason.NOT_A_FILE, "not a regular file")
            self._check_size(info.st_size, limits)
            return self.path.read_bytes()
        except FileNotFoundError as error:
            raise self.fail(Reason.NOT_FOUND, "no such file; check the path") from error
        except (OSError, ValueError) as error:  # ValueError: a NUL byte in the path
            raise self.fail(Reason.UNREADABLE, f"cannot be read ({error})") from error

    def _read_member(self, limits: Limits) -> bytes:
        try:
            # The size in the directory may lie: read one byte more than is allowed.
            data = self._unpack(limits.file_bytes + 1)
        except FileNotFoundError as error:
            raise self.fail(Reason.NOT_FOUND, "no such archive; check the path") from error
        except ARCHIVE_ERRORS as error:
            text = f"the archive member cannot be unpacked ({error}); unpack it by hand"
            raise self.fail(Reason.BAD_ARCHIVE, text) from error
        self._check_size(len(data), limits)
        return data

    def _check_size(self, size: int, limits: Limits) -> None:
        if size > limits.file_bytes:
            text = f"{size} bytes; at most {limits.file_bytes} are read (Limits.file_bytes)"
            raise self.fail(Reason.FILE_TOO_LARGE, text)


def problem_source(path: Path, reason: Reason, sentence: str) -> Source:
    """Return the row of an input that is not to be read, and why."""
    return Source(path, as_text(path), problem=(reason.value, sentence))
