"""Compare what the grading says of a phantom with what it was built to be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hoseg.grade import grade_masks
from hoseg.radiograph import Geometry, Orientation, Side, Spacing, SpacingSource

from .phantoms import distance, make_phantom


@dataclass(frozen=True)
class Row:
    """One hip. ``pixel_mm`` is the larger spacing; ``gap_error_mm`` nan where there is no gap."""

    seed: int
    kind: str
    implant: str
    pixel_mm: float
    clear: bool
    expected: int
    found: int | None
    abstained: str | None
    side_right: bool
    della_right: bool
    gap_mm: float
    gap_error_mm: float
    attachments: tuple[bool, ...]
    sites: tuple[bool, ...]

    @property
    def gap_good(self):
        return abs(self.gap_error_mm) <= max(0.5, self.pixel_mm)


def grade_phantom(phantom, **options):
    spacing = Spacing(*phantom.spacing_mm, 0.0, SpacingSource.USER)
    orientation = Orientation(columns=Side(phantom.columns_to), source="attribute")
    return grade_masks(phantom.masks, Geometry(spacing, orientation=orientation), **options)


def compare(seed):
    """Rows of one phantom; a wrong number of hips gives rows without a class."""
    phantom = make_phantom(seed)
    findings = grade_phantom(phantom, draws=0)
    rows = []
    for index, truth in enumerate(phantom.hips):
        finding = findings[index] if len(findings) == len(phantom.hips) else None
        rows.append(_row(seed, phantom, truth, finding))
    return rows


def _row(seed, phantom, truth, finding):
    attachments, sites = [], []
    gap_error = np.nan
    if finding is not None:
        if finding.gap_mm is not None and 0 < truth.gap_mm < 1e3:
            gap_error = finding.gap_mm - truth.gap_mm
        for i, item in enumerate(truth.lesions):
            others = [o.shape for o in truth.lesions if o is not item]
            if others and distance(item.shape, others) < 2 * max(phantom.spacing_mm):
                continue  # one component of two shapes has no truth of its own
            centre = item.shape.boundary(0.5).mean(axis=0)[::-1]
            component = min(
                (c for c in finding.components if c.graded),
                key=lambda c: np.hypot(*(c.centroid_px * np.array(phantom.spacing_mm) - centre)),
                default=None,
            )
            attachments.append(component is not None and set(component.attached_to) == item.on)
            found = set() if component is None else set(component.sites)
            sites.append(truth.sites[i] <= found <= (truth.maybe_sites[i] | truth.sites[i]))
    return Row(
        seed,
        truth.kind,
        truth.implant,
        max(phantom.spacing_mm),
        truth.clear,
        truth.brooker,
        None if finding is None else finding.brooker,
        "wrong number of hips" if finding is None else finding.abstained,
        finding is not None and finding.side == truth.side,
        finding is not None and finding.della_valle == truth.della_valle,
        truth.gap_mm,
        float(gap_error),
        tuple(attachments),
        tuple(sites),
    )
