"""Find every input: folders of any depth, single files, DICOMDIR, zip archives.

Nothing is decoded here and nothing is left out without a word: what cannot be read, and what is no
film by its name and place, becomes a ``Source`` with a ``problem``, so that every input file has
its row in the results. Only what hoseg itself wrote has one row for all of it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from hoseg.dicom.archive import archive_members, is_archive
from hoseg.dicom.media import INDEX_TEXT, is_media_directory, media_files
from hoseg.dicom.own_files import (
    HEAD_BYTES,
    OwnFiles,
    is_system_folder,
    own_files,
    why_no_film,
    words_about,
)
from hoseg.dicom.place import Places
from hoseg.dicom.source import Limits, Source, problem_source
from hoseg.file_names import as_text
from hoseg.reasons import Reason


def discover(
    inputs: Iterable[str | Path],
    limits: Limits | None = None,
    spacing_mm: tuple[float, float] | None = None,
    out: Path | None = None,
) -> Iterator[Source]:
    """Yield the inputs one by one, folder by folder in sorted order, each file once.

    A file is the same however its path is spelled: relative, absolute, with links or ``..``, and
    in any case where the file system tells none apart.

    Parameters
    ----------
    inputs: files, folders, DICOMDIR files or zip archives
    limits: what may be read
    spacing_mm: (row, column) spacing at the hip that the user states for files that carry none (mm)
    out: folder that results go to; nothing below it is read, unless it is itself an input, or
        an input lies in it: then only what hoseg wrote there is left out

    Yields
    ------
    Source, with ``problem`` set when it cannot be read
    """
    places = Places()
    walk = _Walk(limits or Limits(), places, out)
    seen: set[str] = set()
    for given in inputs:
        for found in walk.one_input(Path(given)):
            source = replace(found, identity=places.identify(found), spacing_mm=spacing_mm)
            if source.identity not in seen:
                seen.add(source.identity)
                yield source


@dataclass(frozen=True)
class _Folder:
    """A folder still to be walked.

    below: names of the folders from what was given down to this one, itself the last
    in_run: it lies below a folder that ``hoseg run`` wrote to
    """

    path: Path
    below: tuple[str, ...] = ()
    in_run: bool = False


class _Walk:
    """The inputs of one command. It is also the tree of the disk, each folder listed once."""

    def __init__(self, limits: Limits, places: Places, out: Path | None) -> None:
        self._limits = limits
        self._places = places
        self._out = None if out is None else places.true_path(out)
        self._listed: tuple[PurePath, frozenset[str]] | None = None
        self._round_files: dict[Path, OwnFiles] = {}

    def names(self, folder: PurePath) -> frozenset[str]:
        if self._listed and self._listed[0] == folder:
            return self._listed[1]
        try:
            with os.scandir(folder) as entries:
                return frozenset(entry.name for entry in entries if not entry.is_dir())
        except OSError:
            return frozenset()

    def head(self, file: PurePath) -> bytes:
        return Source(Path(file), "").head(HEAD_BYTES)

    def one_input(self, path: Path) -> Iterator[Source]:
        try:
            mode = path.stat().st_mode
        except FileNotFoundError:
            yield problem_source(path, Reason.NOT_FOUND, "no such file or folder; check the path")
            return
        except (OSError, ValueError) as error:
            yield problem_source(path, Reason.UNREADABLE, f"cannot be opened ({error})")
            return
        if stat.S_ISDIR(mode):
            yield from self._tree(path)
        elif is_media_directory(path.name):
            yield from media_files(path, self._limits)
        else:
            # A file that was named itself: the folder round it says whether hoseg wrote it.
            folder = path.absolute().parent
            if folder not in self._round_files:
                self._round_files[folder] = own_files(self, folder)
            yield from self._file(path, (path.name,), self._round_files[folder])

    def _tree(self, root: Path) -> Iterator[Source]:
        """Walk without following linked folders, so that no loop is possible."""
        true_root = self._places.true_path(root)
        waiting = [_Folder(root)]
        while waiting:
            folder = waiting.pop()
            is_out = true_root.joinpath(*folder.below) == self._out
            if is_out and folder.below:
                continue
            try:
                with os.scandir(folder.path) as found:
                    entries = sorted(found, key=lambda entry: entry.name)
            except OSError as error:
                text = f"the folder cannot be listed ({error.strerror}); check its permissions"
                yield problem_source(folder.path, Reason.UNREADABLE, text)
                continue
            folders = [entry for entry in entries if entry.is_dir()]
            files = [entry.name for entry in entries if not entry.is_dir()]
            place = true_root.joinpath(*folder.below)
            self._listed = place, frozenset(files)
            own = own_files(self, place, in_run=folder.in_run, is_out=is_out)
            if text := words_about(own):
                yield problem_source(folder.path, Reason.OWN_RESULT, text)
            for name in files:
                if name not in own.results:
                    path = folder.path / name
                    yield from self._file(path, (*folder.below, name), own, in_tree=True)
            below = [entry for entry in folders if entry.name not in own.folders]
            for entry in below:
                yield from self._not_walked(Path(entry.path), entry, true_root)
            waiting += [
                _Folder(folder.path / entry.name, (*folder.below, entry.name), own.in_run)
                for entry in reversed(below)
                if not entry.is_symlink() and not is_system_folder(entry.name)
            ]

    def _not_walked(self, path: Path, entry: os.DirEntry[str], true_root: Path) -> Iterator[Source]:
        """The row of a folder whose files are not looked at."""
        if is_system_folder(entry.name):
            yield problem_source(path, Reason.SYSTEM_FILE, "a folder of an operating system")
        elif entry.is_symlink():
            target = self._places.true_path(path)
            if not (target.is_relative_to(true_root) or true_root.is_relative_to(target)):
                text = f"a link, which is not followed; give {as_text(target)} as an input too"
                yield problem_source(path, Reason.LINKED_FOLDER, text)

    def _file(
        self, path: Path, parts: tuple[str, ...], own: OwnFiles, *, in_tree: bool = False
    ) -> Iterator[Source]:
        problem = why_no_film(self, path, parts, own)
        if problem is not None:
            yield Source(path, as_text(path), problem=problem)
        elif in_tree and is_media_directory(path.name):
            yield problem_source(path, Reason.MEDIA_DIRECTORY, INDEX_TEXT)
        elif is_archive(path):
            yield from archive_members(path, self._limits)
        else:
            yield Source(path, as_text(path))
