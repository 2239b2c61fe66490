"""Padding and shutters."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.dataset import Dataset

from hoseg.dicom.masking import find_valid

STORED = np.full((40, 60), 100, np.uint16)


def make(**attributes: object) -> Dataset:
    ds = Dataset()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def test_everything_is_valid_by_default():
    assert find_valid(Dataset(), STORED) == (None, ())


def test_padding_value_and_range():
    stored = STORED.copy()
    stored[:5], stored[5:8] = 0, 7
    ds = Dataset()
    ds.add_new("PixelPaddingValue", "US", 0)
    valid, _ = find_valid(ds, stored)
    np.testing.assert_array_equal(valid, stored != 0)
    ds.add_new("PixelPaddingRangeLimit", "US", 10)
    valid, _ = find_valid(ds, stored)
    np.testing.assert_array_equal(valid, stored > 10)


@pytest.mark.parametrize(
    ("dtype", "black", "vr", "written"),
    [("i2", -2048, "US", 63488), ("i2", -2048, "SS", -2048), ("u2", 40000, "SS", -25536)],
)
def test_padding_written_with_the_other_sign(dtype, black, vr, written):
    stored = np.full((20, 30), 5, dtype)
    stored[:5] = black
    ds = Dataset()
    ds.add_new("PixelPaddingValue", vr, written)
    valid, _ = find_valid(ds, stored)
    np.testing.assert_array_equal(valid, stored != black)


def test_rectangle_hides_its_edges():
    ds = make(
        ShutterShape="RECTANGULAR",
        ShutterLeftVerticalEdge=10,
        ShutterRightVerticalEdge=50,
        ShutterUpperHorizontalEdge=5,
        ShutterLowerHorizontalEdge=30,
    )
    valid, _ = find_valid(ds, STORED)
    rows, columns = np.nonzero(valid)
    # Pixels 11..49 and 6..29, counted from one, are shown.
    assert (columns.min() + 1, columns.max() + 1) == (11, 49)
    assert (rows.min() + 1, rows.max() + 1) == (6, 29)


def test_circle_and_polygon_and_both():
    circle = make(
        ShutterShape="CIRCULAR", CenterOfCircularShutter=[20, 30], RadiusOfCircularShutter=15
    )
    valid, _ = find_valid(circle, STORED)
    assert valid.sum() == pytest.approx(np.pi * 15**2, rel=0.02)
    assert valid[19, 29]
    polygon = make(ShutterShape="POLYGONAL", VerticesOfThePolygonalShutter=[1, 1, 1, 60, 40, 60])
    triangle, _ = find_valid(polygon, STORED)
    assert triangle[1, 55]
    assert not triangle[38, 5]
    circle.ShutterShape = ["CIRCULAR", "POLYGONAL"]
    circle.VerticesOfThePolygonalShutter = [1, 1, 1, 60, 40, 60]
    both, _ = find_valid(circle, STORED)
    np.testing.assert_array_equal(both, valid & triangle)


@pytest.mark.parametrize(
    "ds",
    [
        make(ShutterShape="CIRCULAR"),
        make(ShutterShape="STAR"),
        make(ShutterShape="POLYGONAL", VerticesOfThePolygonalShutter=[1, 1, 2]),
        make(
            ShutterShape="CIRCULAR",
            CenterOfCircularShutter=[-500, -500],
            RadiusOfCircularShutter=1,
        ),
    ],
)
def test_nonsense_is_ignored_and_said(ds):
    valid, notes = find_valid(ds, STORED)
    assert valid is None
    assert [n.code for n in notes] == ["shutter_ignored"]
