"""The exposed field asked by points, against painting it on the whole image."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hoseg.grade.exposure import RIM_PX, find_visible
from hoseg.imaging.resample import GridWindow, make_grid


def painted(inside: np.ndarray, shape: tuple[int, int], window: GridWindow) -> np.ndarray:
    """The field without holes and off its edge, made the plain way: (H, W) bool."""
    field = np.zeros(shape, np.uint8)
    field[window.slices] = cv2.resize(
        inside.astype(np.uint8), window.shape[::-1], interpolation=cv2.INTER_NEAREST
    )
    outlines, _ = cv2.findContours(field, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    whole = cv2.fillPoly(np.zeros(shape, np.uint8), outlines, (1,))
    return cv2.erode(whole, np.ones((2 * RIM_PX + 1,) * 2, np.uint8)) > 0


@given(seed=st.integers(0, 10_000), step=st.floats(1.0, 6.0), share=st.floats(0.4, 0.95))
@settings(max_examples=60)
def test_points_see_what_a_painted_field_shows(seed, step, share):
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(40, 90)), int(rng.integers(40, 90)))
    top, left = (int(rng.integers(0, 10)) for _ in range(2))
    window = GridWindow(top, left, shape[0] - int(rng.integers(0, 10)), shape[1] - 3)
    grid = make_grid(window, (1.0, 1.0), (step, step))
    noise = cv2.GaussianBlur(rng.random(grid.shape), (0, 0), 2)
    inside = noise < np.quantile(noise, share)
    visible = find_visible(inside, shape, grid)
    points = np.argwhere(np.ones(shape, bool)).astype(float)
    truth = painted(inside, shape, window)
    assert np.array_equal(visible.at(points).reshape(shape), truth)
    for _ in range(20):  # a part alone, which may lie clear of every edge
        (top, bottom), (left, right) = (np.sort(rng.integers(0, n + 1, 2)) for n in shape)
        part = points.reshape(*shape, 2)[top:bottom, left:right].reshape(-1, 2)
        assert np.array_equal(visible.at(part), truth[top:bottom, left:right].ravel())


def test_points_outside_the_image_see_nothing():
    visible = find_visible(np.tri(30, 40) > 0, (30, 40))
    assert not visible.at(np.array([[-1.0, 3.0], [30.0, 3.0], [5.0, -0.6], [5.0, 40.0]])).any()


@pytest.mark.parametrize("cropped", [False, True])
def test_a_field_all_exposed_is_no_field_unless_it_is_a_part(cropped):
    window = GridWindow(0, 0, 30 - 5 * cropped, 40)
    grid = make_grid(window, (1.0, 1.0), (2.0, 2.0))
    visible = find_visible(np.ones(grid.shape, bool), (30, 40), grid)
    assert (visible is None) != cropped
    if visible is not None:
        seen = visible.at(np.array([[24.0 - RIM_PX, 5.0], [25.0 - RIM_PX, 5.0]]))
        assert seen.tolist() == [True, False]
