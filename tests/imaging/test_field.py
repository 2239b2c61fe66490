"""Collimator borders of every kind are found; films without borders are left alone."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from hoseg.imaging.field import find_field, find_painted, make_thumbnail, shrink_mask
from hoseg.imaging.prepare import prepare
from hoseg.radiograph import Radiograph, Spacing, SpacingSource

from .films import circle, pelvis_like, rectangle

SHAPE = (900, 760)


def found(pixels: np.ndarray, valid: np.ndarray | None = None, *, dense_is_high: bool = True):
    picture = make_thumbnail(pixels)
    painted = find_painted(picture, None if valid is None else shrink_mask(valid))
    return find_field(picture, painted, pixels.shape, dense_is_high=dense_is_high)


def overlap(field, truth: np.ndarray) -> float:
    """Intersection over union with the true field, at thumbnail size."""
    small = shrink_mask(truth)
    return float((field.thumbnail & small).sum() / (field.thumbnail | small).sum())


FIELDS = {
    "upright": rectangle(SHAPE, (0.8, 0.7), 0),
    "tilted": rectangle(SHAPE, (0.8, 0.7), 7),
    "round": circle(SHAPE, 0.95),
    "narrow": rectangle(SHAPE, (1.2, 0.6), 0),
}


@pytest.mark.parametrize("level", [0, 4095], ids=["black", "white"])
@pytest.mark.parametrize("kind", FIELDS)
def test_painted_borders(kind, level):
    pixels = pelvis_like(SHAPE).clip(50, 4000).astype(np.uint16)
    pixels[~FIELDS[kind]] = level
    assert overlap(found(pixels), FIELDS[kind]) > 0.95


@pytest.mark.parametrize("dense_is_high", [True, False])
@pytest.mark.parametrize("kind", ["upright", "tilted", "narrow"])
def test_collimator_borders_with_scatter(kind, dense_is_high):
    """Under the leaves: dense-looking, noisy, fading outwards."""
    rng = np.random.default_rng(0)
    pixels = pelvis_like(SHAPE).astype(np.float32).clip(0, 2900)
    outside = ~FIELDS[kind]
    away = cv2.distanceTransform(outside.astype(np.uint8), cv2.DIST_L2, 5)
    scatter = 4000 - 600 * np.exp(-away / 60) + rng.normal(0, 15, SHAPE)
    pixels[outside] = scatter[outside]
    if not dense_is_high:
        pixels = 4095 - pixels
    field = found(pixels.clip(0, 4095).astype(np.uint16), dense_is_high=dense_is_high)
    assert overlap(field, FIELDS[kind]) > 0.93


def leaky(pixels: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Blades that let through enough to show what lies under them, and air beside the patient."""
    noise = np.random.default_rng(2).normal(0, 12, pixels.shape)
    pixels = pixels.astype(np.float32).clip(0, 3000)
    air = 150 + np.linspace(0, 150, len(pixels))[:, None] + noise
    pixels[:, :60], pixels[:, -60:] = air[:, :60], air[:, -60:]
    through = np.where(pixels > 500, 3000 + 0.25 * pixels, 2600 + pixels) + noise
    soft = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), 2)
    return (soft * pixels + (1 - soft) * through).clip(0, 4095).astype(np.uint16)


@pytest.mark.parametrize("dense_is_high", [True, False])
@pytest.mark.parametrize(
    ("tilt", "least"), [(0, 0.95), (5, 0.94), (-12, 0.93)], ids=["upright", "tilted", "much"]
)
def test_blades_that_leak(tilt, least, dense_is_high):
    inside = rectangle(SHAPE, (0.8, 0.7), tilt)
    pixels = leaky(pelvis_like(SHAPE), inside)
    field = found(pixels if dense_is_high else 4095 - pixels, dense_is_high=dense_is_high)
    assert overlap(field, inside) > least


def test_a_leaky_blade_on_one_side_alone():
    inside = np.ones(SHAPE, bool)
    inside[:, :150] = False
    field = found(leaky(pelvis_like(SHAPE), inside))
    assert not field.thumbnail[:, : round(0.44 * 145)].any()
    assert field.thumbnail[:, round(0.45 * 170) : 300].mean() > 0.99


