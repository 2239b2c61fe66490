"""Weighted statistics equal the plain ones on repeated rows, and other libraries' results."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from hoseg.evaluate import statistics as stats


def ones(n):
    return np.ones((1, n))


def counts(rng, rows, n):
    return rng.integers(0, 4, (rows, n)).astype(float)


@settings(max_examples=50)
@given(st.integers(0, 10_000), st.integers(1, 40))
def test_weights_are_repetitions(seed, n):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 10, n).astype(float)
    weights = counts(rng, 5, n)
    for row in weights:
        repeated = np.repeat(values, row.astype(int))
        got_median = stats.median(values, row[None])[0]
        got_mean = stats.mean(values, row[None])[0]
        got_sd = stats.deviation(values, row[None])[0]
        if len(repeated) == 0:
            assert np.isnan(got_median)
            assert np.isnan(got_mean)
            continue
        assert got_median == pytest.approx(np.median(repeated))
        assert got_mean == pytest.approx(repeated.mean())
        if len(repeated) > 1:
            assert got_sd == pytest.approx(repeated.std(ddof=1))
        else:
            assert np.isnan(got_sd)


@pytest.mark.parametrize("seed", range(5))
def test_sklearn_agrees(seed):
    rng = np.random.default_rng(seed)
    n = 80
    truth, predicted = rng.integers(0, 5, n), rng.integers(0, 5, n)
    predicted = np.where(rng.random(n) < 0.6, truth, predicted)
    scores = np.round(rng.random(n) + 0.4 * (truth > 2), 1)  # many ties
    for row in counts(rng, 4, n):
        matrix = stats.confusion(truth, predicted, 5, row[None])
        oracle = metrics.confusion_matrix(truth, predicted, labels=range(5), sample_weight=row)
        assert matrix[0] == pytest.approx(oracle)
        for power, name in ((0, None), (1, "linear"), (2, "quadratic")):
            expected = metrics.cohen_kappa_score(
                truth, predicted, labels=range(5), weights=name, sample_weight=row
            )
            assert stats.kappa(matrix, power)[0] == pytest.approx(expected)
        expected = metrics.roc_auc_score(truth > 2, scores, sample_weight=row)
        assert stats.auc(scores, truth > 2, row[None])[0] == pytest.approx(expected)
    fpr, tpr = stats.roc_curve(scores, truth > 2)
    oracle_fpr, oracle_tpr, _ = metrics.roc_curve(truth > 2, scores, drop_intermediate=False)
    assert fpr == pytest.approx(oracle_fpr)
    assert tpr == pytest.approx(oracle_tpr)
    assert np.trapezoid(tpr, fpr) == pytest.approx(stats.auc(scores, truth > 2, ones(n))[0])


def test_kappa_published_example():
    # Cohen's two-by-two textbook case: 20, 5, 10, 15 give 0.4.
    assert stats.kappa(np.array([[[20.0, 5], [10, 15]]]), 0)[0] == pytest.approx(0.4)


def test_kappa_is_undefined_when_only_one_class_is_used():
    matrix = np.zeros((1, 5, 5))
    matrix[0, 1, 1] = 9
    assert np.isnan(stats.kappa(matrix, 2)[0])


def test_auc_known_and_undefined():
    assert stats.auc([1, 2, 3, 4], [0, 0, 1, 1], ones(4))[0] == 1
    assert stats.auc([4, 3, 2, 1], [0, 0, 1, 1], ones(4))[0] == 0
    assert stats.auc([1, 1, 1, 1], [0, 0, 1, 1], ones(4))[0] == 0.5
    assert np.isnan(stats.auc([1, 2], [1, 1], ones(2))[0])


def test_within():
    assert stats.within([0, 1, 2, 3], [0, 2, 4, 3], 0, ones(4))[0] == 0.5
    assert stats.within([0, 1, 2, 3], [0, 2, 4, 3], 1, ones(4))[0] == 0.75


def test_f1_rules():
    truth = np.array([1, 1, 1, 0, 0], bool)
    hit = np.array([1, 1, 0, 1, 0], bool)
    # sensitivity 2/3, precision 1/2
    assert stats.f1(truth, ~truth, hit, ones(5))[0] == pytest.approx(4 / 7)
    assert stats.f1(truth[:3], ~truth[:3], np.zeros(3, bool), ones(3))[0] == 0
    assert np.isnan(stats.f1(truth[3:], ~truth[3:], hit[3:], ones(2))[0])


def test_calibration_known():
    p = np.array([0.95, 0.95, 0.95, 0.95, 0.15, 0.15])
    y = np.array([1, 1, 1, 0, 0, 0])
    sums = stats.calibration_sums(p, y, 10)
    # |3.8 - 3| + |0.3 - 0| over 6
    assert stats.calibration_error(sums, ones(6))[0] == pytest.approx(1.1 / 6)
    assert sums[0, 9].tolist() == [1, 0.95, 1]
    assert stats.calibration_sums([1.0], [1], 10)[0, 9, 0] == 1  # 1.0 falls in the last bin


def test_perfectly_calibrated_is_near_zero():
    rng = np.random.default_rng(0)
    p = rng.random(20_000)
    y = rng.random(20_000) < p
    assert stats.calibration_error(stats.calibration_sums(p, y, 10), ones(20_000))[0] < 0.02


def test_risk_coverage_known():
    confidence, wrong = np.array([0.9, 0.8, 0.7, 0.6]), np.array([0, 0, 1, 1])
    coverage, risk = stats.risk_coverage(confidence, wrong, ones(4))
    assert coverage[0] == pytest.approx([0.25, 0.5, 0.75, 1])
    assert risk[0] == pytest.approx([0, 0, 1 / 3, 1 / 2])
    assert stats.risk_area(confidence, wrong, ones(4))[0] == pytest.approx((1 / 3 + 1 / 2) / 4)


def test_equal_confidence_gives_the_overall_error():
    wrong = np.array([1, 0, 0, 1, 0])
    assert stats.risk_area(np.full(5, 0.5), wrong, ones(5))[0] == pytest.approx(0.4)


def test_share_without_denominator_is_undefined():
    assert np.isnan(stats.share([0, 0], [0, 0], ones(2))[0])
