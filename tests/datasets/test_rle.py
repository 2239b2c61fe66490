import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hoseg.datasets import rle

MASKS = st.tuples(st.integers(1, 20), st.integers(1, 20)).flatmap(lambda s: arrays(bool, s))


@given(MASKS)
def test_runs_come_back(mask: np.ndarray) -> None:
    np.testing.assert_array_equal(rle.decode(rle.encode(mask), mask.shape), mask)


@given(MASKS)
def test_compressed_strings_come_back(mask: np.ndarray) -> None:
    counts = rle.encode(mask)
    assert rle.expand(rle.compress(counts)) == counts


def test_runs_go_down_the_columns_zeros_first() -> None:
    mask = np.array([[0, 1], [0, 1], [1, 0]], bool)
    assert rle.encode(mask) == [2, 3, 1]
    assert rle.encode(~mask) == [0, 2, 3, 1]


def test_against_strings_of_cocoapi() -> None:
    # Made with pycocotools.mask.encode of a 10 x 10 mask whose rows 2-4, columns 3-6 are set.
    mask = np.zeros((10, 10), bool)
    mask[2:5, 3:7] = True
    assert rle.encode(mask) == [32, 3, 7, 3, 7, 3, 7, 3, 35]
    assert rle.compress(rle.encode(mask)) == "P13700000l0"


@given(MASKS)
def test_agrees_with_pycocotools(mask: np.ndarray) -> None:
    reference = pytest.importorskip("pycocotools.mask")
    made = reference.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert rle.compress(rle.encode(mask)) == made["counts"].decode()


@pytest.mark.parametrize("counts", [[3, 4], [10, -1], []])
def test_runs_that_do_not_fill_the_image(counts: list[int]) -> None:
    with pytest.raises(ValueError, match="run"):
        rle.decode(counts, (2, 4))


@pytest.mark.parametrize("text", ["P", "\x10", "é"])
def test_broken_strings(text: str) -> None:
    with pytest.raises(ValueError, match=r"string|character"):
        rle.expand(text)


def test_polygon_of_pixel_corners_fills_those_pixels() -> None:
    mask = rle.fill_polygons([[2, 1, 6, 1, 6, 4, 2, 4]], (8, 8))
    assert mask[1:4, 2:6].all()
    assert 12 <= mask.sum() <= 20  # OpenCV also draws the edge pixels


def test_outlines_fill_to_the_mask_they_came_from() -> None:
    rng = np.random.default_rng(0)
    import cv2

    for _ in range(20):
        mask = np.zeros((60, 60), np.uint8)
        cv2.ellipse(
            mask, (30, 30), tuple(int(v) for v in rng.integers(4, 25, 2)), 30, 0, 360, 1, -1
        )
        back = rle.fill_polygons(rle.outline_polygons(mask > 0), mask.shape)
        np.testing.assert_array_equal(back, mask > 0)
