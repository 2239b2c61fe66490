"""Small DICOM films that a batch draws, and a way to run it."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian

from hoseg.batch.run import Progress, run_batch
from hoseg.batch.settings import RunSettings
from hoseg.infer.predictor import Predictor

SIZE_PX = (210, 200)  # small: the tiny model sees specks everywhere, and each is looked at


def dicom_film(seed: int = 0, uid: str = "1.2.3.4", **attributes: object) -> Dataset:
    """A CR film of a hip by its attributes; another seed gives other pixels."""
    noise = np.random.default_rng(seed).normal(size=SIZE_PX).astype(np.float32)
    pixels = np.clip(2000 + 9000 * cv2.GaussianBlur(noise, (0, 0), 8), 0, 4095)
    film = Dataset()
    film.file_meta = FileMetaDataset()
    film.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    film.file_meta.MediaStorageSOPClassUID = ComputedRadiographyImageStorage
    film.file_meta.MediaStorageSOPInstanceUID = uid
    film.SOPClassUID, film.SOPInstanceUID = ComputedRadiographyImageStorage, uid
    film.StudyInstanceUID, film.SeriesInstanceUID = f"{uid}.1", f"{uid}.2"
    film.Modality, film.BodyPartExamined, film.ViewPosition = "CR", "HIP", "AP"
    film.PatientID, film.StudyDate = "0001234", "20200101"
    film.Rows, film.Columns = pixels.shape
    film.SamplesPerPixel, film.PhotometricInterpretation = 1, "MONOCHROME2"
    film.BitsAllocated, film.BitsStored, film.HighBit, film.PixelRepresentation = 16, 12, 11, 0
    film.ImagerPixelSpacing = [0.8, 0.8]
    film.PixelData = pixels.astype(np.uint16).tobytes()
    for keyword, value in attributes.items():
        setattr(film, keyword, value)
    return film


def save(film: Dataset, path: Path, *, cut: float = 1.0) -> Path:
    """Write a film, or with ``cut`` the first part of its file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    film.save_as(path, enforce_file_format=True)
    if cut < 1:
        data = path.read_bytes()
        path.write_bytes(data[: int(cut * len(data))])
    return path


class HerePool:
    """Does tasks in this process: what a batch makes of them does not depend on where."""

    def __init__(self, setup: Callable, count: int, limit_s: float) -> None:
        self._work = setup(0)

    def map_unordered(self, tasks: Iterable) -> Iterator[tuple]:
        yield from ((task, self._work(task)) for task in tasks)

    def close(self) -> None:
        pass


class Runner:
    """Runs a batch with the tiny model into a folder."""

    def __init__(self, model: Path, predictor: Predictor) -> None:
        self.model = model
        self.predictor = predictor

    def settings(self, out: Path, **more: object) -> RunSettings:
        plain = {"model": str(self.model), "device": "cpu", "runtime": "onnx", "workers": 1}
        return RunSettings(out=out, **(plain | more))

    def __call__(self, out: Path, *inputs: Path | str, **more: object) -> list[Progress]:
        with patch("hoseg.batch.run.WorkerPool", HerePool):
            return list(run_batch(inputs, self.settings(out, **more), self.predictor))


def rows(out: Path, name: str = "images.csv") -> list[dict[str, str]]:
    """Rows of a table."""
    with (out / name).open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def said(out: Path) -> dict[str, str]:
    """File name to the reason in ``images.csv``, or "read"."""
    return {Path(row["source"]).name: _short(row) for row in rows(out)}


def _short(row: dict[str, str]) -> str:
    return "read" if row["folder"] else row["reason"]


def tables(out: Path) -> dict[str, bytes]:
    """Contents of both tables."""
    return {name: (out / name).read_bytes() for name in ("images.csv", "findings.csv")}


def image_folders(out: Path) -> set[str]:
    """Folders of images, relative to the run."""
    return {p.parent.relative_to(out).as_posix() for p in out.glob("studies/*/*/result.json")}
