"""File and folder names made from values that strangers wrote (DICOM attributes, archives)."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from hoseg.errors import OutputError

_ALLOWED = re.compile(r"[^A-Za-z0-9._-]+")
_RESERVED = re.compile(r"^(con|prn|aux|nul|com\d|lpt\d)(\..*)?$", re.IGNORECASE)
_MAX_LENGTH = 80


def safe_name(value: str, fallback: str = "unnamed") -> str:
    """One path component that is harmless on every system and still tells values apart.

    Letters, digits, ``.``, ``_`` and ``-`` are kept (every DICOM UID passes unchanged).
    Anything else, names that a system reserves, and over-long names are rewritten and end in
    eight hex digits of the original's SHA-256, so different values stay different.

    Parameters
    ----------
    value : str
        A UID, an identifier, a file name: untrusted.
    fallback : str
        Stem used when nothing of ``value`` can be kept.

    Examples
    --------
    >>> safe_name("1.2.840.10008")
    '1.2.840.10008'
    >>> safe_name("../../etc/passwd")
    'etc_passwd-3754d6cb'
    """
    name = _ALLOWED.sub("_", value).strip("._- ")[:_MAX_LENGTH].rstrip("._- ")
    if name == value and name and not _RESERVED.match(name):
        return name
    digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{name or fallback}-{digest}"


def inside(root: Path, *parts: str) -> Path:
    """``root / parts``, or an error when symbolic links or ``..`` would lead out of ``root``.

    Raises
    ------
    OutputError
        When the path, links followed, does not lie below ``root``.
    """
    path = root.joinpath(*parts)
    if not path.resolve().is_relative_to(root.resolve()):
        raise OutputError(f"{path}: leads out of {root}; remove the link or choose another folder")
    return path


def located(run_dir: Path, source: str) -> str:
    """Where an input of a run is: as it was named, else, as in a de-identified run, in the run."""
    kept = run_dir / source
    return str(kept) if not Path(source).exists() and kept.is_file() else source
