"""The members of a zip archive as inputs. They are never unpacked to disk."""

from __future__ import annotations

import re
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath, PurePosixPath

from hoseg.dicom.media import INDEX_TEXT, is_media_directory
from hoseg.dicom.own_files import HEAD_BYTES, OwnFiles, own_files, why_no_film, words_about
from hoseg.dicom.source import ARCHIVE_ERRORS, Limits, Source, problem_source
from hoseg.file_names import as_path, as_text
from hoseg.reasons import Reason

_PLAIN_SUFFIXES = {".dcm", ".dicom", ".ima", ".png", ".tif", ".tiff", ".jpg", ".jpeg"}
_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
_MAX_RATIO = 1_000  # no film shrinks a thousandfold; a bomb does
_SUSPECT_BYTES = 64 * 1024**2  # small members may shrink as much as they like
_AGAIN = re.compile(r"(.+#)(\d+)")


def is_archive(path: Path) -> bool:
    """Tell an archive by its first bytes; files with an image's name are not opened for that."""
    if path.suffix.lower() in _PLAIN_SUFFIXES:
        return False
    if path.suffix.lower() == ".zip":
        return True
    return Source(path, "").head(4) in _MAGIC


def archive_members(path: Path, limits: Limits) -> Iterator[Source]:
    """Yield the members of an archive, in the order in which it lists them."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
            if len(members) <= limits.archive_members:
                found = list(_Archive(path, archive, members).sources(limits))
    except ARCHIVE_ERRORS as error:
        yield problem_source(path, Reason.BAD_ARCHIVE, f"not a readable zip file ({error})")
        return
    if len(members) > limits.archive_members:
        text = f"{len(members)} members; at most {limits.archive_members} are read"
        yield problem_source(path, Reason.UNSAFE_ARCHIVE, text)
        return
    if not members:
        yield problem_source(path, Reason.EMPTY_FILE, "the archive holds no file")
    yield from found


def source_named(name: str, limits: Limits | None = None) -> Source | None:
    """Return the input that ``discover`` gave this name, or None when it is not there any more.

    name: a path, or "archive.zip!inner/name"
    """
    for path in dict.fromkeys((Path(name), as_path(name))):
        if path.is_file():
            return Source(path, name)
    whole = str(as_path(name))
    for cut in (n for n, letter in enumerate(whole) if letter == "!"):
        archive = Path(whole[:cut])
        if archive.is_file():
            return _member_named(archive, whole[cut + 1 :], name, limits or Limits())
    return None


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
    if is_media_directory(name.name):
        return (Reason.MEDIA_DIRECTORY, INDEX_TEXT)
    return None


class _Archive:
    """The folders of an open archive."""

    def __init__(
        self, path: Path, archive: zipfile.ZipFile, members: Sequence[zipfile.ZipInfo]
    ) -> None:
        self._path = path
        self._archive = archive
        self._members = members
        self._infos = {_place(info): info for info in members}
        self._names: dict[PurePath, set[str]] = defaultdict(set)
        for place in self._infos:
            self._names[place.parent].add(place.name)
        self._own: dict[PurePath, OwnFiles | None] = {}

    def names(self, folder: PurePath) -> frozenset[str]:
        return frozenset(self._names.get(folder, ()))

    def head(self, file: PurePath) -> bytes:
        if file not in self._infos:
            return b""
        try:
            with self._archive.open(self._infos[file]) as stream:
                return stream.read(HEAD_BYTES)
        except ARCHIVE_ERRORS:
            return b""

    def sources(self, limits: Limits) -> Iterator[Source]:
        again: Counter[str] = Counter()
        for info in self._members:
            place, occurrence = _place(info), again[info.filename]
            again[info.filename] += 1
            if place.parent not in self._own:
                yield from self._enter(place.parent)
            own = self._own[place.parent]
            if own is not None and place.name not in own.results:
                yield self._source(info, occurrence, limits)

    def _source(self, info: zipfile.ZipInfo, occurrence: int, limits: Limits) -> Source:
        place = _place(info)
        own = self._own[place.parent] or OwnFiles()
        problem = member_problem(info, limits) or why_no_film(self, place, place.parts, own)
        name = as_text(f"{self._path}!{self._shown(info.filename, occurrence)}")
        return Source(self._path, name, info.filename, problem, occurrence=occurrence)

    def _shown(self, name: str, occurrence: int) -> str:
        """Tell members of one name apart: ``film.dcm``, ``film.dcm#2``."""
        if not occurrence:
            return name
        hashes = "#"
        while PurePosixPath(f"{name}{hashes}{occurrence + 1}") in self._infos:
            hashes += "#"
        return f"{name}{hashes}{occurrence + 1}"

    def _enter(self, folder: PurePath) -> Iterator[Source]:
        """Learn what a folder is, its parents first; None: nothing in it is an input."""
        if folder.parent == folder:
            above: OwnFiles | None = OwnFiles()
        else:
            if folder.parent not in self._own:
                yield from self._enter(folder.parent)
            above = self._own[folder.parent]
        if above is None or folder.name in above.folders:
            self._own[folder] = None
            return
        self._own[folder] = own = own_files(self, folder, in_run=above.in_run)
        if text := words_about(own):
            inner = "" if folder == PurePosixPath() else f"{folder}/"
            name = as_text(f"{self._path}!{inner}" if inner else self._path)
            yield Source(self._path, name, inner or None, (Reason.OWN_RESULT.value, text))


def _place(info: zipfile.ZipInfo) -> PurePosixPath:
    return PurePosixPath(info.filename.replace("\\", "/"))


def _member_named(archive: Path, member: str, name: str, limits: Limits) -> Source | None:
    try:
        with zipfile.ZipFile(archive) as files:
            infos = files.infolist()
    except ARCHIVE_ERRORS:
        return None
    counts = Counter(info.filename for info in infos)
    occurrence = 0
    if not counts[member] and (again := _AGAIN.fullmatch(member)):
        occurrence = max(int(again[2]), 2) - 1
        member = again[1].removesuffix("#")
        while counts[member] <= occurrence and member.endswith("#"):
            member = member.removesuffix("#")
    if counts[member] <= occurrence:
        return None
    same = [info for info in infos if info.filename == member]
    problem = member_problem(same[occurrence], limits)
    return Source(archive, name, member, problem, occurrence=occurrence)
