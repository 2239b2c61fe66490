"""De-identify many files: what ``hoseg deidentify`` does."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from hoseg.deidentify.attributes import Policy, deidentify_dataset
from hoseg.deidentify.clean_pixels import clean_pixels
from hoseg.deidentify.copies import Copies, FileRecord, pixels_sha256
from hoseg.deidentify.pseudonyms import Pseudonyms
from hoseg.deidentify.refusals import Refused
from hoseg.dicom.read import PARSE_ERRORS, parse, read_elements
from hoseg.dicom.source import Limits, Source
from hoseg.errors import InputError
from hoseg.reasons import BESIDE_FILMS


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
        whole = read_elements(data)
        whole.file_meta = original.file_meta
        clean, actions = deidentify_dataset(whole, policy, pseudonyms)
        painted = clean_pixels(clean, original, policy, source, limits)
        buffer = io.BytesIO()
        clean.save_as(buffer, enforce_file_format=True)
    except PARSE_ERRORS as error:
        text = f"cannot be rewritten ({type(error).__name__}: {error}); export it again"
        raise InputError(source.name, text, code="corrupt") from error
    parts = (clean.PatientID, clean.get("StudyInstanceUID", ""), clean.get("SOPInstanceUID", ""))
    if not all(isinstance(part, str) and part for part in parts):
        text = f"{Refused.NO_IDENTITY.meaning}; nothing can be named after them"
        raise InputError(source.name, text, code=Refused.NO_IDENTITY.value)
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
            pixels_sha256=pixels_sha256(clean),
            actions=actions,
            masked_px=tuple((b.row, b.column, b.row_end, b.column_end) for b in painted.boxes),
            border_share=round(painted.border_share, 4),
        ),
    )


@dataclass(frozen=True)
class Refusal:
    """An input that was not copied.

    number: as in the manifest
    source: as named by the user: it may identify, so it is for the screen and the link file
    code: stable reason code
    sentence: what is wrong and what to do; it may quote the file
    """

    number: int
    source: str
    code: str
    sentence: str


@dataclass(frozen=True)
class Outcome:
    """Everything that ``deidentify_files`` did.

    records: in input order
    sources: name of each record's input, for whoever may hold the key
    refused: what was not copied
    """

    records: list[FileRecord] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)

    def count(self, status: str) -> int:
        """Number of inputs of a status."""
        return sum(record.status == status for record in self.records)


def deidentify_files(
    sources: Iterable[Source],
    out: Path,
    policy: Policy,
    pseudonyms: Pseudonyms,
    progress: Callable[[], None] | None = None,
) -> Outcome:
    """Write de-identified copies below ``out`` and ``out/manifest.json``.

    No copy replaces another film's: of two inputs with one name, the same film is kept once, and
    different films both. With the same settings more may be added to ``out`` later. Files that are
    known to be no films (``BESIDE_FILMS``) are passed over, and so are copies that lie in ``out``.

    Raises
    ------
    SettingError
        ``out`` holds copies made under another key, another policy or by another version.
    OutputError
        A file cannot be written.
    """
    folder = Copies(out, policy, pseudonyms)
    folder.write_manifest([], complete=False)
    outcome = Outcome()
    for number, source in enumerate(folder.foreign(sources), start=1):
        if progress is not None:
            progress()
        if source.problem is not None and source.problem[0] in BESIDE_FILMS:
            continue
        try:
            record = folder.add(*deidentify_source(source, policy, pseudonyms))
        except InputError as error:
            record = FileRecord(number=number, status="refused", reason=error.code)
            outcome.refused.append(Refusal(number, source.name, error.code, error.sentence))
        outcome.records.append(replace(record, number=number))
        outcome.sources.append(source.name)
    folder.write_manifest(outcome.records, complete=True)
    return outcome
