"""The interval covers, widens with clustering, and repeats with its seed."""

from functools import partial

import numpy as np
import pytest

from hoseg.errors import SettingError
from hoseg.evaluate import statistics as stats
from hoseg.evaluate.bootstrap import Resamples, estimate


def interval(values, patient, seed=0, repeats=1000):
    resamples = Resamples.draw(int(patient.max()) + 1, repeats, np.random.default_rng(seed))
    return estimate(partial(stats.mean, values), patient, resamples)


def test_every_resample_draws_as_many_patients():
    drawn = Resamples.draw(40, 200, np.random.default_rng(1)).counts
    assert (drawn.sum(axis=1) == 40).all()


def test_same_seed_same_interval():
    values = np.random.default_rng(3).random(50)
    assert interval(values, np.arange(50), 5) == interval(values, np.arange(50), 5)
    assert interval(values, np.arange(50), 5) != interval(values, np.arange(50), 6)


def test_width_is_that_of_the_standard_error():
    values = np.random.default_rng(0).standard_normal(400)
    found = interval(values, np.arange(400), repeats=4000)
    expected = 2 * 1.96 * values.std() / np.sqrt(400)
    assert found.high - found.low == pytest.approx(expected, rel=0.06)
    assert found.low < found.value < found.high


def test_clusters_widen_the_interval():
    rng = np.random.default_rng(0)
    values = np.repeat(rng.standard_normal(50), 8)  # eight copies of one film a patient
    clustered = interval(values, np.repeat(np.arange(50), 8))
    naive = interval(values, np.arange(400))
    ratio = (clustered.high - clustered.low) / (naive.high - naive.low)
    assert ratio == pytest.approx(np.sqrt(8), rel=0.1)
    assert (clustered.n, clustered.patients) == (400, 50)


def test_coverage_is_near_nominal():
    rng = np.random.default_rng(11)
    hits = 0
    for _ in range(200):
        values = np.repeat(rng.standard_normal(40), 2) + 0.3 * rng.standard_normal(80)
        found = interval(values, np.repeat(np.arange(40), 2), rng.integers(1 << 30), 400)
        hits += found.low <= 0 <= found.high
    assert 0.88 <= hits / 200 <= 0.99


@pytest.mark.parametrize(
    ("value", "events", "low", "high"),
    [
        (0, "share", 0, 0.3085),  # Clopper-Pearson, 0 and 10 of 10
        (1, "share", 0.6915, 1),
        (0, "count", 0, 0.3689),  # Poisson, no event in ten
        (1, "count", 1, 1),
        (0, "", 0, 0),
    ],
)
def test_events_that_nobody_or_everybody_showed_keep_an_interval(value, events, low, high):
    values, patient = np.full(20, float(value)), np.repeat(np.arange(10), 2)
    resamples = Resamples.draw(10, 100, np.random.default_rng(0))
    found = estimate(partial(stats.mean, values), patient, resamples, events)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4)


def test_no_rows_and_one_patient():
    resamples = Resamples.draw(1, 100, np.random.default_rng(0))
    nothing = estimate(partial(stats.mean, np.zeros(0)), np.zeros(0, int), resamples)
    assert (nothing.value, nothing.low, nothing.n) == (None, None, 0)
    single = estimate(partial(stats.mean, np.array([1.0, 3])), np.zeros(2, int), resamples)
    assert (single.value, single.low, single.high) == (2, None, None)


def test_undefined_statistic_has_no_value():
    resamples = Resamples.draw(5, 100, np.random.default_rng(0))
    found = estimate(partial(stats.auc, np.arange(5.0), np.ones(5, bool)), np.arange(5), resamples)
    assert found.value is None


def test_no_interval_when_mostly_undefined():
    # One positive among 3 patients: about 30 % of resamples lack it; of 2 in 40, few do.
    resamples = Resamples.draw(2, 400, np.random.default_rng(0))
    statistic = partial(stats.auc, np.array([0.0, 1]), np.array([False, True]))
    found = estimate(statistic, np.arange(2), resamples)  # defined in half of resamples at most
    assert found.value == 1
    assert found.low is None or found.low == 1


def test_blocks_do_not_change_the_result(monkeypatch):
    values = np.random.default_rng(3).random(64)
    whole = interval(values, np.arange(64))
    monkeypatch.setattr("hoseg.evaluate.bootstrap._BLOCK", 640)
    assert interval(values, np.arange(64)) == whole


def test_repeats_must_be_positive():
    with pytest.raises(SettingError, match="bootstrap"):
        Resamples.draw(3, 0, np.random.default_rng(0))
