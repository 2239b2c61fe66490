"""A close-up shows the hip the same way round, whatever the film."""

import pickle

import numpy as np
import pytest
import torch

from hoseg.errors import ModelError
from hoseg.grade import grade_masks
from hoseg.grade.closeup import HIP, LEVELS, SIZE_PX, CloseUpNetwork, close_up_of_hip
from hoseg.radiograph import Orientation, Side
from hoseg.train.closeup_network import CloseUpNet, to_onnx

from .scene import Scene, known, opposing_boxes, read

MIDDLE = (SIZE_PX - 1) / 2


@pytest.fixture(scope="module")
def close_up_onnx() -> bytes:
    torch.manual_seed(0)
    return to_onnx(CloseUpNet(HIP, 2))


def shown(flip=None, side=Side.LEFT, orientation=Orientation(), step=1.0):
    masks = Scene(opposing_boxes(9.0)).masks()
    if flip is not None:
        masks = np.ascontiguousarray(np.flip(masks, flip))
    geometry = known((0.5, 0.5), side=side, orientation=orientation)
    (finding,) = grade_masks(masks, geometry)
    return finding, close_up_of_hip(finding, read(masks, geometry, step=step))


def test_the_head_is_in_the_middle_and_millimetres_are_kept():
    finding, picture = shown()
    radius = finding.landmarks.head_radius_mm / HIP.step_mm
    inside = np.hypot(*(np.mgrid[:SIZE_PX, :SIZE_PX] - MIDDLE)) < radius - 2
    assert (picture[2][inside] > 250).mean() > 0.97  # femur
    area = (picture[4] > 127).sum() * HIP.step_mm**2
    true = sum(c.area_mm2 for c in finding.components)
    assert area == pytest.approx(true, rel=0.1)
    assert set(np.unique(picture[0])) <= set(range(128 - LEVELS, 128 + LEVELS + 1))


@pytest.mark.parametrize(
    ("flip", "side", "orientation"),
    [
        (1, Side.RIGHT, Orientation()),
        (1, Side.LEFT, Orientation(columns=Side.RIGHT)),
        (0, Side.LEFT, Orientation(rows_to_feet=False)),
    ],
)
def test_lateral_is_right_and_feet_are_below(flip, side, orientation):
    _, upright = shown()
    _, other = shown(flip, side, orientation)
    differ = np.abs(upright.astype(int) - other) > 60
    assert differ.mean() < 0.01


def test_the_grid_of_the_network_makes_no_difference():
    _, fine = shown()
    _, coarse = shown(step=2.0)
    assert (np.abs(fine.astype(int) - coarse) > 100).mean() < 0.01


def test_without_a_head_there_is_none():
    masks = Scene().masks() & ~np.uint8(2)
    (finding,) = grade_masks(masks, known((0.5, 0.5)))
    assert close_up_of_hip(finding, read(masks)) is None


def test_a_network_answers_the_same_alone_in_company_and_in_another_process(close_up_onnx):
    network = CloseUpNetwork(HIP, close_up_onnx)
    rng = np.random.default_rng(0)
    pictures = list(rng.integers(0, 256, (3, 5, SIZE_PX, SIZE_PX), dtype=np.uint8))
    together = network.log_odds(pictures)
    assert together.shape == (3, 4)
    again = pickle.loads(pickle.dumps(network))
    for picture, row in zip(pictures, together, strict=True):
        assert np.array_equal(again.log_odds([picture])[0], row)
    assert len(np.unique(together[:, 0])) == 3


def test_what_is_no_network_is_refused_by_name():
    with pytest.raises(ModelError, match=r"folder/closeup\.onnx"):
        CloseUpNetwork(HIP, b"none", "folder/closeup.onnx")
