"""Files that hoseg wrote itself, and those that operating systems keep: none of them is a film.

A folder is known by files in it whose contents say so, never by its own name, and only files of
the names that hoseg gives are left out: a film that lies among results is still read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Protocol

from hoseg.dicom.pictures import picture_format
from hoseg.dicom.read import looks_like_dicom
from hoseg.reasons import Reason

HEAD_BYTES = 512  # enough for the first keys of a JSON file, a CSV header and a film's prefix

_RUN_FILES = re.compile(
    r"(images|findings)\.(csv|parquet)|run\.json|(journal|review)\.sqlite(-wal|-shm|-journal)?"
    r"|review\.html|\.writable"
)
_RUN_FOLDERS = frozenset({".partial", "deidentified"})
STUDY_FILES = frozenset({"report.dcm", "report.html"})  # in the folder of a lone film, too
IMAGE_FILES = STUDY_FILES | {
    "result.json", "masks.png", "overlay.png", "film.jpg", "thumb.jpg", "case.js",
    "segmentation.dcm", "overlay.dcm",
}  # fmt: skip
_UNFINISHED = re.compile(r"(\.\d+)?\.part$")

_LABELS = frozenset({"masks.png", "ignore.png"})
_INDEX_COLUMNS = frozenset({b"name", b"image", b"masks", b"truth"})
# Folder of masks -> folder beside it that holds the films, and what a film's stem ends in
_MASK_FOLDERS = {
    "masks": ("images", ""),
    "ignore": ("images", ""),
    "labelsTr": ("imagesTr", "_0000"),
    "labelsTs": ("imagesTs", "_0000"),
}
_EVALUATION = frozenset({"metrics.json", "report.html"})

_SYSTEM_FILES = frozenset({".ds_store", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"})
_SYSTEM_FOLDERS = frozenset(
    {"$recycle.bin", "system volume information", ".spotlight-v100", ".fseventsd", ".trashes"}
    | {"@eadir"}  # thumbnails of a Synology NAS
)


class Tree(Protocol):
    """Folders on a disk, or in an archive."""

    def names(self, folder: PurePath) -> frozenset[str]:
        """Names of the files directly in a folder; none when it isn't there or can't be listed."""
        ...

    def head(self, file: PurePath) -> bytes:
        """First ``HEAD_BYTES`` bytes of a file; none when it cannot be read."""
        ...


@dataclass(frozen=True)
class OwnFiles:
    """What hoseg wrote in one folder.

    results: names of files that are no input
    labels: names of masks that belong to a film
    folders: names of folders below that hold nothing but results
    kind: what wrote them, for the one row that says they are left out; "" when nothing did
    in_run: the folder is one that ``hoseg run`` wrote to, or lies below it
    """

    results: frozenset[str] = frozenset()
    labels: frozenset[str] = frozenset()
    folders: frozenset[str] = frozenset()
    kind: str = ""
    in_run: bool = False


def own_files(
    tree: Tree, folder: PurePath, *, in_run: bool = False, is_out: bool = False
) -> OwnFiles:
    """Tell what of a folder hoseg wrote.

    in_run: it lies below a folder that ``hoseg run`` wrote to, whose row speaks for it
    is_out: it is the folder that results go to, whatever it holds as yet
    """
    names = tree.names(folder)
    labels = _labels(tree, folder, names)
    if is_out or _is_run(tree, folder, names):
        results = {name for name in names if _RUN_FILES.fullmatch(_finished(name))}
        kind = "" if is_out or in_run else "hoseg run"
        return OwnFiles(frozenset(results), labels, _RUN_FOLDERS, kind, in_run=True)
    if _is_image(tree, folder, names, in_run=in_run):
        results = {name for name in names if _finished(name) in IMAGE_FILES}
        return OwnFiles(frozenset(results), kind="" if in_run else "hoseg run", in_run=True)
    if in_run and folder.parent.name == "studies":
        results = {name for name in names if _finished(name) in STUDY_FILES}
        return OwnFiles(frozenset(results), labels, in_run=True)
    results = _evaluation_pictures(tree, folder, names)
    return OwnFiles(
        frozenset(results), labels, kind="hoseg evaluate" if results else "", in_run=in_run
    )


def words_about(own: OwnFiles) -> str:
    """The sentence of a folder's row; "" when nothing is to be said of it."""
    return f"results of {own.kind}, which are no films: left out" if own.kind else ""


