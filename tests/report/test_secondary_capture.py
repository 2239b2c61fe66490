"""The overlay as a picture that any viewer shows."""

from io import BytesIO

import numpy as np
import pydicom
import pytest

from hoseg.errors import SettingError
from hoseg.radiograph import Side, View
from hoseg.report.schema import result_for_image
from hoseg.report.secondary_capture import secondary_capture

from .samples import hip, radiograph, result, source_dataset


def picture():
    rng = np.random.default_rng(1)
    return rng.integers(0, 256, (260, 320, 3), dtype=np.uint8)


def as_bytes(dataset):
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def test_pixels_come_back_unchanged(tmp_path):
    source, overlay = source_dataset(), picture()
    dataset = secondary_capture(source, overlay, result(source))
    dataset.save_as(tmp_path / "sc.dcm", enforce_file_format=True)
    back = pydicom.dcmread(tmp_path / "sc.dcm")
    np.testing.assert_array_equal(back.pixel_array, overlay)
    assert back.Modality == "OT"
    assert str(back.PatientName) == "Yamada^Tarou=山田^太郎=やまだ^たろう"
    assert "Research use only. Not a medical device." in back.DerivationDescription


def test_it_refers_to_its_source_and_carries_no_spacing():
    source = source_dataset()
    dataset = secondary_capture(source, picture(), result(source))
    reference = dataset.SourceImageSequence[0]
    assert reference.ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert dataset.StudyInstanceUID == source.StudyInstanceUID
    assert dataset.SeriesInstanceUID != source.SeriesInstanceUID
    assert "PixelSpacing" not in dataset
    assert list(dataset.PatientOrientation) == ["L", "F"]


def test_side_of_a_film_of_one_hip():
    source = source_dataset()
    one = result_for_image(
        radiograph(source, "film.dcm", View.AP_HIP), [hip(Side.RIGHT)], status="graded"
    )
    assert secondary_capture(source, picture(), one).Laterality == "R"
    assert secondary_capture(source, picture(), result(source)).Laterality in ("", None)


def test_a_note_of_burned_in_text_is_inherited():
    source = source_dataset(BurnedInAnnotation="YES")
    assert secondary_capture(source, picture(), result(source)).BurnedInAnnotation == "YES"


def test_same_picture_same_object():
    source = source_dataset()
    first, again = (secondary_capture(source, picture(), result(source)) for _ in range(2))
    assert as_bytes(first) == as_bytes(again)
    other = secondary_capture(source, picture() ^ 1, result(source))
    assert other.SOPInstanceUID != first.SOPInstanceUID


@pytest.mark.parametrize(
    "overlay", [np.zeros((5, 5), np.uint8), np.zeros((5, 5, 4), np.uint8), np.zeros((5, 5, 3))]
)
def test_other_arrays_are_refused(overlay):
    source = source_dataset()
    with pytest.raises(SettingError, match="RGB"):
        secondary_capture(source, overlay, result(source))
