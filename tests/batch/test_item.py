from pathlib import Path

import cv2
import numpy as np
import pytest

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
    assert entry.image["reason"] == code
    assert words in entry.image["sentence"]


@pytest.mark.parametrize("error", [OutputError("disk full"), DeviceError("the GPU is gone")])
def test_what_would_happen_to_every_input_stops_the_run(task, error):
    with pytest.raises(type(error)):
        process(task, Failing(error), RunSettings(out=Path()))
