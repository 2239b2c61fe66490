"""Bright bones stay, dark bones are flipped, and the confidence is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hoseg.imaging.field import make_thumbnail
from hoseg.imaging.polarity import ridge_score
from hoseg.imaging.prepare import locate
from hoseg.radiograph import Attributes, Display, Radiograph

from .films import pelvis_like


def film(*, dark_bones: bool, seed: int = 0, **changes: object) -> Radiograph:
    pixels = pelvis_like((800, 640), seed)
    if dark_bones:
        pixels = (4095 - pixels).astype(np.uint16)
    return replace(Radiograph(pixels, "f"), **changes)


@pytest.mark.parametrize("seed", range(4))
def test_picture_alone_decides_for_a_png(seed):
    assert not locate(film(dark_bones=False, seed=seed))[1]
    _, inverted, notes = locate(film(dark_bones=True, seed=seed))
    assert inverted
    (note,) = [n for n in notes if n.code == "polarity_flipped"]
    assert note.code == "polarity_flipped"
    assert "p = 0." in note.text


def test_score_changes_sign_with_the_picture():
    picture = make_thumbnail(pelvis_like((800, 640)))
    field = np.ones(picture.shape, bool)
    assert ridge_score(picture, field) == pytest.approx(-ridge_score(-picture, field), abs=1e-3)
    assert ridge_score(picture, np.zeros(picture.shape, bool)) == 0


def test_attributes_are_followed_when_they_agree():
    facts = Attributes(photometric="MONOCHROME1", modality="DX")
    radiograph = film(dark_bones=True, attributes=facts, display=Display(inverted=True))
    _, inverted, notes = locate(radiograph)
    assert inverted
    assert not [n for n in notes if n.code.startswith("polarity")]


def test_weak_picture_does_not_overrule_attributes():
    noise = np.random.default_rng(0).normal(2000, 100, (400, 400)).astype(np.uint16)
    facts = Attributes(photometric="MONOCHROME1", modality="CR")
    radiograph = Radiograph(noise, "f", attributes=facts, display=Display(inverted=True))
    assert locate(radiograph)[1]


def test_noise_without_attributes_is_uncertain():
    noise = np.random.default_rng(0).normal(2000, 100, (400, 400)).astype(np.uint16)
    _, inverted, notes = locate(Radiograph(noise, "f"))
    assert not inverted
    assert "polarity_uncertain" in {n.code for n in notes}


def test_fluoroscopy_is_judged_by_its_picture():
    facts = Attributes(photometric="MONOCHROME2", modality="RF")
    assert locate(film(dark_bones=True, attributes=facts))[1]
    assert not locate(film(dark_bones=False, attributes=facts))[1]
