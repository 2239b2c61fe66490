"""What is not an adult hip is turned away, with the right reason, at the right stage."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hoseg.imaging.prepare import prepare
from hoseg.imaging.quality import (
    age_years,
    check_attributes,
    check_picture,
    check_segmentation,
    fragment_share,
)
from hoseg.imaging.reading import Reading
from hoseg.radiograph import (
    Attributes,
    Note,
    Radiograph,
    Segmentation,
    Spacing,
    SpacingSource,
)
from hoseg.reasons import Reason

from .films import pelvis_like

CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


def film(shape=(900, 760), mm: float | None = 0.4, **facts: object) -> Radiograph:
    spacing = None if mm is None else Spacing(mm, mm, 0.04, SpacingSource.USER)
    return Radiograph(pelvis_like(shape), "f", spacing, attributes=Attributes(**facts))


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({}, None),
        ({"modality": "DX", "body_part": "PELVIS"}, None),
        ({"modality": "CR"}, None),
        ({"modality": "CR", "body_part": "EXTREMITY", "description": "HIP LEFT"}, None),
        ({"modality": "CR", "description": "lumbar spine and pelvis"}, None),
        ({"modality": "XA", "description": "hip injection"}, None),
        ({"modality": "OT", "sop_class_uid": CAPTURE, "body_part": "HIP"}, None),
        ({"modality": "DX", "description": "femoral head"}, None),
        ({"modality": "CR", "body_part": "CHEST"}, Reason.OTHER_BODY_PART),
        ({"modality": "CR", "body_part": "ANKLE"}, Reason.OTHER_BODY_PART),
        (
            {"modality": "CR", "body_part": "EXTREMITY", "description": "tibia"},
            Reason.OTHER_BODY_PART,
        ),
        ({"modality": "DX", "description": "CHEST_PA"}, Reason.OTHER_BODY_PART),
        ({"modality": "CT", "body_part": "HIP"}, Reason.NOT_A_RADIOGRAPH),
        ({"modality": "MG"}, Reason.NOT_A_RADIOGRAPH),
        ({"modality": "SEG"}, Reason.NOT_A_RADIOGRAPH),
        ({"modality": "XA"}, Reason.ANGIOGRAPHY),
        ({"modality": "OT"}, Reason.SECONDARY_CAPTURE),
        ({"sop_class_uid": CAPTURE}, Reason.SECONDARY_CAPTURE),
        ({"modality": "DX", "species": "Canis lupus", "body_part": "HIP"}, Reason.NOT_HUMAN),
        ({"modality": "DX", "description": "CANINE HIP VD"}, Reason.NOT_HUMAN),
        ({"modality": "DX", "species": "Homo sapiens", "body_part": "HIP"}, None),
        ({"modality": "DX", "body_part": "HIP", "patient_age": "006M"}, Reason.IMMATURE),
        ({"modality": "DX", "body_part": "HIP", "patient_age": "015Y"}, Reason.IMMATURE),
        ({"modality": "DX", "body_part": "HIP", "patient_age": "016Y"}, None),
        ({"modality": "DX", "image_type": "ORIGINAL\\PRIMARY\\LOCALIZER"}, Reason.LOCALISER),
    ],
)
def test_attributes(facts, reason):
    gate = check_attributes(film(**facts))
    assert gate.reason == reason
    assert gate.ok == (reason is None)
    assert bool(gate.sentence) == (reason is not None)
    assert gate.status == ("ok" if reason is None else reason.status)


def test_age_strings():
    assert age_years("034Y") == 34
    assert age_years("018M") == 1.5
    assert age_years("") is None
    assert age_years("old") is None


def picture(radiograph: Radiograph) -> Reason | None:
    return check_picture(radiograph, prepare(radiograph)).reason


def test_pictures():
    assert picture(film()) is None
    assert picture(film(mm=None)) is None
    assert picture(film((150, 400))) is Reason.TOO_SMALL
    assert picture(film(mm=0.05)) is Reason.TOO_SMALL
    flat = replace(film(), pixels=np.full((900, 760), 7, np.uint16))
    assert picture(flat) is Reason.BLANK
    drawing = replace(film(), pixels=(pelvis_like((900, 760)) // 400).astype(np.uint8))
    assert picture(drawing) is Reason.LOW_CONTRAST
    noise = np.random.default_rng(0).integers(0, 4096, (900, 760)).astype(np.uint16)
    assert picture(replace(film(), pixels=noise)) is Reason.LOW_CONTRAST
    assert picture(replace(film(), notes=(Note("colour_picture", ""),))) is Reason.COLOUR_PICTURE
    made_up = replace(film((331, 331), 0.83), notes=(Note("spacing_suspect", ""),))
    assert picture(made_up) is Reason.OUTSIDE_EXPERIENCE


def disc(shape, row: float, column: float, radius: float) -> np.ndarray:
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return (rows - row) ** 2 + (columns - column) ** 2 <= radius**2


def answer(radiograph: Radiograph, pelvis, femur, *, implant=(), level: int = 250, **scores: float):
    prepared = prepare(radiograph)
    probabilities = np.zeros((4, *prepared.grid.shape), np.uint8)
    for channel, shapes in enumerate((pelvis, femur, implant)):
        for row, column, radius in shapes:
            probabilities[channel][disc(prepared.grid.shape, row, column, radius)] = level
    masks = np.zeros(radiograph.shape, np.uint8)
    found = Segmentation(masks, probabilities, prepared.grid, "m", tuple(scores.items()))
    return check_segmentation(Reading(radiograph, prepared, found))


PELVIS = [(250, 250, 90)]
FEMUR = [(380, 320, 48)]  # 24 mm at 0.5 mm


def test_plausible_hip_passes():
    assert answer(film(), PELVIS, FEMUR).ok
    assert answer(film(), PELVIS, FEMUR, hip=0.9).ok


@pytest.mark.parametrize(
    ("pelvis", "femur", "reason"),
    [
        ([], [], Reason.NOT_A_HIP),
        ([], FEMUR, Reason.NO_PELVIS),
        (PELVIS, [], Reason.NO_FEMUR),
        (PELVIS, [(600, 500, 48)], Reason.NOT_A_HIP),
        (PELVIS, [(340, 300, 18)] * 1, Reason.NO_FEMUR),
        (PELVIS, [(340, 300, 20), (380, 330, 20), (420, 330, 20)], Reason.IMMATURE),
        (PELVIS, [(450, 320, 110)], Reason.IMPLAUSIBLE_SIZE),
    ],
)
def test_implausible_bones(pelvis, femur, reason):
    assert answer(film(), pelvis, femur).reason is reason


def test_an_endoprosthesis_lies_between_socket_and_femur():
    far = [(420, 340, 48)]
    assert answer(film(), PELVIS, far).reason is Reason.NOT_A_HIP
    assert answer(film(), PELVIS, far, implant=[(340, 300, 45)]).ok


def test_a_film_exposed_twice_may_show_its_bones_in_more_parts():
    quarters = [(100, 100, 48), (100, 300, 48), (400, 100, 48), (400, 300, 48)]
    whole = film()
    assert answer(whole, quarters, FEMUR).reason is Reason.NOT_A_HIP
    pixels = whole.pixels.clip(50, 4000)
    pixels[440:470] = 0
    assert answer(replace(whole, pixels=pixels), quarters, FEMUR).ok


def test_size_is_not_judged_without_millimetres():
    assert answer(film(mm=None), PELVIS, [(450, 320, 110)]).ok


def test_hip_score_and_doubt():
    assert answer(film(), PELVIS, FEMUR, hip=0.2).reason is Reason.NOT_A_HIP
    assert answer(film(), PELVIS, FEMUR, level=150).reason is Reason.OUTSIDE_EXPERIENCE


def test_fragments_are_a_guess():
    scattered = [(100 + 60 * (n // 6), 60 + 60 * (n % 6), 22) for n in range(30)]
    assert answer(film(), scattered, FEMUR).reason is Reason.NOT_A_HIP
    one = disc((50, 50), 25, 25, 10)
    assert fragment_share(one) == 0
    assert fragment_share(np.zeros((5, 5), bool)) == 0
