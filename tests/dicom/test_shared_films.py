"""Real films beside the checkout: every encoding of every film, and who is turned away."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from hoseg.dicom import decode, discover
from hoseg.errors import InputError
from hoseg.imaging.prepare import prepare
from hoseg.imaging.quality import check_attributes, check_picture
from hoseg.radiograph import Side, SpacingSource, View

from .build import codes, read

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "dicom"
pytestmark = [
    pytest.mark.shared_data,
    pytest.mark.skipif(not FOLDER.is_dir(), reason="../shared/data/dicom is not there"),
]


def film(name: str):
    return read(FOLDER / name)[0]


@pytest.mark.parametrize("name", ["RG2", "RG3", "XA1"])
def test_lossless_encodings_are_pixel_identical(name):
    reference = film(f"wg04/{name}_UNC.dcm").pixels
    assert reference.dtype == np.uint16
    for encoding in ("J2KR", "JLSL", "JPLL", "RLE"):
        got = film(f"wg04/{name}_{encoding}.dcm").pixels
        np.testing.assert_array_equal(got, reference, err_msg=encoding)
        assert got.dtype == reference.dtype


@pytest.mark.parametrize("name", ["RG2", "RG3", "XA1"])
def test_lossy_encodings_are_close(name):
    reference = film(f"wg04/{name}_UNC.dcm").pixels.astype(float)
    for encoding in ("J2KI", "JLSN", "JPLY"):
        got = film(f"wg04/{name}_{encoding}.dcm").pixels
        assert np.abs(got - reference).mean() < 6, encoding


def test_facts_of_the_real_hip():
    hip = film("wg04/RG2_UNC.dcm")
    assert hip.shape == (2140, 1760)
    assert hip.spacing.source is SpacingSource.UNTYPED
    assert hip.spacing.row_mm == pytest.approx(0.2 / 1.2)
    assert (hip.side, hip.view) == (Side.UNKNOWN, View.UNKNOWN)
    assert {"side_missing", "view_missing", "orientation_assumed"} <= codes(hip)


def test_zero_spacing_of_the_chest_is_noted():
    chest = film("wg04/RG1_JLSN.dcm")
    assert chest.spacing is None
    assert "spacing_invalid" in codes(chest)


def test_only_the_real_hip_gets_to_the_network():
    outcomes = Counter()
    for source in discover([FOLDER]):
        try:
            radiograph = decode(source)[0]
        except InputError as error:
            outcomes[error.code] += 1
            continue
        verdict = check_attributes(radiograph)
        if verdict.ok:
            verdict = check_picture(radiograph, prepare(radiograph))
        if verdict.ok:
            assert "RG2_" in source.name
        outcomes[verdict.reason or "hip"] += 1
    assert outcomes["hip"] == 8
    assert outcomes["not_a_radiograph"] >= 9
    assert outcomes["outside_experience"] == 10  # the infants
    assert outcomes["not_human"] == 1
    assert outcomes["angiography"] == 8


def test_exposed_field_of_the_real_hip_agrees_with_the_hand_drawn_one():
    import cv2

    truth = cv2.imread(str(FOLDER / "RG2_truth.png"), cv2.IMREAD_UNCHANGED)
    hip = film("wg04/RG2_UNC.dcm")
    prepared = prepare(hip)
    outside = np.ones(hip.shape, bool)
    top, left = (
        round(o - (s - 1) / 2)
        for o, s in zip(prepared.grid.origin_px, prepared.grid.step_px, strict=True)
    )
    h, w = (round(n * s) for n, s in zip(prepared.grid.shape, prepared.grid.step_px, strict=True))
    inside = cv2.resize(prepared.field.astype(np.uint8), (w, h), interpolation=cv2.INTER_NEAREST)
    outside[top : top + h, left : left + w] = inside == 0
    small = (
        cv2.resize(outside.astype(np.uint8), truth.shape[::-1], interpolation=cv2.INTER_AREA) > 0
    )
    stated = (truth & 128) > 0
    assert (small & stated).sum() / (small | stated).sum() > 0.85
    bone = (truth & 3) > 0
    assert (bone & small).sum() < 0.02 * bone.sum()
