"""Is bone bright or dark? What the attributes say, checked against the picture.

Bone has thin dense shells: whichever way the film goes, its fine ridges are denser than what lies
beside them. The share by which fine bright ridges outweigh fine dark ones is therefore positive
when dense is bright. Attributes and picture are weighed as odds.
"""

from __future__ import annotations

from math import exp

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.radiograph import Note, Radiograph

_RIDGE_PX = (5, 9)  # on the thumbnail, about 5 and 9 mm on a pelvis film
_LOGIT_OF_RIDGES = 60.0  # log odds for each unit of the ridge score, measured on real films
_LARGEST_LOGIT = 4.5  # what the picture alone may claim
_LOGIT_OF_ATTRIBUTES = 3.5  # a radiograph that states its photometric interpretation
_LOGIT_OF_FLUOROSCOPY = 0.5  # fluoroscopy shows bones dark as often as bright
_LOGIT_OF_SIGN = 2.5  # Pixel Intensity Relationship Sign, when it agrees or disagrees
_LOGIT_OF_PICTURE = 1.0  # a PNG without attributes: mostly exported as shown
_CERTAIN = 0.985  # below, it is worth to ask the network both ways round


def judge_polarity(
    radiograph: Radiograph, picture: NDArray[np.float32], field: NDArray[np.bool_]
) -> tuple[bool, tuple[Note, ...]]:
    """Decide whether stored values must be flipped so that dense is bright.

    Parameters
    ----------
    radiograph: for its attributes
    picture: (h, w) float32 thumbnail of its pixels
    field: (h, w) bool, True where exposed

    Returns
    -------
    inverted: flip the grey levels
    notes: ``polarity_flipped`` when the picture overruled the attributes, ``polarity_uncertain``
        when neither is convincing and the network should be asked; both with the confidence
    """
    stated = radiograph.display.inverted
    score = ridge_score(-picture if stated else picture, field)
    for_picture = float(np.clip(_LOGIT_OF_RIDGES * score, -_LARGEST_LOGIT, _LARGEST_LOGIT))
    logit = _prior(radiograph) + for_picture
    inverted = stated if logit >= 0 else not stated
    confidence = 1 / (1 + exp(-abs(logit)))
    notes: tuple[Note, ...] = ()
    if inverted != stated:
        text = f"Bones look dark as stated, so the grey levels are flipped (p = {confidence:.2f})."
        notes = (Note("polarity_flipped", text),)
    if confidence < _CERTAIN:
        text = f"Whether bones are bright or dark is not certain (p = {confidence:.2f})."
        notes += (Note("polarity_uncertain", text),)
    return inverted, notes


def _prior(radiograph: Radiograph) -> float:
    """Return the log odds that the attributes are right, before looking at the picture."""
    attributes = radiograph.attributes
    if not attributes.photometric.startswith("MONOCHROME"):
        return _LOGIT_OF_PICTURE
    fluoroscopy = attributes.modality in ("XA", "RF")
    logit = _LOGIT_OF_FLUOROSCOPY if fluoroscopy else _LOGIT_OF_ATTRIBUTES
    if attributes.intensity_sign:
        dense_is_high = attributes.intensity_sign < 0
        agrees = dense_is_high != radiograph.display.inverted
        logit += _LOGIT_OF_SIGN if agrees else -_LOGIT_OF_SIGN
    return logit


def ridge_score(picture: NDArray[np.float32], field: NDArray[np.bool_]) -> float:
    """Return by how much fine bright ridges outweigh fine dark ones, -1 to 1.

    Parameters
    ----------
    picture: (h, w) float32
    field: (h, w) bool, True where exposed; its rim and saturated pixels are left out
    """
    low, high = float(picture.min()), float(picture.max())
    margin = 0.01 * (high - low)
    use = (picture > low + margin) & (picture < high - margin) & field
    use = cv2.erode(use.astype(np.uint8), np.ones((9, 9), np.uint8), borderValue=0) > 0
    if np.count_nonzero(use) < 0.02 * use.size:
        return 0.0
    scores = []
    for size in _RIDGE_PX:
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
        bright = float(cv2.morphologyEx(picture, cv2.MORPH_TOPHAT, disc)[use].mean())
        dark = float(cv2.morphologyEx(picture, cv2.MORPH_BLACKHAT, disc)[use].mean())
        scores.append((bright - dark) / (bright + dark) if bright + dark > 0 else 0.0)
    return float(np.mean(scores))
