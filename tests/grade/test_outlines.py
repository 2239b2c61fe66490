import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoseg.grade.circle import candidates, refine
from hoseg.grade.outlines import fill, trace_outlines


def test_a_flat_edge_lies_between_the_pixels():
    mask = np.zeros((60, 80), np.uint8)
    mask[10:40, 20:70] = 1
    (outline,) = trace_outlines(mask, 0.5)
    assert outline.area_px == pytest.approx(30 * 50, rel=0.01)
    assert np.allclose(outline.points_px.min(axis=0), (9.5, 19.5), atol=1e-9)
    assert np.allclose(outline.points_px.max(axis=0), (39.5, 69.5), atol=1e-9)


@given(
    radius=st.floats(3, 40),
    row=st.floats(0, 1),
    column=st.floats(0, 1),
    spacing=st.floats(0.1, 1.0),
)
def test_a_disc_is_found_to_a_fraction_of_a_pixel(radius, row, column, spacing):
    rows, columns = np.mgrid[:100, :100]
    centre = np.array([50 + row, 50 + column])
    mask = (np.hypot(rows - centre[0], columns - centre[1]) <= radius).astype(np.uint8)
    points = trace_outlines(mask, max(spacing, 3.0 / max(7, radius)))[0].points_px
    error = np.hypot(*(points - centre).T) - radius
    assert abs(error.mean()) < 0.4
    assert np.abs(error).max() < 0.8


def test_pieces_holes_and_specks():
    mask = np.zeros((100, 100), np.uint8)
    mask[10:60, 10:60] = 1
    mask[20:40, 20:40] = 0
    mask[45:47, 45:47] = 0
    mask[80:83, 80:83] = 1
    kept = trace_outlines(mask, 1.0, min_area_px=20, min_hole_px=50)
    assert [outline.hole for outline in kept].count(True) == 1
    assert len(kept) == 2
    painted = fill(kept, (100, 100))
    assert painted[46, 46] == 1  # a flaw is filled
    assert painted[30, 30] == 0  # a real hole stays
    assert painted[81, 81] == 0  # a speck is gone
    same = mask.copy()
    same[45:47, 45:47] = 1
    same[80:83, 80:83] = 0
    assert np.array_equal(painted, same)


def test_empty_and_tiny_masks():
    mask = np.zeros((20, 20), np.uint8)
    assert trace_outlines(mask, 0.5) == []
    mask[3, 3] = 1
    (outline,) = trace_outlines(mask, 0.5)
    assert outline.points_px.tolist() == [[3.0, 3.0]]
    mask[:] = 1
    assert len(trace_outlines(mask, 0.5)) == 1


def test_a_head_on_a_neck_is_found():
    mask = np.zeros((400, 400), np.uint8)
    cv2.circle(mask, (150, 150), 60, 1, -1)
    cv2.line(mask, (150, 150), (260, 260), 1, 60)
    cv2.rectangle(mask, (230, 230), (310, 399), 1, -1)
    points = trace_outlines(mask, 0.4)[0].points_px[::4]
    best = candidates(points, (30.0, 90.0))[0]
    assert np.allclose(best.centre, (150, 150), atol=1.0)
    assert best.radius == pytest.approx(60, abs=1.0)
    assert best.coverage > 0.6


def test_no_circle_in_too_few_points_or_in_a_straight_line():
    assert candidates(np.zeros((5, 2)), (1.0, 2.0)) == []
    line = np.stack([np.arange(50.0), np.zeros(50)], axis=1)
    assert all(circle.coverage < 0.35 for circle in candidates(line, (5.0, 10.0)))


def test_refining_a_guess_beside_the_circle():
    angle = np.linspace(0, 2 * np.pi, 200)
    points = np.stack([30 + 10 * np.sin(angle), 40 + 10 * np.cos(angle)], axis=1)
    circle = refine(points, np.array([30.6, 40.4]), 9.6, (5.0, 20.0))
    assert np.allclose(circle.centre, (30, 40), atol=1e-6)
    assert circle.radius == pytest.approx(10, abs=1e-6)
