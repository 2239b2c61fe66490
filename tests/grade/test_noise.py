"""A mask of pure noise is graded or refused in bounded work, whatever the size of its grains."""

import cv2
import numpy as np
import pytest

from hoseg.grade import grade_masks
from hoseg.grade.circle import MAX_CIRCLES, MAX_POINTS, candidates
from hoseg.grade.outlines import MAX_OUTLINES, trace_outlines
from hoseg.radiograph import Geometry, Spacing, SpacingSource


def grains(size_px, bits=4, shape=(320, 300)):
    rng = np.random.default_rng(0)
    mask = np.zeros(shape, np.uint8)
    for bit in range(bits):
        noise = cv2.GaussianBlur(rng.normal(size=shape).astype(np.float32), (0, 0), size_px)
        mask |= (noise > 0).astype(np.uint8) << bit
    return mask


@pytest.mark.parametrize("size_px", [0.6, 2.0, 6.0])
def test_noise_gives_findings_or_reasons(size_px):
    geometry = Geometry(Spacing(0.6, 0.6, 0.03, SpacingSource.USER))
    findings = grade_masks(grains(size_px), geometry, draws=20)
    assert findings
    assert all(finding.brooker is not None or finding.abstained for finding in findings)


def test_only_the_largest_outlines_are_traced():
    mask = grains(0.6, bits=1)
    assert cv2.connectedComponents(mask)[0] > 2 * MAX_OUTLINES
    outlines = trace_outlines(mask, 0.6)
    assert len(outlines) == MAX_OUTLINES


def test_endless_outlines_are_thinned():
    angle = np.linspace(0, 40 * np.pi, 10 * (MAX_POINTS + MAX_CIRCLES))
    spiral = np.stack([angle * np.cos(angle), angle * np.sin(angle)], axis=1)
    assert all(c.coverage <= 1 for c in candidates(spiral, (5.0, 40.0)))
