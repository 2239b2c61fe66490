"""A small finished run for tests: DICOM sources, masks, findings, as ``hoseg run`` leaves them.

Built from the grading module's own records but not by grading: every number is chosen here.
Run as a program it writes such a run: ``python samples.py DIR``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from hoseg.grade.finding import (
    CheckedCondition,
    Component,
    HipFinding,
    Landmarks,
    TraceLine,
)
from hoseg.radiograph import (
    Attributes,
    Note,
    Orientation,
    Radiograph,
    Side,
    Spacing,
    SpacingSource,
    View,
)
from hoseg.report.schema import ResultFile, result_for_image, to_json

ROWS, COLUMNS = 240, 320
CR = "1.2.840.10008.5.1.4.1.1.1"
DX = "1.2.840.10008.5.1.4.1.1.1.1"
STUDY = "1.2.826.0.1.3680043.10.1.1"


NO_CLASS: dict[str, object] = {"classes": {}, "class_probabilities": {}}
"""What a hip that is abstained on does not have."""


def source_dataset(number: int = 1, **changes: object) -> Dataset:
    """A DX image of ``ROWS`` x ``COLUMNS`` with a Japanese name; ``changes`` set attributes."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SpecificCharacterSet = ["", "ISO 2022 IR 87"]
    dataset.PatientName = "Yamada^Tarou=山田^太郎=やまだ^たろう"
    dataset.PatientID = "P-0815"
    dataset.PatientBirthDate = "19480229"
    dataset.PatientSex = "M"
    dataset.PatientAge = "071Y"
    dataset.StudyInstanceUID = STUDY
    dataset.SeriesInstanceUID = f"{STUDY}.1"
    dataset.SOPInstanceUID = f"{STUDY}.1.{number}"
    dataset.SOPClassUID = DX
    dataset.Modality = "DX"
    dataset.StudyDate = dataset.ContentDate = "20190611"
    dataset.StudyTime = dataset.ContentTime = "101500"
    dataset.AccessionNumber = "ACC1"
    dataset.StudyID = "S1"
    dataset.ReferringPhysicianName = "Suzuki^Ichirou"
    dataset.Manufacturer = "Simulated"
    dataset.Rows, dataset.Columns = ROWS, COLUMNS
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelRepresentation = 0
    dataset.ImagerPixelSpacing = [0.9, 0.9]
    dataset.PixelData = np.full((ROWS, COLUMNS), 800, np.uint16).tobytes()
    for keyword, value in changes.items():
        if value is None:
            del dataset[keyword]
        else:
            setattr(dataset, keyword, value)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    return dataset


def two_hip_masks() -> np.ndarray:
    """Pelvis, two femora, an implant in the film's left hip, ossification at both."""
    masks = np.zeros((ROWS, COLUMNS), np.uint8)
    cv2.rectangle(masks, (40, 30), (280, 110), 1, -1)
    for x in (80, 240):
        bone = np.zeros_like(masks)
        cv2.circle(bone, (x, 110), 22, 1, -1)
        cv2.rectangle(bone, (x - 14, 110), (x + 14, ROWS - 1), 1, -1)
        masks |= bone * 2
    masks[120:200, 76:85] |= 4
    masks[100:118, 44:52] |= 8
    masks[120:140, 270:290] |= 8
    return masks