def why_no_film(
    tree: Tree, file: PurePath, parts: Sequence[str], own: OwnFiles
) -> tuple[str, str] | None:
    """(reason code, sentence) for a file that is no film by its name and place, or None.

    parts: of the path below what was given
    own: of its folder
    """
    if file.name in own.results:
        return (Reason.OWN_RESULT, "written by hoseg; a result is no film")
    if file.name in own.labels:
        return (Reason.LABEL_MASK, "the labels of a film; the film itself is read")
    if any(is_system_folder(name) for name in parts[:-1]):
        return (Reason.SYSTEM_FILE, "in a folder of an operating system")
    if _may_be_litter(parts) and not _begins_like_a_film(tree.head(file)):
        return (Reason.SYSTEM_FILE, "kept by an operating system beside others; no film")
    return None


def is_system_folder(name: str) -> bool:
    """Whether a folder of this name holds what a system put away, never films."""
    return name.casefold() in _SYSTEM_FOLDERS


def _may_be_litter(parts: Sequence[str]) -> bool:
    """Tell by the name; ``._NAME`` is AppleDouble, what a Mac cannot keep in NAME itself."""
    name = parts[-1]
    return name.startswith("._") or name.casefold() in _SYSTEM_FILES or "__MACOSX" in parts[:-1]


def _begins_like_a_film(head: bytes) -> bool:
    return looks_like_dicom(head) or picture_format(head) is not None


def _is_run(tree: Tree, folder: PurePath, names: frozenset[str]) -> bool:
    if "run.json" in names and b'"hoseg_version"' in tree.head(folder / "run.json"):
        return True
    # A run that was stopped before it wrote run.json.
    journal = tree.head(folder / "journal.sqlite") if "journal.sqlite" in names else b""
    return journal.startswith(b"SQLite format 3\0")


def _is_image(tree: Tree, folder: PurePath, names: frozenset[str], *, in_run: bool) -> bool:
    if not {"result.json", "masks.png"} <= names:
        return False
    return in_run or b'"hoseg-result-' in tree.head(folder / "result.json")


def _labels(tree: Tree, folder: PurePath, names: frozenset[str]) -> frozenset[str]:
    """Masks of a film folder that ``hoseg simulate`` wrote, or of a labelled data set."""
    if found := _LABELS & names:
        if "truth.json" in names or _is_index(tree.head(folder.parent / "index.csv")):
            return found
        return frozenset()
    beside = _MASK_FOLDERS.get(folder.name)
    if beside is None:
        return frozenset()
    images, ending = beside
    films = {_stem(name) for name in tree.names(folder.parent / images)}
    return frozenset(name for name in names if _stem(name) + ending in films)


def _is_index(head: bytes) -> bool:
    return set(head.split(b"\n", 1)[0].strip().split(b",")) >= _INDEX_COLUMNS


def _evaluation_pictures(tree: Tree, folder: PurePath, names: frozenset[str]) -> set[str]:
    """Pictures of ``hoseg evaluate``: truth and prediction side by side."""
    if folder.name != "pictures" or not tree.names(folder.parent) >= _EVALUATION:
        return set()
    if b'"hoseg-metrics-' not in tree.head(folder.parent / "metrics.json"):
        return set()
    return {name for name in names if re.fullmatch(r"[0-9a-f]{16}\.jpg", name)}


def _finished(name: str) -> str:
    """Name that a file gets when it is written; after a crash it may have kept the other."""
    return _UNFINISHED.sub("", name)


def _stem(name: str) -> str:
    return name.removesuffix(".gz").rpartition(".")[0] or name
