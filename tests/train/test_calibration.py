import numpy as np
import pytest
from scipy.special import expit, logit

from hoseg.train.calibration import (
    MOST_FALSE_COMPONENTS,
    ThresholdCalibration,
    calibrate,
    fit_temperature,
    quieten,
)
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


def real_films(false_logit: float, true_logit: float = 6.0) -> tuple[list, list]:
    """As ``films``, with lesions that are surer."""
    logits, crops = films(false_logit)
    for values, crop in zip(logits, crops, strict=True):
        values[3][(crop[1] & 8) > 0] = true_logit
    return logits, crops


def chosen(peak_logit: float) -> ThresholdCalibration:
    peaks = (None, None, None, float(expit(peak_logit)))
    return ThresholdCalibration((1.0,) * 4, (0.5, 0.5, 0.5, 0.8), peaks)


def test_the_peak_rises_until_labelled_films_are_quiet() -> None:
    logits, crops = real_films(4.0)
    found = quieten(chosen(3.0), logits, crops, 0.7)
    assert found.peaks[3] is not None
    assert 3.99 < logit(found.peaks[3]) < 4.5  # of what is false: 4
    assert found.thresholds == chosen(3.0).thresholds


def test_the_peak_stays_where_labelled_films_are_quiet_already() -> None:
    logits, crops = real_films(2.0)
    assert quieten(chosen(3.0), logits, crops, 0.7).peaks == chosen(3.0).peaks


def test_the_peak_does_not_rise_beyond_what_is_found() -> None:
    logits, crops = real_films(7.0, 5.0)  # what is false is surer than what is true
    assert quieten(chosen(3.0), logits, crops, 0.7).peaks == chosen(3.0).peaks
