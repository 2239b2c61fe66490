"""Where a file is, in one spelling, however its path was written."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

from hoseg.dicom.source import Source
from hoseg.file_names import as_text


class Places:
    """True paths; each folder is looked up once.

    Examples
    --------
    >>> places = Places()
    >>> places.true_path(Path("/usr/../usr/./bin/..")) == places.true_path(Path("/usr"))
    True
    """

    def __init__(self) -> None:
        self._folders: dict[str, str] = {}

    def true_path(self, path: Path) -> Path:
        """Absolute, without links and ``..``, each name as its folder lists it."""
        return Path(self._listed(_real(path)))

    def identify(self, source: Source) -> str:
        """Return the same text for the same bytes: true path, member and which of that name."""
        folder = self._folder(os.path.dirname(source.path) or ".")
        place = os.path.join(folder, source.path.name)
        if os.path.islink(source.path) or source.path.name in ("", ".."):
            place = str(self.true_path(source.path))
        member = "" if source.member is None else f"!{source.member}"
        again = f"#{source.occurrence}" if source.occurrence else ""
        return as_text(place + member + again)

    def _folder(self, folder: str) -> str:
        if folder not in self._folders:
            self._folders[folder] = self._listed(_real(folder))
        return self._folders[folder]

    def _listed(self, real: str) -> str:
        """Spell each part as its folder does, where the file system takes other spellings too."""
        parent, name = os.path.split(real)
        if not name:
            return real
        if parent not in self._folders:
            self._folders[parent] = self._listed(parent)
        return os.path.join(self._folders[parent], _as_listed(parent, name))


def _real(path: str | Path) -> str:
    try:
        return os.path.realpath(path)
    except (OSError, ValueError):  # ValueError: a NUL byte
        return str(path)


def _as_listed(folder: str, name: str) -> str:
    """Name of a folder's entry as the folder lists it; ``name`` where the spelling matters."""
    plain = _plain(name)
    others = {name.swapcase(), *(unicodedata.normalize(form, name) for form in ("NFC", "NFD"))}
    if not any(_same(folder, name, other) for other in others - {name}):
        return name
    try:
        listed = os.listdir(folder)
    except OSError:
        return name
    if name in listed:  # the other spelling is a link
        return name
    return next((entry for entry in listed if _plain(entry) == plain), name)


def _same(folder: str, one: str, other: str) -> bool:
    try:
        return os.path.samefile(os.path.join(folder, one), os.path.join(folder, other))
    except (OSError, ValueError):
        return False


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
