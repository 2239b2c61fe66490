"""What every DICOM object of hoseg shares: UIDs, the patient it belongs to, equipment, dates.

UIDs are a function of the inputs, the findings and the version. Dates are those of the computation,
never of the writing: the same run writes the same bytes, and sending them twice does no harm.
"""

from __future__ import annotations

import hashlib
import uuid
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import UID
from pydicom.valuerep import DA, TM

import hoseg
from hoseg.errors import InputError
from hoseg.radiograph import Side
from hoseg.report.dicom_values import mend, valid_character_set
from hoseg.report.schema import ResultFile

MANUFACTURER = "hoseg"
MODEL_NAME = "hoseg"
# Version 5 UUIDs below a namespace of our own; 2.25 is the UID root for UUIDs (PS3.5 B.2).
_NAMESPACE = uuid.UUID("6b4f2c0e-9d53-5c1f-8a57-2f1f6d0b7e31")
_REQUIRED = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
_MAY_BE_EMPTY = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
)


@dataclass(frozen=True)
class Series:
    """A series of results within the study of the source image.

    kind: "SEG", "SR" or "SC"; one series for each kind, model and version
    """

    kind: str
    number: int
    description: str


SEG_SERIES = Series("SEG", 9701, "hoseg segmentation")
SR_SERIES = Series("SR", 9702, "hoseg findings")
SC_SERIES = Series("SC", 9703, "hoseg overlay")


def derived_uid(*parts: str) -> UID:
    """UID below 2.25 that depends on ``parts`` alone (PS3.5 B.2, UUID version 5)."""
    return UID(f"2.25.{uuid.uuid5(_NAMESPACE, chr(31).join(parts)).int}")


def series_uid(series: Series, result: ResultFile, study_uid: str) -> UID:
    """Series Instance UID: one per study, kind of object, model and version."""
    return derived_uid("series", series.kind, study_uid, result.model, result.hoseg_version)


def instance_uid(series: Series, results: list[ResultFile], *content: bytes) -> UID:
    """SOP Instance UID: changes exactly when the source, the findings or the pixels do."""
    digest = hashlib.sha256()
    for result in results:
        digest.update(result.model_dump_json(exclude={"source", "folder"}).encode())
    for part in content:
        digest.update(hashlib.sha256(part).digest())
    return derived_uid("instance", series.kind, digest.hexdigest())


@dataclass(frozen=True)
class Tracking:
    """Identifiers that stay the same for the same hip over time (DCM 112039, 112040)."""

    identifier: str
    uid: UID


def tracking(source: Dataset, side: Side, what: str) -> Tracking:
    """Tracking identifiers of one structure of one hip of one patient.

    Without a Patient ID or a side nobody can say that two hips are the same: the identifier
    then holds within this image only.
    """
    patient = str(source.get("PatientID", "") or "")
    if patient and side is not Side.UNKNOWN:
        whose = (patient, str(source.get("IssuerOfPatientID", "") or ""))
    else:
        whose = ("image", str(source.SOPInstanceUID))
    return Tracking(
        identifier=f"{side.value} hip {what}" if side is not Side.UNKNOWN else f"hip {what}",
        uid=derived_uid("tracking", *whose, side.value, what),
    )


def lesion_tracking(source: Dataset, frame: int, side: Side, mask: NDArray[np.bool_]) -> Tracking:
    """Tracking identifiers of one ossification of one film: by its place and shape there.

    Nothing says that a lesion of another film is the same one, so none shares its identifier; nor
    does another lesion of the same film, which covers other pixels.

    mask: (H, W) bool
    """
    digest = hashlib.sha256(repr(mask.shape).encode() + np.packbits(mask).tobytes()).hexdigest()
    uid = derived_uid("lesion", str(source.SOPInstanceUID), str(frame), side.value, digest)
    where = f"{side.value} hip " if side is not Side.UNKNOWN else "hip "
    return Tracking(f"{where}ossification {digest[:12]}", uid)


