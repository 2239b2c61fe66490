from itertools import islice

import numpy as np
import pytest

from hoseg.train.set_in import (
    Background,
    HipPlace,
    OssificationShadow,
    set_in,
    simulated_shadows,
)

SOFT, BONE = 1000.0, 3000.0
DOWN, LEFT = np.array([1.0, 0.0]), np.array([0.0, 1.0])


def film(bone: float = BONE) -> Background:
    """A head of radius 24 mm at (120, 100) in soft tissue, half a millimetre a pixel."""
    i, j = np.mgrid[:300, :300]
    bones = np.hypot(i - 120, j - 100) < 48
    grey = np.where(bones, bone, SOFT).astype(np.float32)
    grey[:4, :4] = 6000  # something brighter than bone: there is room for an addition
    grey[290:, 290:] = 6000
    return Background(grey, bones, np.ones(grey.shape, bool), 0.5)


def shadow(
    length_mm: float = 6.0, lateral: np.ndarray = LEFT, size: int = 20
) -> OssificationShadow:
    """A square (mm: ``size``), 60 mm lateral of the head, of a simulated hip of 24 mm radius."""
    picture = np.zeros((400, 400), np.float32)
    head = np.array([200.0, 150.0]) if lateral[1] > 0 else np.array([200.0, 250.0])
    centre = head + 2 * 60 * lateral
    half = size
    row, column = int(centre[0]), int(centre[1])
    picture[row - half : row + half, column - half : column + half] = length_mm
    return OssificationShadow(picture, HipPlace(head, 48.0, DOWN, lateral), 12.0, 2)


HIP = HipPlace(np.array([120.0, 100.0]), 48.0, DOWN, LEFT)


def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def test_ossification_lies_as_far_from_the_head_as_it_did() -> None:
    made = set_in(film(), HIP, shadow(), rng())
    assert made is not None
    rows, columns = np.nonzero(made.visible)
    assert rows.mean() == pytest.approx(120, abs=1)
    assert columns.mean() == pytest.approx(100 + 120, abs=1)
    assert made.area_mm2 == pytest.approx(20 * 20, rel=0.1)
    assert made.brooker == 2


def test_it_follows_size_and_direction_of_the_hip() -> None:
    half = HipPlace(np.array([120.0, 100.0]), 24.0, LEFT, DOWN)  # lies on its side, half as large
    made = set_in(film(), half, shadow(size=30), rng())
    assert made is not None
    rows, columns = np.nonzero(made.visible)
    assert (rows.mean(), columns.mean()) == pytest.approx((120 + 60, 100), abs=1)
    assert made.area_mm2 == pytest.approx(15 * 15, rel=0.15)


def test_a_right_hip_gets_a_left_one_s_shadow_mirrored() -> None:
    picture = film()
    right = HipPlace(np.array([120.0, 190.0]), 48.0, DOWN, -LEFT)
    bones = np.roll(picture.bones, 90, axis=1)
    grey = np.where(bones, np.float32(BONE), np.minimum(picture.grey, SOFT))
    grey[290:, 290:] = 6000
    mirrored = Background(grey.astype(np.float32), bones, picture.field, 0.5)
    made = set_in(mirrored, right, shadow(), rng())
    assert made is not None
    assert np.nonzero(made.visible)[1].mean() == pytest.approx(190 - 120, abs=1)


def test_grey_levels_are_those_of_as_much_bone() -> None:
    """6 mm of ossification beside bone of 12 mm: half the step, times a strength of its own."""
    picture = film()
    contrasts = [
        made.contrast
        for seed in range(60)
        if (made := set_in(picture, HIP, shadow(), np.random.default_rng(seed))) is not None
    ]
    assert np.median(contrasts) == pytest.approx(0.5, rel=0.15)
    assert np.std(np.log(contrasts)) == pytest.approx(0.35, abs=0.12)


def test_nothing_else_of_the_film_changes() -> None:
    picture = film()
    made = set_in(picture, HIP, shadow(), rng())
    assert made is not None
    away = ~(made.visible | made.hidden)
    away[:, 195:245] = False
    np.testing.assert_array_equal(made.grey[away], picture.grey[away])


def test_what_cannot_be_seen_is_no_truth() -> None:
    assert set_in(film(), HIP, shadow(0.3), rng()) is None  # too faint
    rough = film()
    noise = np.random.default_rng(1).normal(0, 3000, rough.grey.shape)
    noisy = Background(
        np.where(rough.bones, rough.grey, rough.grey + noise).astype(np.float32),
        rough.bones, rough.field, 0.5,
    )  # fmt: skip
    made = set_in(noisy, HIP, shadow(2.0), rng())
    assert made is None or made.hidden.sum() > 0


def test_outside_the_exposed_field_there_is_nothing() -> None:
    picture = film()
    field = picture.field.copy()
    field[:, 200:] = False
    cut = Background(picture.grey, picture.bones, field, 0.5)
    made = set_in(cut, HIP, shadow(), rng())
    assert made is None or not made.visible[:, 200:].any()


def test_a_film_without_a_step_from_soft_tissue_to_bone_is_left_alone() -> None:
    assert set_in(film(bone=SOFT + 1), HIP, shadow(), rng()) is None


def test_too_little_and_too_bright_are_left_out() -> None:
    assert set_in(film(), HIP, shadow(size=3), rng()) is None  # 9 mm2, less than 30
    assert set_in(film(), HIP, shadow(60.0), np.random.default_rng(2)) is None


def test_simulated_shadows_hold_ossification_about_their_hip() -> None:
    found = list(islice(simulated_shadows(11), 4))
    for one in found:
        assert one.brooker in (1, 2, 3, 4)
        assert 5 < one.bone_mm < 60
        assert 35 < one.place.radius_px < 62  # heads of 17 to 31 mm at half a millimetre
        assert one.place.shaft[0] > 0.8  # the knee is below
        assert abs(float(one.place.shaft @ one.place.lateral)) < 1e-9
        i, j = np.nonzero(one.length_mm > 0.25)
        reach = np.hypot(i - one.place.head_px[0], j - one.place.head_px[1]).min()
        assert reach < 4 * one.place.radius_px
    again = next(simulated_shadows(11))
    np.testing.assert_array_equal(again.length_mm, found[0].length_mm)
