"""A folder of de-identified copies and its manifest."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import UID

import hoseg
from hoseg.deidentify.attributes import Policy
from hoseg.deidentify.pseudonyms import Pseudonyms
from hoseg.dicom.read import PARSE_ERRORS
from hoseg.dicom.source import Source
from hoseg.errors import OutputError, SettingError
from hoseg.files import REMEDY, write_whole

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class FileRecord:
    """What became of one input. It does not say which input: names identify.

    number: of the input, in the order in which inputs are found
    status: "written", "duplicate" (the same film as an earlier input) or "refused"
    output: path below DIR, of a duplicate the earlier one's, "" when refused
    sha256: of the file
    pixels_sha256: of size and pixels alone
    reason: stable code when refused
    masked_px: [row, column, row, column] of every painted box, ends exclusive
    border_share: of the image, the unexposed border that was made flat
    """

    number: int
    status: str
    output: str = ""
    sha256: str = ""
    pixels_sha256: str = ""
    reason: str = ""
    actions: dict[str, int] = field(default_factory=dict)
    masked_px: tuple[tuple[int, int, int, int], ...] = ()
    border_share: float = 0.0


def pixels_sha256(dataset: Dataset) -> str:
    """Digest of size and pixels of a clean, uncompressed image."""
    size = f"{dataset.Rows} {dataset.Columns} {dataset.get('NumberOfFrames', 1)} "
    return hashlib.sha256(size.encode() + dataset.PixelData).hexdigest()


def is_complete(out: Path) -> bool:
    """Whether a folder holds all copies that its manifest was begun for."""
    try:
        content = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content.get("complete", True) is True


class Copies:
    """Copies below a folder, of this run and of earlier ones under the same settings.

    Raises
    ------
    SettingError
        The folder holds copies made under other settings: the same patient would have two names.
    OutputError
        A file cannot be written.
    """

    def __init__(self, out: Path, policy: Policy, pseudonyms: Pseudonyms) -> None:
        self._out = out
        self._settings: dict[str, Any] = {
            "hoseg_version": hoseg.__version__,
            "profile": "DICOM PS3.15 Annex E, Basic Application Level Confidentiality Profile",
            "policy": asdict(policy),
            "key_id": pseudonyms.key_id,
        }
        self._pseudonyms = pseudonyms
        self._earlier = self._read_earlier()
        self._claimed: dict[str, str] = {}  # path to the digest of the pixels there

    def foreign(self, sources: Iterable[Source]) -> Iterator[Source]:
        """Sources that are no copies in this folder, those being written included."""
        for source in sources:
            try:
                below = source.path.resolve().relative_to(self._out.resolve()).as_posix()
            except ValueError:
                below = ""
            if below not in self._earlier and below not in self._claimed:
                yield source

    def add(self, path: str, content: bytes, record: FileRecord) -> FileRecord:
        """Write a copy, under another name where a different film has that one.

        Returns the record with the output it has now; its status is "duplicate" when an earlier
        input of this run was the same film.
        """
        if self._pixels_at(path) not in ("", record.pixels_sha256):
            path, content = self._renamed(content, record.pixels_sha256)
            record = replace(record, output=path, sha256=hashlib.sha256(content).hexdigest())
        if path in self._claimed:
            return FileRecord(record.number, "duplicate", path)
        self._claimed[path] = record.pixels_sha256
        self._write(path, content)
        return record

    def write_manifest(self, records: list[FileRecord], *, complete: bool) -> None:
        """Account for every input of this run, and for copies that earlier ones left here."""
        names = {record.output for record in records}
        kept = [
            entry
            for path, entry in self._earlier.items()
            if path not in names and (self._out / path).is_file()
        ]
        statuses = ("written", "duplicate", "refused")
        content = {
            **self._settings,
            "complete": complete,
            "counts": {s: sum(r.status == s for r in records) for s in statuses},
            "files": [asdict(record) for record in records],
            "earlier": kept,
        }
        self._write(MANIFEST, (json.dumps(content, indent=1) + "\n").encode())

    def _read_earlier(self) -> dict[str, dict[str, Any]]:
        """Entries of an earlier manifest by output; none when the folder is new."""
        path = self._out / MANIFEST
        if not path.exists():
            return {}
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            stated = {key: content.get(key) for key in self._settings}
            entries = [*content["files"], *content.get("earlier", [])]
            written = {e["output"]: e for e in entries if e["status"] == "written"}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            allowed = f"a new or empty folder ({MANIFEST} in it is not one of de-identification)"
            raise SettingError("--out", str(self._out), allowed) from error
        for key, what in _DIFFERENCES.items():
            if stated[key] != self._settings[key]:
                allowed = f"a new or empty folder: it holds copies made {what}"
                raise SettingError("--out", str(self._out), allowed)
        return written

    def _pixels_at(self, path: str) -> str:
        """Digest of the pixels of the film that has a name, "" when none has."""
        if path in self._claimed:
            return self._claimed[path]
        file = self._out / path
        if not file.exists():
            return ""
        try:
            return pixels_sha256(dcmread(file))
        except (OSError, *PARSE_ERRORS):
            return "unreadable"

    def _renamed(self, content: bytes, pixels: str) -> tuple[str, bytes]:
        """The same film with an instance UID that depends on its pixels."""
        dataset = dcmread(io.BytesIO(content))
        uid = self._pseudonyms.uid(f"{dataset.SOPInstanceUID} {pixels}")
        dataset.SOPInstanceUID = uid
        dataset.file_meta.MediaStorageSOPInstanceUID = UID(uid)
        buffer = io.BytesIO()
        dataset.save_as(buffer, enforce_file_format=True)
        path = f"{dataset.PatientID}/{dataset.StudyInstanceUID}/{uid}.dcm"
        return path, buffer.getvalue()

    def _write(self, path: str, content: bytes) -> None:
        target = self._out / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{target.parent}: {error.strerror}; {REMEDY}") from error
        write_whole(target, content)


_DIFFERENCES = {
    "key_id": "with another key (--key-file or HOSEG_DEIDENTIFY_KEY continues with one)",
    "policy": "with other options",
    "hoseg_version": "by another version of hoseg",
}
