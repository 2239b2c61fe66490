"""The network that looks at close-ups learns what it is shown."""

import numpy as np
import pytest
import torch

from hoseg.errors import SettingError
from hoseg.grade.closeup import HIP, SIZE_PX, CloseUpNetwork, network_input
from hoseg.train.closeup_network import (
    CloseUpNet,
    CloseUpSettings,
    class_targets,
    fit_close_up,
    to_onnx,
    vary,
)


def hips(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A class is the size of the bright square on the plane of ossification."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 5, count)
    pictures = rng.integers(0, 40, (count, HIP.planes, SIZE_PX, SIZE_PX), dtype=np.uint8)
    for picture, grade in zip(pictures, classes, strict=True):
        row, column = rng.integers(20, 70, 2)
        picture[4, row : row + 9 * grade, column : column + 9 * grade] = 250
    return pictures, classes


@pytest.mark.slow
def test_it_learns_and_opencv_answers_as_torch_does():
    settings = CloseUpSettings(epochs=12, batch=16, width=8)
    losses: list[float] = []
    shown, known = hips(240, 0)
    targets = class_targets(known)
    targets[::7, 3] = np.nan  # not asked
    network = fit_close_up(HIP, shown, targets, settings, lambda epoch, loss: losses.append(loss))
    assert losses[-1] < 0.5 * losses[0]
    pictures, classes = hips(60, 1)
    with torch.no_grad():
        odds = network(torch.from_numpy(network_input(pictures))).numpy()
    assert CloseUpNetwork(HIP, to_onnx(network)).log_odds(pictures) == pytest.approx(odds, abs=1e-3)
    assert (np.abs((odds > 0).sum(axis=1) - classes) <= 1).mean() > 0.9


def test_the_same_seed_gives_the_same_network():
    shown, classes = hips(64, 2)
    settings = CloseUpSettings(epochs=1, batch=32, width=2)
    first, again = (
        fit_close_up(HIP, shown, class_targets(classes), settings).state_dict() for _ in range(2)
    )
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_variations_keep_shape_and_planes():
    torch.manual_seed(0)
    seen = torch.zeros(4, HIP.planes, SIZE_PX, SIZE_PX)
    seen[:, 4] = 1
    varied = vary(seen)
    assert varied.shape == seen.shape
    assert (varied[:, 4] > 0.99).all()
    assert (varied[:, 1:4] == 0).all()


def test_too_few_close_ups_are_refused():
    shown, classes = hips(10, 0)
    with pytest.raises(SettingError, match="close-ups"):
        fit_close_up(HIP, shown, class_targets(classes))


def test_exported_bytes_are_read():
    torch.manual_seed(0)
    found = CloseUpNetwork(HIP, to_onnx(CloseUpNet(HIP, 2))).log_odds(
        np.zeros((1, HIP.planes, SIZE_PX, SIZE_PX), np.uint8)
    )
    assert found.shape == (1, 4)
