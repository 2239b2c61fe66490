"""Names of files in data sets of strangers: they lead nowhere out of the data set.

A data set names pictures and cases. The names come from whoever wrote it, and are used to read
and to write, so all of them pass through here.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from hoseg.errors import InputError

UNSAFE = "unsafe_path"

_PICTURE_FOLDERS = ("images", "data", "imgs", "img", "image", "JPEGImages")
_DRIVE = re.compile(r"[A-Za-z]:")
_ELSEWHERE = re.compile(r"/|[A-Za-z]:|[A-Za-z][A-Za-z0-9+.-]+://")  # another machine's, a URL
_LONGEST_PART = 240  # bytes
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def writable(name: str) -> str:
    r"""Name as text; a byte of a file name that is none, as ``%E4``: it may name a file again.

    Examples
    --------
    >>> writable("h\udcfcfte"), writable("hüfte")
    ('h%FCfte', 'hüfte')
    """
    return "".join(f"%{ord(c) & 0xFF:02X}" if "\ud800" <= c <= "\udfff" else c for c in name)


def check_case(case: str, where: Path) -> str:
    """Return the name of a case that may become a file name below any folder.

    Raises
    ------
    InputError
        It is empty, absolute, has ``..``, a drive, a backslash or a control character.
    """
    parts = case.split("/")
    if (
        any(part in ("", ".", "..") for part in parts)
        or "\\" in case
        or _DRIVE.match(case)
        or _CONTROL.search(case)
        or _too_long(parts)
    ):
        text = f"the name {case!r:.80} could lead out of a folder; rename it in the data set"
        raise InputError(str(where), text, code=UNSAFE)
    return case


def _too_long(parts: list[str]) -> bool:
    """Longer than a file system has names, with a suffix still to come."""
    return any(len(part.encode("utf-8", "surrogatepass")) > _LONGEST_PART for part in parts)


def relative_name(name: str, where: Path) -> PurePosixPath:
    r"""What a data set calls a picture, as a path below it.

    Backslashes are separators. Of a path on the machine where it was labelled only the file's name
    counts, and of ``../images/film.png`` what comes after the folder of pictures.

    Raises
    ------
    InputError
        It leads out of the data set, or names nothing.

    Examples
    --------
    >>> relative_name("C:\\study\\film.png", Path("a.json"))
    PurePosixPath('film.png')
    """
    plain = name.replace("\\", "/")
    if _ELSEWHERE.match(plain):
        plain = _DRIVE.sub("", plain.rpartition("/")[2], count=1)
    parts = [part for part in plain.split("/") if part not in ("", ".")]
    if len(parts) > 2 and parts[0] == ".." and parts[1] in _PICTURE_FOLDERS:
        parts = parts[2:]
    if not parts or ".." in parts or _CONTROL.search(plain) or _too_long(parts):
        text = f"the picture {name!r:.80} is not inside the data set; put it there and name it so"
        raise InputError(str(where), text, code=UNSAFE)
    return PurePosixPath(*parts)


def case_of(name: str, where: Path) -> str:
    """Name of a case after its picture."""
    return check_case(relative_name(name, where).with_suffix("").as_posix(), where)


def find_picture(folder: Path, name: str, where: Path, subset: str = "") -> Path:
    """File that a data set calls ``name``: beside the annotations, or in a folder of pictures.

    Parameters
    ----------
    folder : Path
        Where the annotations are.
    name : str
        As the data set has it.
    where : Path
        The annotation file, for messages.
    subset : str
        Name of a part of the data set (``train``) that may be a folder of its own.

    Returns
    -------
    Path
        Where it should be, when it is nowhere.
    """
    rel = relative_name(name, where)
    up = folder.parent if folder.name not in ("", "..") else folder / ".."
    beside = ["", *_PICTURE_FOLDERS] if folder.name == "annotations" else _PICTURE_FOLDERS
    places = [(folder, folder.resolve(), pictures) for pictures in ("", *_PICTURE_FOLDERS)]
    places += [(up, up.resolve() / pictures, pictures) for pictures in beside]
    for root, limit, pictures in places:
        for part in dict.fromkeys(("", subset, "default")):  # "default": CVAT
            file = root / pictures / part / rel
            if file.is_file():
                return _within(limit, file)
    return folder / rel


def existing_picture(folder: Path, name: str, where: Path, subset: str = "") -> Path:
    """As ``find_picture``; InputError when it is nowhere."""
    path = find_picture(folder, name, where, subset)
    if not path.is_file():
        text = f"the picture {name!r:.80} is neither beside it nor in images/; put it there"
        raise InputError(str(where), text, code="not_found")
    return path


def inside(root: Path, file: Path) -> Path:
    """Return a file that lies below ``root``, links followed; root itself may be a link.

    Raises
    ------
    InputError
        A link leads out of ``root``.
    """
    return _within(root.resolve(), file)


def _within(limit: Path, file: Path) -> Path:
    try:
        true_file = file.resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(str(file), f"cannot be followed ({error})", code=UNSAFE) from error
    if not true_file.is_relative_to(limit):
        text = f"leads out of {limit} by a link; copy the file there, or give its true folder"
        raise InputError(str(file), text, code=UNSAFE)
    return file


def target(out: Path, *parts: str) -> Path:
    """Path below ``out`` to write to."""
    path = out.joinpath(*(check_case(part, out) for part in parts))
    return inside(out, path)
