"""A Presentation State that turns a film stands in for Patient Orientation."""

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from hoseg.dicom import load
from hoseg.imaging.turn import turn_of
from hoseg.radiograph import Side

from .build import dataset, film, save

STATE = "1.2.840.10008.5.1.4.1.1.11.1"


def state(of: Dataset, rotation: int | None, flip: str | None) -> Dataset:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = STATE
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    ds.Modality = "PR"
    image, series = Dataset(), Dataset()
    image.ReferencedSOPClassUID = of.SOPClassUID
    image.ReferencedSOPInstanceUID = of.SOPInstanceUID
    series.SeriesInstanceUID = generate_uid()
    series.ReferencedImageSequence = [image]
    ds.ReferencedSeriesSequence = [series]
    if rotation is not None:
        ds.ImageRotation = rotation
    if flip is not None:
        ds.ImageHorizontalFlip = flip
    return ds


def read(folder, ds, *states):
    save(ds, folder / "m.dcm")
    for number, one in enumerate(states):
        save(one, folder / f"{'az'[number % 2]}{number}.dcm")  # before and after the film
    (found,) = load(folder)
    return found


@pytest.mark.parametrize("flip", ["N", "Y"])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_what_is_shown_is_a_standard_film(tmp_path, rotation, flip):
    shown = film()
    stored = np.rot90(shown[:, ::-1] if flip == "Y" else shown, rotation // 90)  # the way back
    ds = dataset(np.ascontiguousarray(stored))
    found = read(tmp_path, ds, state(ds, rotation, flip))
    upright = turn_of(found).film(found)
    mirrored = upright.orientation.columns is Side.RIGHT
    np.testing.assert_array_equal(upright.pixels[:, ::-1] if mirrored else upright.pixels, shown)
    turned = bool(rotation) or flip == "Y"
    codes = {note.code for note in found.notes}
    assert ("orientation_from_presentation" in codes) == turned
    assert found.orientation.source == ("presentation" if turned else "assumed")


def test_patient_orientation_comes_first(tmp_path):
    ds = dataset(film(), PatientOrientation=["R", "F"])
    found = read(tmp_path, ds, state(ds, 180, "N"))
    assert (found.orientation.columns, found.orientation.source) == (Side.RIGHT, "attribute")


def test_states_of_other_films_and_odd_angles_say_nothing(tmp_path):
    ds, other = dataset(film()), dataset(film())
    found = read(tmp_path, ds, state(other, 180, "N"), state(ds, 45, "Y"), state(ds, None, None))
    assert found.orientation.source == "assumed"
