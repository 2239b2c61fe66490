from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file

from hoseg.batch.item import Task, process
from hoseg.batch.settings import RunSettings
from hoseg.dicom import Source
from hoseg.errors import DeviceError, OutputError, SettingError


class Failing:
    """A pipeline that meets what nobody foresaw."""

    def __init__(self, error):
        self.error = error

    def read(self, radiograph):
        raise self.error


class Looking:
    """A pipeline that notes whether it was given any pixels."""

    def __init__(self):
        self.saw_pixels = False

    def read(self, radiograph):
        self.saw_pixels = bool(radiograph.pixels.any())
        raise IndexError


@pytest.mark.parametrize(
    ("facts", "decoded"),
    [
        ({"BodyPartExamined": "CHEST"}, False),  # skipped, and never drawn
        ({"BodyPartExamined": "HIP"}, True),
        ({"BodyPartExamined": "HIP", "PatientAge": "010Y"}, True),  # abstained on, and drawn
    ],
)
def test_pixels_are_decoded_unless_the_film_is_never_drawn(tmp_path, facts, decoded):
    ds = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    ds.Modality, ds.PatientAge, path = "DX", "060Y", tmp_path / "film.dcm"
    for keyword, value in facts.items():
        setattr(ds, keyword, value)
    ds.save_as(path)
    pipeline = Looking()
    process(Task(Source(path, "film.dcm"), 0, "stamp"), pipeline, RunSettings(out=Path()))
    assert pipeline.saw_pixels == decoded


@pytest.fixture
def task(tmp_path):
    path = tmp_path / "film.png"
    cv2.imwrite(str(path), np.zeros((50, 40), np.uint8))
    return Task(Source(path, "film.png"), 0, "stamp")


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (IndexError("out of bounds"), "internal_error", "IndexError in item.py, line"),
        (SettingError("mask shape", (1, 1), "more"), "internal_error", "mask shape = (1, 1)"),
        (ZeroDivisionError(), "internal_error", "please report"),
        (MemoryError(), "out_of_memory", "fewer --workers"),
    ],
)
def test_what_nobody_foresaw_costs_one_input_only(task, error, code, words):
    entry = process(task, Failing(error), RunSettings(out=Path()))
    assert entry.status == "failed"
    assert entry.result.reason == code
    assert words in entry.result.sentence


@pytest.mark.parametrize("error", [OutputError("disk full"), DeviceError("the GPU is gone")])
def test_what_would_happen_to_every_input_stops_the_run(task, error):
    with pytest.raises(type(error)):
        process(task, Failing(error), RunSettings(out=Path()))
