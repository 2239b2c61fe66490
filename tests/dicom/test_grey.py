"""No LUT or window leaves a film black, white or turned without a word."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from hoseg.dicom.grey import first_mapped
from hoseg.imaging.display import display

from .build import codes, dataset, film, read_one


def lut_item(table: np.ndarray, first: int, vr: str = "US", stated: int | None = None) -> Dataset:
    item = Dataset()
    size = len(table) if stated is None else stated
    item.add_new("LUTDescriptor", vr, [size % 65536, first, 16])
    item.add_new("LUTData", "OW", table.astype("<u2").tobytes())
    return item


def ramp(entries: int) -> np.ndarray:
    return np.linspace(0, 65535, entries)


@pytest.mark.parametrize(
    ("shift", "first", "vr", "expected"),
    [
        (-2048, 63488, "US", -2048),  # -2048 read as unsigned
        (40000, -25536, "SS", 40000),  # 40000 read as signed
        (0, 0, "US", 0),
        (0, 100, "US", 100),  # within the pixels: left alone
    ],
)
def test_first_value_of_the_other_sign(shift, first, vr, expected, tmp_path):
    pixels = (film().astype(int) + shift).astype(np.int16 if shift < 0 else np.uint16)
    ds = dataset(pixels, 16, VOILUTSequence=Sequence([lut_item(ramp(4096), first, vr)]))
    got = read_one(ds, tmp_path)
    assert got.display.lut_first == expected
    assert ("lut_first_value" in codes(got)) is (expected != first)
    grey = (film().astype(float) - (expected - shift)).clip(0, 4095) / 4095 * 255
    assert np.abs(display(got).astype(float) - grey).max() <= 1


def test_modality_lut_whose_first_value_has_the_other_sign(tmp_path):
    pixels = (film(bits=8).astype(np.int16) - 128).astype(np.int16)
    table = np.arange(256) ** 2
    item = lut_item(table, 65536 - 128)
    item.ModalityLUTType = "US"
    got = read_one(dataset(pixels, 16, ModalityLUTSequence=Sequence([item])), tmp_path)
    np.testing.assert_array_equal(got.pixels, (pixels.astype(int) + 128) ** 2)
    assert "lut_first_value" in codes(got)


def test_first_value_is_left_alone_where_nothing_fits_better():
    values = np.array([100, 200])
    assert first_mapped(5000, 256, values) == 5000
    assert first_mapped(50, 256, values) == 50
    assert first_mapped(65536 + 100, 256, values) == 100


def test_a_short_lut_is_said(tmp_path):
    ds = dataset(film(), VOILUTSequence=Sequence([lut_item(ramp(100), 0, stated=4096)]))
    ds.WindowCenter, ds.WindowWidth = 800, 1600
    got = read_one(ds, tmp_path)
    assert "voi_lut_ignored" in codes(got)
    assert got.display.lut is None
    assert got.display.window == (800, 1600)


def test_half_a_lut_is_not_taken_for_one_of_bytes(tmp_path):
    """Entries of 16 bits, half of them there: as many bytes as there should be entries."""
    ds = dataset(film(), VOILUTSequence=Sequence([lut_item(ramp(2048), 0, stated=4096)]))
    assert "voi_lut_ignored" in codes(read_one(ds, tmp_path))


@pytest.mark.parametrize(
    "attributes",
    [
        {"WindowCenter": 60000, "WindowWidth": 400},
        {"WindowCenter": -5000, "WindowWidth": 400},
        {"WindowCenter": 60000, "WindowWidth": 400, "VOILUTFunction": "SIGMOID"},
        {"WindowCenter": -5000, "WindowWidth": 1, "VOILUTFunction": "LINEAR_EXACT"},
        {"WindowCenter": 800, "WindowWidth": 10_000_000},
        {"VOILUTSequence": Sequence([lut_item(np.zeros(4096), 0)])},
        {"VOILUTSequence": Sequence([lut_item(np.full(4096, 7), 0)])},
        {"VOILUTSequence": Sequence([lut_item(ramp(256), 30000)])},
    ],
    ids=["black", "white", "sigmoid", "step", "flat", "zeros", "constant", "elsewhere"],
)
def test_a_film_that_would_be_black_white_or_flat_is_shown_in_its_own_range(attributes, tmp_path):
    got = read_one(dataset(film(), 16, **attributes), tmp_path)
    assert "display_ignored" in codes(got)
    plain = display(read_one(dataset(film(), 16), tmp_path))
    np.testing.assert_array_equal(display(got), plain)
    assert plain.min() == 0
    assert plain.max() == 255


def test_a_window_serves_where_the_lut_shows_nothing(tmp_path):
    item = lut_item(np.zeros(4096), 0)
    ds = dataset(film(), VOILUTSequence=Sequence([item]), WindowCenter=800, WindowWidth=1600)
    got = read_one(ds, tmp_path)
    assert got.display.window == (800, 1600)
    assert got.display.lut is None
    assert "display_ignored" in codes(got)


def test_an_empty_film_is_not_blamed_on_its_window(tmp_path):
    got = read_one(
        dataset(np.full((48, 64), 7, np.uint16), WindowCenter=2, WindowWidth=3), tmp_path
    )
    assert "display_ignored" not in codes(got)


@pytest.mark.parametrize(
    ("falling", "photometric", "small_is_bright"),
    [
        (False, "MONOCHROME2", False),
        (True, "MONOCHROME2", True),
        (False, "MONOCHROME1", True),
        (True, "MONOCHROME1", False),
    ],
)
def test_a_falling_lut_turns_the_grey_levels(falling, photometric, small_is_bright, tmp_path):
    table = ramp(4096)[:: -1 if falling else 1]
    ds = dataset(
        film(),
        VOILUTSequence=Sequence([lut_item(table, 0)]),
        PhotometricInterpretation=photometric,
    )
    got = read_one(ds, tmp_path)
    assert got.display.small_is_bright is small_is_bright
    shown = display(got)
    darkest = shown[got.pixels == got.pixels.min()].mean()
    assert bool(darkest > 128) is small_is_bright
