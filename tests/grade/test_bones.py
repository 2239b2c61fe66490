"""The yardstick of masks without millimetres."""

import cv2
import numpy as np
import pytest

from hoseg.grade.bones import ADULT_HEAD_MM, prepare_bones
from hoseg.radiograph import Structure, split_layers


@pytest.mark.parametrize("aspect", [1.0, 2.0, 0.5])
def test_the_femur_is_as_wide_with_oblong_pixels(aspect):
    """A disc of 80 pixels, its rows ``aspect`` times as far apart: an ellipse in the mask."""
    masks = np.zeros((400, 400), np.uint8)
    axes = (80, round(80 / aspect))
    cv2.ellipse(masks, (200, 200), axes, 0, 0, 360, int(Structure.FEMUR), -1)
    bones = prepare_bones(split_layers(masks), masks.shape, None, None, aspect)
    assert not bones.calibrated
    assert bones.mm[1] == pytest.approx(ADULT_HEAD_MM / 80, rel=0.03)
    assert bones.mm[0] == pytest.approx(aspect * bones.mm[1])
