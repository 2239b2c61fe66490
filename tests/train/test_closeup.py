"""The network that looks at close-ups learns what it is shown."""

import numpy as np
import pytest
import torch

from hoseg.errors import SettingError
from hoseg.grade.closeup import PLANES, SIZE_PX, CloseUpNetwork, network_input
from hoseg.train.closeup import CloseUpNet, CloseUpSettings, fit_close_up, to_onnx, vary


def hips(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A class is the size of the bright square on the plane of ossification."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 5, count)
    pictures = rng.integers(0, 40, (count, PLANES, SIZE_PX, SIZE_PX), dtype=np.uint8)
    for picture, grade in zip(pictures, classes, strict=True):
        row, column = rng.integers(20, 70, 2)
        picture[4, row : row + 9 * grade, column : column + 9 * grade] = 250
    return pictures, classes


@pytest.mark.slow
def test_it_learns_and_opencv_answers_as_torch_does():
    settings = CloseUpSettings(epochs=12, batch=16, width=4)
    losses: list[float] = []
    network = fit_close_up(*hips(240, 0), settings, lambda epoch, loss: losses.append(loss))
    assert losses[-1] < 0.5 * losses[0]
    pictures, classes = hips(60, 1)
    with torch.no_grad():
        odds = network(torch.from_numpy(network_input(pictures))).numpy()
    assert CloseUpNetwork(to_onnx(network)).log_odds(pictures) == pytest.approx(odds, abs=1e-3)
    assert (np.abs((odds > 0).sum(axis=1) - classes) <= 1).mean() > 0.9


def test_the_same_seed_gives_the_same_network():
    shown, classes = hips(64, 2)
    settings = CloseUpSettings(epochs=1, batch=32, width=2)
    first, again = (fit_close_up(shown, classes, settings).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_variations_keep_shape_and_planes():
    torch.manual_seed(0)
    seen = torch.zeros(4, PLANES, SIZE_PX, SIZE_PX)
    seen[:, 4] = 1
    varied = vary(seen)
    assert varied.shape == seen.shape
    assert (varied[:, 4] > 0.99).all()
    assert (varied[:, 1:4] == 0).all()


def test_too_few_hips_are_refused():
    with pytest.raises(SettingError, match="hips"):
        fit_close_up(*hips(10, 0))


def test_exported_bytes_are_read():
    torch.manual_seed(0)
    found = CloseUpNetwork(to_onnx(CloseUpNet(2))).log_odds(
        np.zeros((1, PLANES, SIZE_PX, SIZE_PX), np.uint8)
    )
    assert found.shape == (1, 4)
