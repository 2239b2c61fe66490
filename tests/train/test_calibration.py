import numpy as np
import pytest
from scipy.special import logit

from hoseg.train.calibration import MOST_FALSE_COMPONENTS, calibrate, fit_temperature
from hoseg.train.release import _measured
from hoseg.train.validate import score


def test_temperature_of_overconfident_logits() -> None:
    rng = np.random.default_rng(0)
    honest = rng.normal(0, 2, 200_000).astype(np.float32)
    truth = rng.random(honest.size) < 1 / (1 + np.exp(-honest))
    assert fit_temperature(honest, truth) == pytest.approx(1.0, abs=0.03)
    assert fit_temperature(3 * honest, truth) == pytest.approx(3.0, abs=0.1)


def films(false_logit: float, count: int = 20) -> tuple[list, list]:
    """Half of the films with one true lesion (logit 3), half with one false one."""
    logits, crops = [], []
    for number in range(count):
        values = np.full((4, 64, 64), -6.0, np.float32)
        targets = np.zeros((64, 64), np.uint8)
        values[:3, 10:30, 10:30], targets[10:30, 10:30] = 4.0, 7
        if number % 2:
            values[3, 40:52, 40:52], targets[40:52, 40:52] = 3.0, targets[40:52, 40:52] | 8
        else:
            values[3, 40:52, 10:22] = false_logit
        logits.append(values)
        crops.append((np.zeros((64, 64), np.float32), targets, np.zeros((64, 64), np.uint8)))
    return logits, crops


def test_false_components_are_left_out_by_threshold_or_peak() -> None:
    logits, crops = films(false_logit=1.0)
    found = calibrate(logits, crops, spacing_mm=1.0)
    peak = found.peaks[3]
    assert found.peaks[:3] == (None, None, None)
    assert peak is not None
    assert found.thresholds[3] <= peak
    assert 1.0 < found.temperatures[3] * logit(peak) <= 3.0
    figures = _measured(logits, crops, found, 1.0)
    assert figures["false_ossification"] <= MOST_FALSE_COMPONENTS
    assert figures["dice_ossification"] == 1.0
    assert figures["dice_pelvis"] == 1.0


def test_figures_of_known_answers() -> None:
    logits, crops = films(false_logit=1.0)
    figures = score(logits, crops, 1.0)
    assert figures["false_ossification"] == 1.0
    assert figures["found_ossification"] == 1.0
    nothing = [np.full_like(values, -1.0) for values in logits]
    figures = score(nothing, crops, 1.0)
    assert figures["false_ossification"] == 0.0
    assert figures["found_ossification"] == 0.0
    assert figures["dice_femur"] == 0.0


def test_ignored_pixels_do_not_count() -> None:
    logits, crops = films(false_logit=1.0)
    for _, _, ignore in crops:
        ignore[40:52, 10:22] = 8
    assert score(logits, crops, 1.0)["false_ossification"] == 0.0
