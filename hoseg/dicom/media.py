"""The files that a DICOMDIR names (DICOM PS3.3 Annex F, PS3.10 clause 8)."""

from __future__ import annotations

import io
import os
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from pydicom import dcmread

from hoseg.dicom.read import PARSE_ERRORS
from hoseg.dicom.source import Limits, Source, problem_source
from hoseg.dicom.values import items_of, texts_of
from hoseg.errors import InputError
from hoseg.file_names import as_text
from hoseg.reasons import Reason

INDEX_TEXT = "an index of other files; the files themselves are read"

_VERSION = re.compile(r"\.?(;\d+)?$")  # ISO 9660: "IM000001.;1"
_SUFFIX = re.compile(r"\.(dcm|dicom|dic|ima|img)$")

Reference = tuple[str, ...]


def is_media_directory(name: str) -> bool:
    """Whether a file is a DICOMDIR by its name: in any case, with what copying adds to it."""
    return _stem(name) == "dicomdir"


def media_files(path: Path, limits: Limits) -> Iterator[Source]:
    """Yield the DICOMDIR's own row, then the files that it names.

    Names are matched as the file systems of CDs and Windows do: in any case, without the version
    and the trailing dot of ISO 9660, and with or without a suffix like ``.dcm``.
    """
    references = _referenced_files(Source(path, as_text(path)), limits)
    if isinstance(references, str):
        yield problem_source(path, Reason.CORRUPT, references)
        return
    text = f"an index; the {len(references)} files it names are read"
    yield problem_source(path, Reason.MEDIA_DIRECTORY, text)
    folders = _Folders()
    for reference in references:
        parts = _parts(reference)
        if parts is None:
            yield _not_allowed(path, reference)
            continue
        found = _find(path.parent, parts, folders)
        if found is None:
            text = "named by the DICOMDIR but not there"
            yield problem_source(Path(path.parent, *parts), Reason.MISSING_FILE, text)
        else:
            yield Source(found, as_text(found))


def _referenced_files(index: Source, limits: Limits) -> list[Reference] | str:
    """Referenced File IDs (0004,1500), or a sentence on why they can't be read."""
    try:
        dataset = dcmread(io.BytesIO(index.read(limits)), force=True)
    except InputError as error:
        return error.sentence
    except PARSE_ERRORS as error:
        return f"the DICOMDIR cannot be parsed ({error}); give the folder instead"
    records = items_of(dataset, "DirectoryRecordSequence")
    files = [texts_of(record, "ReferencedFileID") for record in records]
    return list(dict.fromkeys(parts for parts in files if parts))


def _parts(reference: Reference) -> list[str] | None:
    """Path components, also of writers that put a whole path into one value; None when unsafe."""
    joined = "/".join(reference).replace("\\", "/")
    parts = [part for part in joined.split("/") if part not in ("", ".")]
    drive = re.match(r"[A-Za-z]:", joined)
    if not parts or ".." in parts or "\0" in joined or joined.startswith("/") or drive:
        return None
    return parts


def _not_allowed(path: Path, reference: Reference) -> Source:
    sentence = f"the DICOMDIR names a path that is not allowed: {reference!r}"
    name = as_text(f"{path}!{reference!r}")
    return Source(path, name, repr(reference), (Reason.CORRUPT.value, sentence))


class _Folders:
    """Entries of folders by their spelling, each folder listed once."""

    def __init__(self) -> None:
        self._entries: dict[Path, list[str]] = {}

    def matches(self, folder: Path, name: str) -> list[Path]:
        """Entries that a reference may mean, the best first."""
        if folder not in self._entries:
            try:
                self._entries[folder] = sorted(os.listdir(folder))
            except OSError:
                self._entries[folder] = []
        spelled, stem = _plain(name), _stem(name)
        found = [entry for entry in self._entries[folder] if _stem(entry) == stem]
        found.sort(key=lambda entry: (entry != name, _plain(entry) != spelled))
        return [folder / entry for entry in found]


def _find(folder: Path, parts: list[str], folders: _Folders) -> Path | None:
    """The file below ``folder`` that the components name, whatever their case."""
    if not parts:
        return None if folder.is_dir() else folder
    for match in folders.matches(folder, parts[0]):
        if (match.is_dir()) == bool(parts[1:]) and (found := _find(match, parts[1:], folders)):
            return found
    return None


def _plain(name: str) -> str:
    return _VERSION.sub("", unicodedata.normalize("NFC", name).casefold())


def _stem(name: str) -> str:
    return _VERSION.sub("", _SUFFIX.sub("", _plain(name)))
