"""The order in which millimetres are believed, and what is said about them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from hoseg.dicom.calibrate import calibrate, read_aspect
from hoseg.radiograph import SpacingSource


def make(**attributes: object) -> Dataset:
    ds = Dataset()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


PIXEL = {"PixelSpacing": [0.125, 0.125]}
IMAGER = {"ImagerPixelSpacing": [0.15, 0.15]}
FACTOR = "EstimatedRadiographicMagnificationFactor"


@pytest.mark.parametrize(
    ("attributes", "mm", "source"),
    [
        (PIXEL | IMAGER | {"PixelSpacingCalibrationType": "FIDUCIAL"}, 0.125, "fiducial"),
        (PIXEL | IMAGER | {"PixelSpacingCalibrationType": "GEOMETRY"}, 0.125, "geometry"),
        (
            PIXEL
            | IMAGER
            | {
                "PixelSpacingCalibrationType": "GEOMETRY",
                "EstimatedRadiographicMagnificationFactor": 1.25,
            },
            0.125,
            "geometry",
        ),
        (IMAGER | {FACTOR: 1.25}, 0.12, "magnification"),
        (
            IMAGER | {"DistanceSourceToDetector": 1150, "DistanceSourceToPatient": 1000},
            0.15 / 1.15,
            "magnification",
        ),
        (PIXEL | IMAGER, 0.125, "assumed_magnification"),
        (IMAGER, 0.125, "assumed_magnification"),
        (
            IMAGER | {FACTOR: 1.0},
            0.125,
            "assumed_magnification",
        ),
        (
            IMAGER | {FACTOR: 9.0},
            0.125,
            "assumed_magnification",
        ),
        ({"NominalScannedPixelSpacing": [0.15, 0.15]}, 0.125, "assumed_magnification"),
        ({"PixelSpacing": [0.15, 0.15]}, 0.125, "untyped"),
    ],
)
def test_precedence(attributes, mm, source):
    spacing, _ = calibrate(make(**attributes))
    assert spacing.source == source
    assert spacing.row_mm == pytest.approx(mm)
    assert 0.005 <= spacing.relative_sd <= 0.05


def test_equal_spacings_are_not_a_correction():
    same = {"PixelSpacing": [0.15, 0.15], **IMAGER, "PixelSpacingCalibrationType": "GEOMETRY"}
    spacing, notes = calibrate(make(**same))
    assert spacing.source == SpacingSource.ASSUMED_MAGNIFICATION
    assert "calibration_contradicts" in {n.code for n in notes}


def test_interval_of_the_assumption_covers_what_was_measured():
    spacing, _ = calibrate(make(**IMAGER))
    low, high = (f * spacing.row_mm for f in spacing.interval)
    assert low < 0.15 / 1.234
    assert high > 0.15 / 1.17


@pytest.mark.parametrize(
    "value", [["0.000", "0.000"], [-0.1, 0.1], ["NaN", "NaN"], [0.1], [1e9, 1e9], ["", ""]]
)
def test_impossible_spacing_is_ignored_and_said(value):
    ds = Dataset()
    ds.add_new("PixelSpacing", "LO", value)
    spacing, notes = calibrate(ds)
    assert spacing is None
    assert {"spacing_invalid", "spacing_missing"} <= {n.code for n in notes}


def test_nothing_is_nothing():
    spacing, notes = calibrate(Dataset())
    assert spacing is None
    assert [n.code for n in notes] == ["spacing_missing"]


def test_rows_and_columns_stay_apart():
    spacing, _ = calibrate(make(ImagerPixelSpacing=[0.24, 0.12]))
    assert spacing.mm == pytest.approx((0.2, 0.1))


CARRIED = (
    PIXEL | IMAGER | {"PixelSpacingCalibrationType": "FIDUCIAL"},
    IMAGER | {FACTOR: 1.25},
    IMAGER,
    PIXEL,
)


@pytest.mark.parametrize("attributes", CARRIED)
def test_the_users_spacing_is_for_files_that_carry_none(attributes):
    assert calibrate(make(**attributes), (0.3, 0.4)) == calibrate(make(**attributes))


@pytest.mark.parametrize("attributes", CARRIED)
def test_an_override_stands_in_place_of_what_a_file_carries_and_says_so(attributes):
    carried, _ = calibrate(make(**attributes))
    spacing, (note,) = calibrate(make(**attributes), (0.3, 0.4), override=True)
    assert (spacing.mm, spacing.source) == ((0.3, 0.4), SpacingSource.USER_OVERRIDE)
    assert note.code == "spacing_overridden"
    assert f"{carried.row_mm:.4g}" in note.text
    assert "0.3 x 0.4 mm" in note.text


@pytest.mark.parametrize("override", [False, True])
@pytest.mark.parametrize(
    ("attributes", "codes"), [({}, []), ({"PixelSpacing": [0, 0]}, ["spacing_invalid"])]
)
def test_a_file_that_carries_none_takes_the_users(attributes, codes, override):
    spacing, notes = calibrate(make(**attributes), (0.3, 0.4), override=override)
    assert (spacing.mm, spacing.source) == ((0.3, 0.4), SpacingSource.USER)
    assert [note.code for note in notes] == codes


def test_the_order_in_which_millimetres_are_taken():
    assert next(iter(SpacingSource)) == SpacingSource.USER_OVERRIDE
    assert list(SpacingSource)[-1] == SpacingSource.USER


@given(
    mm=st.floats(0.05, 1.0),
    factor=st.floats(1.05, 1.6),
    scale=st.floats(0.5, 2.0),
)
def test_spacing_scales_with_the_detector_and_falls_with_magnification(mm, factor, scale):
    ds = make(ImagerPixelSpacing=[mm, mm], EstimatedRadiographicMagnificationFactor=factor)
    spacing, _ = calibrate(ds)
    larger, _ = calibrate(
        make(
            ImagerPixelSpacing=[mm * scale, mm * scale],
            EstimatedRadiographicMagnificationFactor=factor,
        )
    )
    assert spacing.row_mm == pytest.approx(mm / factor, rel=1e-6)
    assert larger.row_mm == pytest.approx(spacing.row_mm * scale, rel=1e-6)


def raw(keyword: str, vr: str, text: bytes) -> Dataset:
    """An element as it stands in a file, not yet converted."""
    tag = Tag(keyword)
    return Dataset({tag: RawDataElement(tag, vr, len(text), text, 0, False, True)})


@pytest.mark.parametrize(
    ("vr", "text", "mm", "comma"),
    [
        ("DS", b"0,15\\0,15 ", 0.125, True),
        ("DS", b"0.15\\0.15 ", 0.125, False),
        ("UT", b"0.15\\0.15 ", 0.125, False),
        ("LO", b"1,5e-1\\1,5E-1", 0.125, True),
        ("DS", b"0,15,0,15", None, False),
        ("DS", b"0.15\\0.15mm", None, False),
        ("DS", b"1,500.0\\1", None, False),
    ],
)
def test_spacing_as_people_write_it(vr, text, mm, comma):
    spacing, notes = calibrate(raw("ImagerPixelSpacing", vr, text))
    assert (None if spacing is None else pytest.approx(spacing.row_mm)) == mm
    assert ("decimal_comma" in {n.code for n in notes}) is comma
    assert ("spacing_invalid" in {n.code for n in notes}) is (mm is None)


def test_magnification_with_a_decimal_comma():
    ds = raw(FACTOR, "DS", b"1,25")
    ds.ImagerPixelSpacing = [0.15, 0.15]
    spacing, notes = calibrate(ds)
    assert spacing.row_mm == pytest.approx(0.12)
    assert "decimal_comma" in {n.code for n in notes}


def test_two_spacings_that_differ_without_a_reason_are_said():
    for pixel, said in ((0.125, True), (0.1504, False)):
        _, notes = calibrate(make(PixelSpacing=[pixel, pixel], **IMAGER))
        assert ("spacing_contradicts" in {n.code for n in notes}) is said


@pytest.mark.parametrize(
    "geometry",
    [{FACTOR: 1.25}, {"DistanceSourceToDetector": 1250, "DistanceSourceToPatient": 1000}],
)
def test_a_stated_magnification_serves_pixel_spacing_of_no_type_too(geometry):
    spacing, notes = calibrate(make(PixelSpacing=[0.15, 0.15], **geometry))
    assert spacing.source == SpacingSource.UNTYPED
    assert spacing.row_mm == pytest.approx(0.12)
    assert "magnification_assumed" not in {n.code for n in notes}


@pytest.mark.parametrize(
    ("ratio", "aspect"),
    [(["1", "2"], 0.5), ([3, 1], 3.0), ([1, 1], 1.0), ([0, 1], 1.0), ([1, 100], 1.0), ([2], 1.0)],
)
def test_pixel_aspect_ratio_is_rows_over_columns(ratio, aspect):
    assert read_aspect(make(PixelAspectRatio=ratio)) == aspect
    assert read_aspect(Dataset()) == 1.0
