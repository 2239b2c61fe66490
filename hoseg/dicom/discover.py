"""Find every input: folders of any depth, single files, DICOMDIR, zip archives.

Nothing is decoded here and nothing is left out: what cannot be read becomes a ``Source`` with a
``problem``, so that every input file has its row in the results.
"""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from hoseg.dicom.media import referenced_files
from hoseg.dicom.source import Limits, Source
from hoseg.reasons import Reason

_PLAIN_SUFFIXES = {".dcm", ".dicom", ".ima", ".png", ".tif", ".tiff", ".jpg", ".jpeg"}
_ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
_MAX_RATIO = 1_000  # no film shrinks a thousandfold; a bomb does
_SUSPECT_BYTES = 64 * 1024**2  # small members may shrink as much as they like


def discover(
    inputs: Iterable[str | Path],
    limits: Limits | None = None,
    spacing_mm: tuple[float, float] | None = None,
) -> Iterator[Source]:
    """Yield the inputs one by one, folder by folder in sorted order, each path once.

    Parameters
    ----------
    inputs: files, folders, DICOMDIR files or zip archives
    limits: what may be read
    spacing_mm: (row, column) spacing that the user states for all of them (mm)

    Yields
    ------
    Source, with ``problem`` set when it cannot be read
    """
    limits = limits or Limits()
    seen: set[str] = set()
    for given in inputs:
        for source in _one_input(Path(given), limits):
            key = f"{os.path.realpath(source.path)}!{source.member or ''}"
            if key in seen:
                continue
            seen.add(key)
            if spacing_mm is None:
                yield source
            else:
                yield Source(source.path, source.name, source.member, source.problem, spacing_mm)


def _one_input(path: Path, limits: Limits) -> Iterator[Source]:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        yield _problem(path, Reason.NOT_FOUND, "no such file or folder; check the path")
        return
    except (OSError, ValueError) as error:
        yield _problem(path, Reason.UNREADABLE, f"cannot be opened ({error})")
        return
    if stat.S_ISDIR(mode):
        yield from _folder(path, limits)
    elif path.name.upper() == "DICOMDIR":
        yield from _directory_file(path, limits)
    else:
        yield from _file(path, limits)


def _folder(folder: Path, limits: Limits) -> Iterator[Source]:
    """Walk without following linked folders, so that no loop is possible."""
    errors: list[OSError] = []
    for root, folders, names in os.walk(folder, onerror=errors.append):
        folders.sort()
        while errors:
            yield _folder_problem(errors.pop())
        for name in sorted(names):
            path = Path(root, name)
            if name.upper() == "DICOMDIR":
                text = "an index of other files; the files themselves are read"
                yield _problem(path, Reason.MEDIA_DIRECTORY, text)
            else:
                yield from _file(path, limits)
    while errors:
        yield _folder_problem(errors.pop())


def _folder_problem(error: OSError) -> Source:
    text = f"the folder cannot be listed ({error.strerror}); check its permissions"
    return _problem(Path(error.filename or "?"), Reason.UNREADABLE, text)


def _file(path: Path, limits: Limits) -> Iterator[Source]:
    if _is_zip(path):
        yield from _archive(path, limits)
    else:
        yield Source(path, str(path))


def _is_zip(path: Path) -> bool:
    """Tell an archive by its first bytes; files with an image's name are not opened for that."""
    if path.suffix.lower() in _PLAIN_SUFFIXES:
        return False
    if path.suffix.lower() == ".zip":
        return True
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return False
        with path.open("rb") as stream:
            return stream.read(4) in _ZIP_MAGIC
    except OSError:
        return False  # reading it says why, in its own row


def _archive(path: Path, limits: Limits) -> Iterator[Source]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
    except (
        zipfile.BadZipFile,
        zlib.error,
        NotImplementedError,
        RuntimeError,
        EOFError,
        OSError,
        ValueError,
    ) as error:
        yield _problem(path, Reason.BAD_ARCHIVE, f"not a readable zip file ({error})")
        return
    if len(members) > limits.archive_members:
        text = f"{len(members)} members; at most {limits.archive_members} are read"
        yield _problem(path, Reason.UNSAFE_ARCHIVE, text)
        return
    if not members:
        yield _problem(path, Reason.EMPTY_FILE, "the archive holds no file")
    for info in members:
        problem = member_problem(info, limits)
        yield Source(path, f"{path}!{info.filename}", info.filename, problem)


def member_problem(info: zipfile.ZipInfo, limits: Limits) -> tuple[str, str] | None:
    """Refuse path tricks, bombs, encrypted and nested members from the directory alone.

    Members are never written to disk; the names still end up in results, so tricks are refused.
    """
    name = PurePosixPath(info.filename.replace("\\", "/"))
    if name.is_absolute() or ".." in name.parts or ":" in name.parts[0]:
        return (Reason.UNSAFE_ARCHIVE, "the member's name leads out of the archive")
    if info.flag_bits & 0x1:
        return (Reason.BAD_ARCHIVE, "the member is encrypted; unpack it by hand")
    if info.file_size > limits.file_bytes:
        text = f"{info.file_size} bytes; at most {limits.file_bytes} are read"
        return (Reason.FILE_TOO_LARGE, text)
    if info.file_size > max(_SUSPECT_BYTES, _MAX_RATIO * info.compress_size):
        text = f"{info.compress_size} bytes claim to unpack to {info.file_size}"
        return (Reason.UNSAFE_ARCHIVE, text)
    if name.suffix.lower() == ".zip":
        return (Reason.NESTED_ARCHIVE, "an archive inside an archive; unpack it by hand")
    if name.name.upper() == "DICOMDIR":
        return (Reason.MEDIA_DIRECTORY, "an index of other files; the files themselves are read")
    return None


def _directory_file(path: Path, limits: Limits) -> Iterator[Source]:
    """Yield the DICOMDIR's own row, then the files it names."""
    index = Source(path, str(path))
    references = referenced_files(index, limits)
    if isinstance(references, str):
        yield _problem(path, Reason.CORRUPT, references)
        return
    text = f"an index; the {len(references)} files it names are read"
    yield _problem(path, Reason.MEDIA_DIRECTORY, text)
    for parts in references:
        yield _referenced(path.parent, parts)


def _referenced(folder: Path, parts: tuple[str, ...]) -> Source:
    """Resolve a Referenced File ID (PS3.10 8.2) below the folder of the DICOMDIR only."""
    name = str(Path(folder, *parts))
    if any(p in ("", ".", "..") or "/" in p or "\\" in p or "\0" in p for p in parts):
        text = f"the DICOMDIR names a path that is not allowed: {parts!r}"
        return Source(
            folder / "DICOMDIR",
            f"{folder}/DICOMDIR!{parts!r}",
            repr(parts),
            (
                Reason.CORRUPT.value,
                text,
            ),
        )
    path = Path(folder, *parts)
    if not path.exists():
        lower = Path(folder, *(p.lower() for p in parts))
        if not lower.exists():
            return _problem(path, Reason.MISSING_FILE, "named by the DICOMDIR but not there")
        path = lower
    return Source(path, name)


def _problem(path: Path, reason: Reason, text: str) -> Source:
    return Source(path, str(path), None, (reason.value, text))
