"""A finished run of five films made of phantoms, as ``hoseg run`` leaves it, without a network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from grade.phantoms import Phantom, make_phantom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from hoseg.batch.item import write_image
from hoseg.batch.journal import JOURNAL, Entry, RunJournal
from hoseg.dicom import Source, decode
from hoseg.grade import grade_masks
from hoseg.imaging.reading import Reading
from hoseg.pipeline import ImageResult
from hoseg.radiograph import Grid, Prepared, Radiograph, Segmentation
from hoseg.report.schema import result_for_image
from hoseg.review import write_page

SCRIPT = "<script>alert(1)</script>"
MODEL = "phantom@0123abcd4567"
ROOT = "1.2.826.0.1.3680043.10.1"


@dataclass(frozen=True)
class Film:
    """seed: of the phantom, whose shapes are unambiguous; reason: why the run abstained."""

    name: str
    seed: int
    patient: str
    date: str
    reason: str = ""

    @property
    def folder(self) -> str:
        study = f"{ROOT}.{self.seed}"
        return f"studies/{study}/{study}.1"


PRIOR = Film("prior", 23, "P-0815", "20180305")  # two hips, class 0 and 0
CURRENT = Film("current", 21, "P-0815", "20190611")  # right III, left II
HOSTILE = Film("hostile", 47, SCRIPT, "20200101")  # right III, left I
SINGLE = Film("single", 42, "P-2", "")  # left IV, an implant
ABSTAINED = Film("abstained", 5, "P-3", "20210101", "no_hip_found")
FILMS = (PRIOR, CURRENT, HOSTILE, SINGLE, ABSTAINED)


def picture(masks: np.ndarray, seed: int) -> np.ndarray:
    """(H, W) 12-bit film: soft tissue, bone, metal and noise where the masks say."""
    rng = np.random.default_rng(seed)
    soft = cv2.GaussianBlur(rng.normal(size=masks.shape).astype(np.float32), (0, 0), 25)
    levels = 900 + 2500 * soft
    for bit, height in ((1, 700), (2, 800), (4, 1400), (8, 600)):
        part = ((masks & bit) > 0).astype(np.float32)
        levels += height * (0.6 * part + 0.4 * cv2.GaussianBlur(part, (0, 0), 4))
    levels = cv2.GaussianBlur(levels, (0, 0), 0.8) + rng.normal(0, 35, masks.shape)
    return np.clip(levels, 0, 4095).astype(np.uint16)


def dicom(film: Film, phantom: Phantom) -> Dataset:
    """A DX image of one phantom."""
    sides = {hip.side for hip in phantom.hips}
    rows, columns = phantom.masks.shape
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    data.StudyInstanceUID = f"{ROOT}.{film.seed}"
    data.SeriesInstanceUID = data.StudyInstanceUID + ".0"
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = data.StudyInstanceUID + ".1"
    data.PatientID, data.PatientName, data.StudyDate = film.patient, SCRIPT, film.date
    data.Modality, data.ViewPosition = "DX", "AP"
    data.BodyPartExamined = "PELVIS" if len(sides) == 2 else "HIP"
    data.ImageLaterality = "B" if len(sides) == 2 else sides.pop()[0].upper()
    data.PatientOrientation = ["L" if phantom.columns_to == "left" else "R", "F"]
    data.ImagerPixelSpacing = [1.2 * mm for mm in phantom.spacing_mm]
    data.Rows, data.Columns, data.SamplesPerPixel = rows, columns, 1
    data.PhotometricInterpretation, data.PixelRepresentation = "MONOCHROME2", 0
    data.BitsAllocated, data.BitsStored, data.HighBit = 16, 12, 11
    data.PixelData = picture(phantom.masks, film.seed).tobytes()
    return data


def read(film: Film, radiograph: Radiograph, masks: np.ndarray) -> ImageResult:
    """What the pipeline would make of a network that finds exactly these masks."""
    grid = Grid((1, 1), (0.0, 0.0), (1.0, 1.0), (1.0, 1.0))
    segmentation = Segmentation(masks, np.zeros((4, 1, 1), np.uint8), grid, MODEL)
    prepared = Prepared(np.zeros((1, 1), np.float32), np.ones((1, 1), bool), grid, masks.shape)
    reading = Reading(radiograph, prepared, segmentation)
    if film.reason:
        result = result_for_image(
            radiograph, (), status="abstained", reason=film.reason, sentence="No hip was found."
        )
    else:
        hips = grade_masks(masks, radiograph.geometry)
        result = result_for_image(radiograph, hips, status="graded")
    return ImageResult.of(result, radiograph, reading=reading)


def as_exported(film: Film, mask: np.ndarray) -> np.ndarray:
    """A mask of a film as a data set holds it: the patient's left on the right."""
    lies_so = make_phantom(film.seed).columns_to == "left"
    return mask if lies_so else mask[:, ::-1]


def write_run(folder: Path) -> Path:
    """Write the inputs and the run; returns the run's folder."""
    inputs, run = folder / "in", folder / "run"
    inputs.mkdir(parents=True)
    run.mkdir()
    with RunJournal(run / JOURNAL, "phantoms") as journal:
        for position, film in enumerate(FILMS):
            phantom = make_phantom(film.seed)
            path = inputs / f"{film.name}.dcm"
            dicom(film, phantom).save_as(path, enforce_file_format=True)
            source = Source(path, str(path))
            (radiograph,) = decode(source)
            image = read(film, radiograph, phantom.masks)
            result = write_image(image, run)
            journal.record(Entry.of(source.name, "", [result]), position)
        write_page(run, journal.images())
    return run