def hip(side: Side, **changes: object) -> HipFinding:
    """A class III hip with two spurs; ``changes`` replace fields of ``HipFinding``."""
    column = 80.0 if side is Side.RIGHT else 240.0
    spur = Component(
        area_mm2=144.0,
        length_mm=18.2,
        attached_to=("pelvis",),
        sites=("lateral", "supra_acetabular"),
        distance_to_pelvis_mm=0.0,
        distance_to_femur_mm=8.7,
        bbox_px=(100, 44, 118, 52),
        area_px=144,
        length_px=20.0,
        centroid_px=(109.0, 48.0),
        maturity="mature_discrete",
    )
    speck = Component(
        area_mm2=2.0,
        length_mm=1.5,
        attached_to=(),
        sites=("medial",),
        distance_to_pelvis_mm=9.0,
        distance_to_femur_mm=9.0,
        bbox_px=(150, 150, 152, 152),
        area_px=4,
        length_px=2.0,
        centroid_px=(151.0, 151.0),
        graded=False,
        excluded="below_size_floor",
    )
    trace = (
        TraceLine(
            system="brooker",
            grade=4,
            fired=False,
            conditions=(CheckedCondition(quantity="bridges", value=0.0, operator=">=", limit=1.0),),
            sentence="IV: apparent ankylosis: bridges 0 < 1, not met",
        ),
        TraceLine(
            system="brooker",
            grade=3,
            fired=True,
            conditions=(
                CheckedCondition(quantity="gap", value=8.7, operator="<", limit=10.0, unit="mm"),
            ),
            sentence="III: gap 8.7 mm < 10.0 mm, met",
        ),
    )
    fields: dict[str, object] = {
        "side": side,
        "side_source": "attribute",
        "view": View.AP_PELVIS,
        "pattern": "opposing_spurs",
        "spurs_on": ("pelvis", "femur"),
        "extent": "focal",
        "classes": {"brooker": 3, "della_valle": "C"},
        "class_probabilities": {
            "brooker": (0.0, 0.0, 0.11, 0.86, 0.03),
            "della_valle": {"A": 0.0, "B": 0.11, "C": 0.89},
        },
        "counterfactuals": {
            "brooker": "III, gap between opposing bone surfaces 8.7 mm; II from 10.0 mm"
        },
        "trace": trace,
        "not_derivable": {"mavrogenis": "the anatomic plane"},
        "gap_mm": 8.7,
        "gap_px": 9.7,
        "gap_interval_mm": (7.9, 9.6),
        "gap_points_px": ((118.0, column - 28.0), (127.0, column - 24.0)),
        "filled_fraction": 0.44,
        "spacing_source": "assumed_magnification",
        "components": (spur, speck),
        "landmarks": Landmarks(head_px=(110.0, column), head_radius_px=22.0),
        "summary": "Brooker III: gap 8.7 mm (7.9-9.6)",
        "caveats": (
            Note("superimposition", "An AP view cannot tell a bridge from superimposition."),
        ),
    }
    return HipFinding(**(fields | changes))  # type: ignore[arg-type]


def radiograph(dataset: Dataset, source: str, view: View = View.AP_PELVIS) -> Radiograph:
    """The radiograph that the loader would make of ``source_dataset``."""
    return Radiograph(
        pixels=np.zeros((int(dataset.Rows), int(dataset.Columns)), np.uint16),
        source=source,
        spacing=Spacing(0.9, 0.9, 0.042, SpacingSource.ASSUMED_MAGNIFICATION),
        view=view,
        orientation=Orientation(Side.LEFT, True, "attribute"),
        attributes=Attributes(
            patient_id=str(dataset.get("PatientID", "")),
            study_uid=str(dataset.StudyInstanceUID),
            series_uid=str(dataset.SeriesInstanceUID),
            sop_uid=str(dataset.SOPInstanceUID),
            sop_class_uid=str(dataset.SOPClassUID),
            modality="DX",
            study_date="20190611",
            patient_age="071Y",
        ),
        notes=(Note("magnification_assumed", "Millimetres assume a magnification of 1.20."),),
    )


def result(dataset: Dataset, source: str = "film.dcm", **hip_changes: object) -> ResultFile:
    """Findings of both hips of one film."""
    return result_for_image(
        radiograph(dataset, source),
        [hip(Side.RIGHT, **hip_changes), hip(Side.LEFT)],
        status="graded",
        model="compact@0123abcd4567",
    )


def write_run(folder: Path, films: int = 2) -> Path:
    """Write sources and a finished run of one study; returns the run's folder."""
    sources, run = folder / "in", folder / "run"
    sources.mkdir(parents=True)
    for number in range(1, films + 1):
        dataset = source_dataset(number)
        path = sources / f"film{number}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        image = run / "studies" / STUDY / str(dataset.SOPInstanceUID)
        image.mkdir(parents=True)
        masks = two_hip_masks()
        cv2.imwrite(str(image / "masks.png"), masks)
        cv2.imwrite(str(image / "overlay.png"), cv2.applyColorMap(masks * 17, cv2.COLORMAP_BONE))
        (image / "result.json").write_text(to_json(result(dataset, str(path))))
    return run


if __name__ == "__main__":
    print(write_run(Path(sys.argv[1])))
