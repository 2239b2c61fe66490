"""Write the DICOM objects of a finished run: behind ``hoseg export`` and ``hoseg run --dicom``."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, TypeVar

import cv2
import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from hoseg.dicom.archive import source_named
from hoseg.dicom.read import PARSE_ERRORS, looks_like_dicom
from hoseg.dicom.source import Limits, Source
from hoseg.errors import HosegError, InputError, SettingError
from hoseg.files import written_whole
from hoseg.picture_files import read_pixels
from hoseg.reasons import Reason
from hoseg.report.dicom_seg import segmentation_object
from hoseg.report.dicom_sr import Evidence, structured_report
from hoseg.report.paths import inside, located
from hoseg.report.schema import ResultFile, read_result, studies_in
from hoseg.report.secondary_capture import secondary_capture

KINDS = ("seg", "sr", "sc")
SEG_NAME, SR_NAME, SC_NAME = "segmentation.dcm", "report.dcm", "overlay.dcm"
Header = Callable[[Dataset], Dataset]
T = TypeVar("T")


@dataclass
class ExportSummary:
    """What an export wrote, and what it could not.

    written: files, relative to the run
    failed: (folder of the image or study, reason code, sentence)
    pictures: number of images that are no DICOM objects and have no identity to refer to
    """

    written: list[str] = field(default_factory=list)
    failed: list[tuple[str, str, str]] = field(default_factory=list)
    pictures: int = 0

    @property
    def about_pictures(self) -> str:
        """What to say of the pictures; "" when there are none."""
        if not self.pictures:
            return ""
        count = "1 picture has" if self.pictures == 1 else f"{self.pictures} pictures have"
        return f"{count} no DICOM objects: these need a DICOM film to refer to"


def export_run(
    run_dir: Path,
    *,
    kinds: tuple[str, ...] = KINDS,
    header: Header | None = None,
    progress: Callable[[], None] | None = None,
) -> ExportSummary:
    """Write DICOM objects beside the results of every image of a run.

    ``studies/<study>/<image>/segmentation.dcm`` and ``overlay.dcm``, and one
    ``studies/<study>/report.dcm``; a film that is a study of its own has that in its own folder.
    The source files are read again, for the identity of the patient and the study; the same run
    writes the same bytes.

    Parameters
    ----------
    run_dir : Path
        Folder that ``hoseg run`` wrote.
    kinds : tuple of str
        Any of ``"seg"``, ``"sr"``, ``"sc"``.
    header : callable, optional
        Changes every source dataset before anything is derived from it, e.g. de-identifies it.
    progress : callable, optional
        Called once after every image.

    Raises
    ------
    SettingError
        Unknown kind, or a folder that is not a run.
    OutputError
        A file cannot be written.
    """
    for kind in kinds:
        if kind not in KINDS:
            raise SettingError("kinds", kind, f"any of {', '.join(KINDS)}")
    if not count_images(run_dir) and not (run_dir / "run.json").exists():
        raise SettingError("DIR", str(run_dir), "a folder that `hoseg run` wrote results to")
    summary = ExportSummary()
    for folder, paths in studies_in(run_dir):
        evidence = []
        for path in paths:
            item = _export_image(run_dir, path, kinds, header, summary)
            if item is not None:
                evidence.append(item)
            if progress is not None:
                progress()
        if "sr" in kinds and evidence:
            _export_report(run_dir, folder, evidence, summary)
    return summary


def count_images(run_dir: Path) -> int:
    """Number of images that ``export_run`` will look at, for a progress bar."""
    return sum(1 for _ in run_dir.glob("studies/*/*/result.json"))


def read_header(source: str, sop_uid: str, limits: Limits | None = None) -> Dataset:
    """Read the dataset of an input by the name a result gives it, without its pixels.

    A run folder may come from somebody else, and name any file of this machine: only a DICOM
    object that its result was made from is read, and no error repeats what a file holds.

    Parameters
    ----------
    source : str
        A path, or ``"archive.zip!inner/name"``.
    sop_uid : str
        SOP Instance UID that the result states.
    limits : Limits, optional
        What may be read.

    Raises
    ------
    InputError
        ``source_missing``, ``not_dicom``, ``source_changed`` or what the limits forbid.
    """
    place = _place(source, limits or Limits())
    try:
        with _opened(place, limits or Limits()) as stream:
            if not looks_like_dicom(stream.read(132)):
                text = "is not a DICOM object; DICOM results need one to refer to"
                raise InputError(source, text, code="not_dicom")
            stream.seek(0)
            header = pydicom.dcmread(stream, stop_before_pixels=True, force=True)
            found = str(header.get("SOPInstanceUID", "")).strip(" \0")
    except PARSE_ERRORS as error:
        text = f"is not a readable DICOM file ({type(error).__name__})"
        raise InputError(source, text, code="not_dicom") from error
    if found != sop_uid.strip(" \0"):
        text = "is not the film that this result was made from; put that back, or run it again"
        raise InputError(source, text, code="source_changed")
    return header


def _place(name: str, limits: Limits) -> Source:
    """Where an input is; a member of an archive under the rules of ``discover``."""
    place = source_named(name, limits)
    if place is None:
        text = "the source is no longer there; put it back where the run read it"
        raise InputError(name, text, code="source_missing")
    return place


def _opened(place: Source, limits: Limits) -> BinaryIO:
    if place.member is not None or place.problem is not None:
        return BytesIO(place.read(limits))
    try:
        size = place.path.stat().st_size
        if size > limits.file_bytes:
            text = f"{size} bytes; at most {limits.file_bytes} are read"
            raise place.fail(Reason.FILE_TOO_LARGE, text)
        return place.path.open("rb")
    except OSError as error:
        text = f"the source cannot be read ({error.strerror}); check its permissions"
        raise InputError(place.name, text, code="source_missing") from error


def _export_image(
    run_dir: Path,
    path: Path,
    kinds: tuple[str, ...],
    header: Header | None,
    summary: ExportSummary,
) -> Evidence | None:
    folder = path.parent
    try:
        result = read_result(path)
        if result.image is None or not (folder / "masks.png").exists():
            return None
        if not (result.image.sop_uid or result.image.transfer_syntax_uid):
            summary.pictures += 1
            return None
        source = read_header(located(run_dir, result.source), result.image.sop_uid)
        if "SOPClassUID" not in source:
            raise InputError(
                result.source,
                "is not a DICOM object; DICOM results need one to refer to",
                code="not_dicom",
            )
        source = header(source) if header is not None else source
        number = _instance_number(source)
        computed = _computed(path)
        segmentation = None
        if "seg" in kinds or "sr" in kinds:
            masks = _read_image(folder / "masks.png", cv2.IMREAD_UNCHANGED)
            segmentation = _guarded(
                result, lambda: segmentation_object(source, masks, result, number, computed)
            )
        if "seg" in kinds and segmentation is not None:
            _save(run_dir, folder / SEG_NAME, segmentation, summary)
        if "sc" in kinds and (folder / "overlay.png").exists():
            picture = _read_image(folder / "overlay.png", cv2.IMREAD_COLOR)[:, :, ::-1]
            capture = _guarded(
                result, lambda: secondary_capture(source, picture, result, number, computed)
            )
            _save(run_dir, folder / SC_NAME, capture, summary)
        return Evidence(source, result, segmentation, computed)
    except InputError as error:
        summary.failed.append((_relative(run_dir, folder), error.code, str(error)))
        return None


def _export_report(
    run_dir: Path, study: Path, evidence: list[Evidence], summary: ExportSummary
) -> None:
    try:
        report = _guarded(evidence[0].result, lambda: structured_report(evidence))
    except InputError as error:
        summary.failed.append((_relative(run_dir, study), error.code, str(error)))
        return
    if report is not None:
        _save(run_dir, study / SR_NAME, report, summary)


def _computed(path: Path) -> datetime:
    """When a result was computed: when its ``result.json`` was written, once and for all."""
    return datetime.fromtimestamp(path.stat().st_mtime).replace(microsecond=0)


def _instance_number(source: Dataset) -> int:
    """Number of the source image, so that results sort like their films."""
    text = str(source.get("InstanceNumber") or "1").strip()
    return max(1, int(text)) if text.isascii() and text.isdigit() else 1


def _guarded(result: ResultFile, build: Callable[[], T]) -> T:
    """Build an object; a source whose attributes no valid object can carry is an input error."""
    try:
        with warnings.catch_warnings():
            # A name of one component, as de-identification gives, is valid (PS3.5 6.2.1.2).
            warnings.filterwarnings("ignore", ".*single component", UserWarning)
            return build()
    except HosegError:
        raise
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise InputError(
            result.source,
            f"no valid DICOM object can be derived from its attributes: {error}",
            code="attributes_unusable",
        ) from error


def _read_image(path: Path, flags: int) -> NDArray[np.uint8]:
    pixels = read_pixels(path, flags)
    if pixels is None or pixels.dtype != np.uint8:
        raise InputError(str(path), "is not an 8-bit PNG; run `hoseg run` again", code="bad_result")
    return np.asarray(pixels, dtype=np.uint8)


def _save(run_dir: Path, path: Path, dataset: Dataset, summary: ExportSummary) -> None:
    inside(run_dir, *path.relative_to(run_dir).parts)
    with written_whole(path, remedy="free space and export again") as part:
        dataset.save_as(part, enforce_file_format=True)
    summary.written.append(_relative(run_dir, path))


def _relative(run_dir: Path, path: Path) -> str:
    return path.relative_to(run_dir).as_posix()
