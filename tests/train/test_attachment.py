"""What the network of attachment is taught."""

from types import SimpleNamespace

import numpy as np
import pytest

from hoseg.datasets.simulated import ComponentTruth
from hoseg.grade.contacts import Contacts
from hoseg.radiograph import Geometry, Side
from hoseg.train.attachment import CloseUpRecorder, attachment_targets
from tests.grade.scene import read

UPPER, LOWER, FREE = (10, 40), (40, 40), (40, 80)
"""Corners of three ossifications, 20 pixels high and wide."""
NEAR, FAR = 1.0, 30.0


def film(*corners):
    masks = np.zeros((90, 120), np.uint8)
    for row, column in corners:
        masks[row : row + 20, column : column + 20] = 8
    return masks


def item(corner):
    row, column = np.array(corner)
    low, high = np.array([row, column]) - 0.5, np.array([row, column]) + 19.5
    outline = np.array([low, (low[0], high[1]), high, (high[0], low[1])])
    return SimpleNamespace(bbox_px=(row, column, row + 20, column + 20), outline_px=outline)


def contacts(*pairs, superimposition=None):
    """(corner, distances to pelvis and femur in mm) of each ossification."""
    edges = np.full((len(pairs) + 2, len(pairs) + 2), FAR)
    edges[:-2, -2:] = np.reshape([distances for _, distances in pairs], (-1, 2))
    items = tuple(item(corner) for corner, _ in pairs)
    return Contacts(items, *edges[:-2, -2:].T, edges, superimposition)


def component(corner, *bones):
    return ComponentTruth(centroid_px=(corner[0] + 9.5, corner[1] + 9.5), attached_to=list(bones))


def test_what_is_near_a_bone_is_taught_and_the_rest_is_not_asked():
    three = contacts((UPPER, (NEAR, FAR)), (LOWER, (NEAR, NEAR)), (FREE, (FAR, FAR)))
    built = [component(UPPER), component(LOWER, "femur"), component(FREE)]
    targets = attachment_targets(three, film(UPPER, LOWER, FREE), built)
    assert np.array_equal(targets, [[0, np.nan], [0, 1], [np.nan, np.nan]], equal_nan=True)


def test_components_that_touch_share_what_they_hang_on():
    below = (UPPER[0] + 20, UPPER[1])
    masks = film(UPPER, below)
    one = contacts((UPPER, (NEAR, NEAR)))
    built = [component(UPPER, "pelvis"), component(below, "femur")]
    assert attachment_targets(one, masks, built).tolist() == [[1, 1]]
    assert attachment_targets(one, masks, built[:1]).tolist() == [[1, 0]]
    apart = attachment_targets(one, film(UPPER, LOWER), [built[0], component(LOWER, "femur")])
    assert apart.tolist() == [[1, 0]]


def test_what_the_network_found_where_nothing_is_hangs_on_nothing():
    two = contacts((UPPER, (NEAR, NEAR)), (FREE, (NEAR, NEAR)))
    built = [component(UPPER, "pelvis", "femur")]
    assert attachment_targets(two, film(UPPER), built).tolist() == [[1, 1], [0, 0]]
    assert attachment_targets(two, film(), built).tolist() == [[0, 0], [0, 0]]


def test_an_outline_at_the_border_of_the_film_is_no_trouble():
    corner = (70, 100)
    one = contacts((corner, (NEAR, NEAR)))
    beyond = ComponentTruth(centroid_px=(200.0, 200.0), attached_to=["femur"])
    assert attachment_targets(one, film(corner), [beyond]).tolist() == [[0, 1]]


def test_no_ossification_is_taught_nothing():
    assert attachment_targets(contacts(), film(UPPER), [component(UPPER)]).shape == (0, 2)


def test_a_recorder_changes_nothing_and_takes_every_close_up():
    recorder, told = CloseUpRecorder(), np.array([[0.1, 0.2], [0.3, 0.4]])
    two = contacts((UPPER, (NEAR, FAR)), (FREE, (FAR, FAR)), superimposition=told)
    reading = read(film(UPPER, FREE), Geometry())
    assert recorder.superimposition(two, Side.LEFT, reading) is told
    (pictures,) = recorder.close_ups
    assert recorder.contacts == [two]
    for shown in pictures:  # 20 pixels of 0.5 mm are 10 pixels of a close-up, which has both
        assert (shown[5] > 127).sum() == pytest.approx(100, abs=21)
        assert (shown[4] > 127).sum() == pytest.approx(200, abs=21)


@pytest.mark.parametrize("bones", [("tibia",), ("pelvis", "spine")])
def test_unknown_bones_are_refused(bones):
    with pytest.raises(ValueError, match="attached_to"):
        component(UPPER, *bones)
