"""Secondary Capture of the overlay, for viewers that show neither SEG nor SR."""

from __future__ import annotations

from datetime import datetime

import numpy as np
from highdicom.sc import SCImage
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from hoseg.errors import SettingError
from hoseg.radiograph import Side
from hoseg.report.dicom_identity import (
    SC_SERIES,
    carry_character_set,
    common_arguments,
    instance_uid,
    masks_bytes,
    patient_orientation,
    reference_dataset,
    set_the_clock,
)
from hoseg.report.schema import ResultFile
from hoseg.words import RESEARCH_USE


def secondary_capture(
    source: Dataset,
    overlay: NDArray[np.uint8],
    result: ResultFile,
    number: int = 1,
    computed: datetime | None = None,
) -> SCImage:
    """Secondary Capture (PS3.3 A.8.1) of one overlay, uncompressed, so that anything shows it.

    It refers to its source, keeps its orientation, and carries no spacing: nobody should
    measure on it.

    Parameters
    ----------
    overlay : (H, W, 3) uint8
        RGB.
    computed : datetime, optional
        When the findings were computed, in local time; now by default.

    Raises
    ------
    InputError
        ``no_identity`` when a UID of the source is missing.
    SettingError
        When the overlay is not an RGB image.
    """
    if overlay.ndim != 3 or overlay.shape[2] != 3 or overlay.dtype != np.uint8:
        raise SettingError(
            "overlay", f"{overlay.shape} {overlay.dtype}", "an (H, W, 3) uint8 RGB image"
        )
    computed = computed or datetime.now()
    reference = reference_dataset(source, result.source)
    sides = {hip.side for hip in result.hips}
    letters = {Side.LEFT: "L", Side.RIGHT: "R"}
    dataset = SCImage.from_ref_dataset(
        ref_dataset=reference,
        pixel_array=np.ascontiguousarray(overlay),
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=("L", "F"),  # required here, replaced below
        sop_instance_uid=instance_uid(SC_SERIES, [result], masks_bytes(overlay)),
        instance_number=number,
        **common_arguments(reference, SC_SERIES, result, computed),
    )
    dataset.Laterality = letters.get(sides.pop(), "") if len(sides) == 1 else ""
    dataset.PatientOrientation = patient_orientation(result)
    dataset.DerivationDescription = f"hoseg overlay. {RESEARCH_USE}"
    if reference.get("BurnedInAnnotation") in ("YES", "NO"):
        dataset.BurnedInAnnotation = reference.BurnedInAnnotation
    _refer_to(dataset, reference)
    carry_character_set(dataset, source)
    set_the_clock(dataset, computed)
    return dataset


def _refer_to(dataset: Dataset, source: Dataset) -> None:
    item = Dataset()
    item.ReferencedSOPClassUID = source.SOPClassUID
    item.ReferencedSOPInstanceUID = source.SOPInstanceUID
    dataset.SourceImageSequence = [item]
