"""The oracle: hips of analytic shapes, graded."""

import numpy as np
import pytest

from .oracle import compare


def check(rows):
    clear = [row for row in rows if row.clear]
    wrong = [row for row in clear if row.found != row.expected or not row.della_right]
    assert not wrong
    assert all(row.side_right for row in clear)
    gaps = [row.gap_good for row in clear if np.isfinite(row.gap_error_mm)]
    assert len(gaps) > 10
    assert np.mean(gaps) >= 0.99
    assert np.mean([x for row in clear for x in row.attachments]) >= 0.99
    assert np.mean([x for row in clear for x in row.sites]) >= 0.99


def test_a_sample_of_phantoms():
    check([row for seed in range(10_000, 10_080) for row in compare(seed)])


@pytest.mark.slow
def test_many_phantoms():
    check([row for seed in range(20_000, 20_600) for row in compare(seed)])