@pytest.mark.parametrize("width", [40, 90])
def test_dense_bone_along_the_edge_of_the_film_is_no_blade(width):
    """The other thigh, at the edge: its bone is dense, the soft tissue lateral to it is not."""
    pixels = pelvis_like(SHAPE).astype(np.float32)
    edge = np.random.default_rng(3).normal(1200, 60, SHAPE)
    edge[380:, -width : -width // 2] += 1800
    pixels[380:, -width:] = edge[380:, -width:]
    field = found(pixels.clip(0, 4095).astype(np.uint16))
    assert field.thumbnail[:, -round(0.4 * width) :].mean() > 0.97


def test_a_white_strip_between_two_parts_cuts_neither():
    pixels = pelvis_like(SHAPE).clip(50, 3000).astype(np.uint16)
    pixels[:, 325:340] = 4095
    assert found(pixels).share > 0.95


def test_text_in_a_black_border_is_not_the_field():
    pixels = pelvis_like(SHAPE).clip(50, 4000).astype(np.uint16)
    inside = rectangle(SHAPE, (0.7, 0.6), 0)
    pixels[~inside] = 0
    pixels[20:50, 20:110] = 4095
    assert overlap(found(pixels), inside) > 0.95


@pytest.mark.parametrize("seed", range(6))
def test_film_without_borders_is_kept_whole(seed):
    assert found(pelvis_like(SHAPE, seed)).share > 0.97


def test_air_beside_the_body_does_not_cut_the_body():
    pixels = pelvis_like(SHAPE)
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    air = columns < 120 + 60 * np.sin(rows / 150)
    pixels[air] = 0
    field = found(pixels)
    assert field.thumbnail[~shrink_mask(air) & ~shrink_mask(columns < 200)].all()


def test_a_border_painted_in_grey():
    pixels = pelvis_like(SHAPE).clip(50, 4000).astype(np.uint16)
    inside = circle(SHAPE, 0.95)
    pixels[~inside] = 3100
    assert overlap(found(pixels), inside) > 0.95


def test_several_exposed_parts_are_all_kept():
    """A film exposed twice: nothing of either half is lost."""
    pixels = pelvis_like(SHAPE).clip(50, 4000).astype(np.uint16)
    pixels[400:430] = 0
    field = found(pixels).thumbnail
    parts = np.ones(SHAPE, bool)
    parts[400:430] = False
    assert field[shrink_mask(parts)].mean() > 0.99
    assert not field[shrink_mask(~parts)][5:-5].all()


def test_black_air_within_a_painted_border_does_not_cut_the_corners():
    """Bone may reach into a corner that is as black as the border."""
    pixels = pelvis_like(SHAPE).clip(50, 4000).astype(np.uint16)
    inside = rectangle(SHAPE, (0.8, 0.8), 0)
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    pixels[~inside | (rows - 90 + columns - 76 < 240)] = 0
    assert found(pixels).thumbnail[shrink_mask(inside)].mean() > 0.99


def test_a_border_that_is_dark_over_half_its_length():
    """Where air was beside the leaves, scatter fades from black; the edge shows below only."""
    rng = np.random.default_rng(1)
    pixels = pelvis_like(SHAPE).astype(np.float32).clip(0, 2900)
    inside = np.ones(SHAPE, bool)
    inside[:, 700:] = False
    away = np.arange(SHAPE[1])[None, :] - 700.0
    fading = np.broadcast_to(40 * away, SHAPE) + rng.normal(0, 10, SHAPE)
    pixels[:180, 700:] = fading[:180, 700:]
    pixels[:180, 640:700] = 0
    pixels[180:, 700:] = 3900 + rng.normal(0, 10, (SHAPE[0] - 180, 60))
    assert overlap(found(pixels.clip(0, 4095).astype(np.uint16)), inside) > 0.96


def test_shutter_limits_the_field():
    valid = circle(SHAPE, 0.8)
    field = found(pelvis_like(SHAPE), valid)
    assert overlap(field, valid) > 0.97
    assert not (field.thumbnail & shrink_mask(~valid)).any()


@pytest.mark.parametrize("value", [0, 1000])
def test_flat_picture_is_one_field(value):
    field = found(np.full((300, 200), value, np.uint16))
    assert field.thumbnail.all()
    assert field.window.shape == (300, 200)


def test_window_covers_the_field_and_prepare_blanks_the_rest():
    pixels = pelvis_like(SHAPE).clip(50, 4000).astype(np.uint16)
    inside = circle(SHAPE, 0.9)
    pixels[~inside] = 0
    prepared = prepare(Radiograph(pixels, "f", Spacing(0.4, 0.4, 0.04, SpacingSource.USER)))
    assert "field_cropped" in {n.code for n in prepared.notes}
    assert not prepared.pixels[~prepared.field].any()
    assert prepared.field.mean() == pytest.approx(np.pi / 4, abs=0.03)
    corner = prepared.field[:8, :8]
    assert not corner.any()
