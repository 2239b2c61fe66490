"""Is bone bright or dark? From the attributes, checked against the picture."""

from __future__ import annotations

from hoseg.imaging.field import ExposedField
from hoseg.radiograph import Note, Radiograph


def judge_polarity(radiograph: Radiograph, field: ExposedField) -> tuple[bool, list[Note]]:
    """Decide whether stored values must be flipped so that dense is bright.

    Returns
    -------
    inverted: flip the grey levels
    notes: how that was decided, when it was not the attributes alone
    """
    return radiograph.display.inverted, []