def reference_dataset(source: Dataset, name: str) -> Dataset:
    """Copy of a source dataset, without pixels, that result objects can be derived from.

    Absent type 2 attributes become empty, and values that are not valid for their attribute
    (a sex of "Female", a date of "unknown") are mended or dropped: they may not be copied into a
    new object. UIDs that are not valid are replaced (``replaced_uids``).

    Parameters
    ----------
    source : Dataset
        The radiograph as read.
    name : str
        What to call it in errors.

    Raises
    ------
    InputError
        ``no_identity`` when a UID that a reference needs is missing.
    """
    copy = Dataset()
    copy.update({tag: source[tag] for tag in source.keys() if tag.group < 0x5000})  # noqa: SIM118
    copy = deepcopy(copy)
    for keyword in _REQUIRED:
        if not str(copy.get(keyword, "") or ""):
            raise InputError(
                name,
                f"{keyword} is missing; DICOM results must refer to it. Use a file exported by "
                "a DICOM archive",
                code="no_identity",
            )
    for keyword, _, valid in replaced_uids(source):
        setattr(copy, keyword, valid)
    # highdicom refuses valid sets (a leading empty value): ``carry_character_set`` sets it last.
    if "SpecificCharacterSet" in copy:
        del copy.SpecificCharacterSet
    mend(copy)
    for keyword in _MAY_BE_EMPTY:
        if copy.get(keyword) is None:
            setattr(copy, keyword, "")
    if copy.PatientSex not in ("M", "F", "O"):
        copy.PatientSex = ""
    _forget_place(copy)
    if "Modality" not in copy or not copy.Modality:
        copy.Modality = "OT"
    return copy


def replaced_uids(source: Dataset) -> list[tuple[str, str, UID]]:
    """UIDs of a source that break PS3.5 9.1: (keyword, text, the valid UID in its place).

    The valid one is a function of the text: whoever meets the same text writes the same UID, so
    that objects of one study or series stay together.
    """
    stated = [(keyword, str(source.get(keyword, "") or "")) for keyword in _REQUIRED[:3]]
    return [
        (keyword, text, derived_uid("invalid uid", text))
        for keyword, text in stated
        if text and not UID(text).is_valid
    ]


def common_arguments(
    source: Dataset, series: Series, result: ResultFile, computed: datetime
) -> dict[str, Any]:
    """Keyword arguments that every highdicom constructor takes.

    computed: when the findings were computed
    """
    return {
        "series_instance_uid": series_uid(series, result, str(source.StudyInstanceUID)),
        "series_number": series.number,
        "series_description": series.description,
        "manufacturer": MANUFACTURER,
        "manufacturer_model_name": MODEL_NAME,
        "software_versions": hoseg.__version__,
        "device_serial_number": (result.model or "none")[:64],
        "content_date": DA(computed.date()),
        "content_time": TM(computed.time().replace(microsecond=0)),
    }


def patient_orientation(result: ResultFile) -> list[str]:
    """Patient Orientation (0020,0020): directions of rows and columns; empty when assumed."""
    image = result.image
    if image is None or image.orientation_source == "assumed":
        return []
    across = "R" if image.columns_to is Side.RIGHT else "L"
    along = "F" if image.rows_to_feet else "H"
    return [along, across] if image.transposed else [across, along]


def carry_character_set(dataset: Dataset, source: Dataset) -> None:
    """Encode text as the source does; everything hoseg adds is ASCII and fits any set."""
    stated = source.get("SpecificCharacterSet")
    if stated:
        terms = valid_character_set(stated)
        if terms:
            dataset.SpecificCharacterSet = terms if len(terms) > 1 else terms[0]


def set_the_clock(dataset: Dataset, computed: datetime) -> None:
    """Say when the findings were computed, and nothing of the moment of writing.

    So the same results written again are the same bytes.
    """
    dataset.InstanceCreationDate = DA(computed.date())
    dataset.InstanceCreationTime = TM(computed.time().replace(microsecond=0))
    for keyword in ("DateOfSecondaryCapture", "TimeOfSecondaryCapture"):
        if keyword in dataset:
            delattr(dataset, keyword)
    for item in dataset.get("ContributingEquipmentSequence", []):
        if item.get("ManufacturerModelName") == "highdicom" and "ContributionDateTime" in item:
            del item.ContributionDateTime


def masks_bytes(masks: NDArray[np.uint8]) -> bytes:
    """Bytes of a mask with its shape, for ``instance_uid``."""
    return repr(masks.shape).encode() + np.ascontiguousarray(masks).tobytes()


def _forget_place(dataset: Dataset) -> None:
    """Drop what would give a segmentation a place in space: a projection has none.

    Pixel Spacing too: highdicom turns it into a Pixel Measures Sequence, which it and the
    standard allow only with a slice thickness. The grid is that of the source image.
    """
    keywords = "FrameOfReferenceUID ImagePositionPatient ImageOrientationPatient PixelSpacing"
    for keyword in keywords.split():
        if keyword in dataset:
            delattr(dataset, keyword)
