import numpy as np
import pytest

import hoseg.imaging.display as module
from hoseg.imaging.display import display, look_up
from hoseg.radiograph import Display, Radiograph


def shown(values, levels=256, dtype=np.uint16, **curve):
    pixels = np.array([values], dtype)
    return display(Radiograph(pixels, "x", display=Display(**curve)), levels)[0].tolist()


# DICOM PS3.3 C.11.2.1.2.1: centre 2048, width 4096 maps 0 to the least and 4095 to the greatest.
def test_linear_window_of_the_standard():
    assert shown([0, 4095], window=(2048, 4096)) == [0, 255]
    assert shown([0, 50, 100, 150, 200], window=(100.5, 101)) == [0, 0, 128, 255, 255]


def test_linear_exact_window():
    curve = {"window": (100, 100), "function": "LINEAR_EXACT"}
    assert shown([50, 100, 150], **curve) == [0, 128, 255]


def test_sigmoid_window():
    curve = {"window": (100, 100), "function": "SIGMOID"}
    low, middle, high = shown([50, 100, 150], **curve)
    assert middle == 128
    assert (low, high) == (30, 225)  # 255 / (1 + exp(2)), 255 / (1 + exp(-2))


def test_inverted():
    assert shown([0, 4095], window=(2048, 4096), inverted=True) == [255, 0]


def test_lut():
    table = np.array([0.0, 1.0, 0.5], np.float32)
    assert shown([9, 10, 11, 12, 99], lut=table, lut_first=10) == [0, 0, 255, 128, 128]


def test_levels():
    assert shown([0, 4095], levels=192, window=(2048, 4096)) == [0, 191]


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32])
def test_every_type_gives_the_same_picture(dtype):
    assert shown([0, 40, 100], dtype=dtype, window=(50.5, 101)) == [0, 102, 255]


def test_without_a_window_the_percentiles_are_spread():
    pixels = np.arange(10_000, dtype=np.uint16).reshape(100, 100) + 5000
    grey = display(Radiograph(pixels, "x"))
    assert grey.min() == 0
    assert grey.max() == 255
    assert abs(int(np.median(grey)) - 128) <= 1


def test_a_window_that_shows_nothing_is_not_used():
    pixels = np.arange(10_000, dtype=np.uint16).reshape(100, 100)
    far = Radiograph(pixels, "x", display=Display(window=(60_000, 10)))
    assert np.ptp(display(far)) == 255


def test_invalid_pixels_do_not_set_the_levels():
    pixels = np.arange(10_000, dtype=np.uint16).reshape(100, 100)
    pixels[:, :50] = 65_535
    valid = np.ones((100, 100), bool)
    valid[:, :50] = False
    grey = display(Radiograph(pixels, "x", valid=valid))
    assert np.ptp(grey[:, 50:]) == 255


@pytest.mark.parametrize("opencv", [4, 5])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_table_is_looked_up_alike_by_old_and_new_opencv(monkeypatch, opencv, dtype):
    if opencv == 5 and module._OPENCV < 5:
        pytest.skip("OpenCV 4 is installed")
    monkeypatch.setattr(module, "_OPENCV", opencv)
    rng = np.random.default_rng(0)
    entries = np.iinfo(dtype).max + 1
    table = rng.integers(0, 256, entries, dtype=np.uint8)
    index = rng.integers(0, entries, (37, 21)).astype(dtype)
    assert np.array_equal(look_up(index, table), table[index])
