"""Parts of a mask that hold a seed, against labelling them all."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from skimage.measure import label

from hoseg.imaging.parts import edge_of, labelled, parts_from

shapes = array_shapes(min_dims=2, max_dims=2, max_side=24)


@st.composite
def masks(draw):
    shape = draw(shapes)
    return draw(arrays(bool, shape)), draw(arrays(bool, shape))


@given(masks(), st.integers(0, 12))
def test_the_same_as_labelling_every_part(pair, least_px):
    mask, seeds = pair
    labels = label(mask, connectivity=1)
    wanted = np.zeros(mask.shape, bool)
    for number in range(1, labels.max() + 1):
        part = labels == number
        if part.sum() >= least_px and (part & seeds).any():
            wanted |= part
    before = mask.copy()
    assert np.array_equal(parts_from(mask, seeds, least_px), wanted)
    assert np.array_equal(mask, before)


@given(shapes)
def test_the_edge_is_one_pixel_wide(shape):
    edge = edge_of(shape)
    assert not edge[1:-1, 1:-1].any()
    assert edge[0].all()
    assert edge[-1].all()
    assert edge[:, 0].all()
    assert edge[:, -1].all()


@given(masks())
def test_parts_are_numbered_as_skimage_does(pair):
    mask = pair[0].view(np.uint8)
    before = mask.copy()
    found, areas = labelled(mask)
    wanted = label(mask, connectivity=1)
    assert np.array_equal(found > 0, mask > 0)
    assert len(areas) == wanted.max()
    for number, area in enumerate(areas, 1):
        part = found == number
        assert part.sum() == area
        assert len(np.unique(wanted[part])) == 1
    assert np.array_equal(mask, before)


def test_one_part_is_found_without_labelling():
    whole = np.ones((4, 5), np.uint8)
    found, areas = labelled(whole)
    assert found is whole
    assert areas.tolist() == [20]
