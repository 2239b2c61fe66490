"""De-identify many files: what ``hoseg deidentify`` does."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pydicom import dcmread

import hoseg
from hoseg.deidentify.attributes import Policy, deidentify_dataset
from hoseg.deidentify.clean_pixels import clean_pixels
from hoseg.deidentify.pseudonyms import Pseudonyms
from hoseg.dicom.read import PARSE_ERRORS, parse
from hoseg.dicom.source import Limits, Source
from hoseg.errors import InputError, OutputError
from hoseg.reasons import BESIDE_FILMS

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class FileRecord:
    """What became of one input. It does not say which input: names identify.

    output: path below DIR, "" when refused
    reason: stable code when refused
    masked_px: [row, column, row, column] of every painted box, ends exclusive
    border_share: of the image, the unexposed border that was made flat
    """

    number: int
    status: str
    output: str = ""
    sha256: str = ""
    reason: str = ""
    actions: dict[str, int] = field(default_factory=dict)
    masked_px: tuple[tuple[int, int, int, int], ...] = ()
    border_share: float = 0.0


def deidentify_source(
    source: Source, policy: Policy, pseudonyms: Pseudonyms, limits: Limits | None = None
) -> tuple[str, bytes, FileRecord]:
    """De-identify one DICOM image in memory.

    Returns
    -------
    path
        ``patient/study/instance.dcm``, all three pseudonyms.
    data
        Bytes of the new file.
    record
        For the manifest, with number 0.

    Raises
    ------
    InputError
        The file is not a DICOM image, or its pixels cannot be cleaned.
    """
    limits = limits or Limits()
    data = source.read(limits)
    original = parse(data, source, limits)
    try:
        whole = dcmread(io.BytesIO(data), force=True)
        whole.file_meta = original.file_meta
        clean, actions = deidentify_dataset(whole, policy, pseudonyms)
        painted = clean_pixels(clean, original, policy, source, limits)
        buffer = io.BytesIO()
        clean.save_as(buffer, enforce_file_format=True)
    except PARSE_ERRORS as error:
        text = f"cannot be rewritten ({type(error).__name__}: {error}); export it again"
        raise InputError(source.name, text, code="corrupt") from error
    parts = (clean.PatientID, clean.get("StudyInstanceUID", ""), clean.get("SOPInstanceUID", ""))
    if not all(parts):
        text = "Study Instance UID or SOP Instance UID is missing; nothing can be named after them"
        raise InputError(source.name, text, code="no_identity")
    path = f"{parts[0]}/{parts[1]}/{parts[2]}.dcm"
    content = buffer.getvalue()
    return (
        path,
        content,
        FileRecord(
            number=0,
            status="written",
            output=path,
            sha256=hashlib.sha256(content).hexdigest(),
            actions=actions,
            masked_px=tuple((b.row, b.column, b.row_end, b.column_end) for b in painted.boxes),
            border_share=round(painted.border_share, 4),
        ),
    )


@dataclass(frozen=True)
class Outcome:
    """Everything that ``deidentify_files`` did.

    records: in input order
    refused: (input as named by the user, reason code, sentence); for the screen, never a file
    links: (input as named by the user, output), for whoever may hold the key
    """

    records: list[FileRecord]
    refused: list[tuple[str, str, str]]
    links: list[tuple[str, str]]


def deidentify_files(
    sources: Iterable[Source],
    out: Path,
    policy: Policy,
    pseudonyms: Pseudonyms,
    progress: Callable[[], None] | None = None,
) -> Outcome:
    """Write de-identified copies below ``out`` and ``out/manifest.json``.

    Files that are known to be no films (``BESIDE_FILMS``) are passed over.

    Raises
    ------
    OutputError
        A file cannot be written.
    """
    outcome = Outcome([], [], [])
    for number, source in enumerate(sources, start=1):
        if progress is not None:
            progress()
        if source.problem is not None and source.problem[0] in BESIDE_FILMS:
            continue
        try:
            path, content, record = deidentify_source(source, policy, pseudonyms)
            _write(out / path, content)
            outcome.links.append((source.name, path))
        except InputError as error:
            record = FileRecord(number=number, status="refused", reason=error.code)
            outcome.refused.append((source.name, error.code, error.sentence))
        outcome.records.append(FileRecord(**(asdict(record) | {"number": number})))
    _write(out / MANIFEST, _manifest(outcome.records, policy, pseudonyms).encode())
    return outcome


def _manifest(records: list[FileRecord], policy: Policy, pseudonyms: Pseudonyms) -> str:
    written = [record for record in records if record.status == "written"]
    content = {
        "hoseg_version": hoseg.__version__,
        "profile": "DICOM PS3.15 Annex E, Basic Application Level Confidentiality Profile",
        "policy": asdict(policy),
        "key_id": pseudonyms.key_id,
        "counts": {"written": len(written), "refused": len(records) - len(written)},
        "files": [asdict(record) for record in records],
    }
    return json.dumps(content, indent=1) + "\n"


def _write(path: Path, content: bytes) -> None:
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        raise OutputError(
            f"{path}: {error.strerror}; free space or choose another --out"
        ) from error
