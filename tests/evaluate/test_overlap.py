"""Known answers, and MONAI and surface-distance as oracles."""

import numpy as np
import pytest
import surface_distance as oracle
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from hoseg.errors import SettingError
from hoseg.evaluate.overlap import overlap, surface


def blob(rng, shape=(60, 72), smooth=5.0, level=0.0):
    noise = ndimage.gaussian_filter(rng.standard_normal(shape), smooth)
    return noise / noise.std() > level


def square(shape=(50, 60), top=10, left=10, size=20):
    mask = np.zeros(shape, bool)
    mask[top : top + size, left : left + size] = True
    return mask


def test_identical_masks_are_perfect():
    row = overlap("femur", square(), square(), (0.5, 0.7))
    assert (row.dice, row.nsd, row.hd95_mm) == (1.0, 1.0, 0.0)
    assert row.truth_mm2 == pytest.approx(400 * 0.35)


def test_shifted_square_has_the_hand_computed_figures():
    # 20 x 20 shifted by 4 columns of 0.7 mm: 16 of 20 columns overlap.
    row = overlap("femur", square(), square(left=14), (0.5, 0.7))
    assert row.dice == pytest.approx(0.8)
    # The far sides lie 4 columns (2.8 mm) from the other square's nearest side.
    assert row.hd95_mm == pytest.approx(2.8)
    # Each surface has 76 pixels, of which 32 lie beyond 2 mm: the outer side (20 at 2.8 mm),
    # the corners next to it (2 at 2.1 mm), and of the side inside the other square those more
    # than 4 rows (2.0 mm) from its top and bottom (10).
    assert row.nsd == pytest.approx((76 - 32) / 76)


def test_empty_rules():
    nothing = np.zeros((50, 60), bool)
    missed = overlap("implant", square(), nothing, (0.5, 0.7))
    assert (missed.dice, missed.nsd) == (0.0, 0.0)
    assert missed.hd95_mm == pytest.approx(np.hypot(25, 42))
    invented = overlap("implant", nothing, square(), (0.5, 0.7))
    assert (invented.dice, invented.nsd, invented.hd95_mm) == (None, None, None)
    assert invented.predicted_mm2 == pytest.approx(140)
    assert overlap("implant", nothing, nothing, (1, 1)).dice is None


def test_surface_includes_the_image_border_as_monai_does():
    assert surface(np.ones((4, 5), bool)).sum() == 14


def test_masks_of_another_size_are_refused():
    with pytest.raises(SettingError, match=r"\(50, 60\)"):
        overlap("femur", square(), np.zeros((5, 5), bool), (1, 1))


@pytest.mark.slow  # importing MONAI takes most of it
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.4, 0.9)])
def test_monai_agrees(seed, spacing):
    torch = pytest.importorskip("torch")
    metrics = pytest.importorskip("monai.metrics")
    rng = np.random.default_rng(seed)
    truth, predicted = blob(rng), blob(rng, smooth=4, level=0.3)
    if seed % 2:  # near misses as well as unrelated masks
        predicted = ndimage.shift(truth.astype(float), (2, 3)) > 0.5
    row = overlap("pelvis", truth, predicted, spacing)
    y = torch.tensor(truth[None, None]).float()
    y_pred = torch.tensor(predicted[None, None]).float()
    dice = metrics.compute_dice(y_pred, y).item()
    nsd = metrics.compute_surface_dice(
        y_pred, y, class_thresholds=[2.0], include_background=True, spacing=spacing
    ).item()
    hd95 = metrics.compute_hausdorff_distance(
        y_pred, y, include_background=True, percentile=95, spacing=spacing
    ).item()
    assert row.dice == pytest.approx(dice, abs=1e-6)
    assert row.nsd == pytest.approx(nsd, abs=1e-6)
    assert row.hd95_mm == pytest.approx(hd95, abs=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_surface_distance_agrees_closely(seed):
    rng = np.random.default_rng(seed)
    truth = np.pad(blob(rng), 4)
    predicted = ndimage.shift(truth.astype(float), (3, 4)) > 0.5
    spacing = (0.5, 0.8)
    row = overlap("pelvis", truth, predicted, spacing)
    distances = oracle.compute_surface_distances(truth, predicted, spacing)
    assert row.dice == pytest.approx(oracle.compute_dice_coefficient(truth, predicted), abs=1e-9)
    # It weights surface elements by length and puts them between pixels: close, not equal.
    nsd = oracle.compute_surface_dice_at_tolerance(distances, 2.0)
    assert row.nsd == pytest.approx(nsd, abs=0.05)
    hd95 = oracle.compute_robust_hausdorff(distances, 95)
    assert row.hd95_mm == pytest.approx(hd95, abs=max(spacing))


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_symmetric_and_mirror_invariant(seed):
    rng = np.random.default_rng(seed)
    a, b = blob(rng, (30, 34), 3), blob(rng, (30, 34), 3)
    if not (a.any() and b.any()):
        return
    one = overlap("femur", a, b, (0.5, 0.7))
    other = overlap("femur", b[:, ::-1], a[:, ::-1], (0.5, 0.7))
    assert one.dice == other.dice
    assert one.nsd == pytest.approx(other.nsd)
    assert one.hd95_mm == pytest.approx(other.hd95_mm)
