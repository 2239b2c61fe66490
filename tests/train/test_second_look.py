"""What a second look asks follows from the true pieces that may be lost."""

from __future__ import annotations

import shutil

import cv2
import numpy as np
import pytest

from hoseg.datasets.labelled import LabelledImage
from hoseg.errors import SettingError
from hoseg.imaging.prepare import restore
from hoseg.infer.second_look import VARIANTS, second_look_of
from hoseg.radiograph import Radiograph, Segmentation, Spacing, SpacingSource, Structure
from hoseg.segment.card import read_card
from hoseg.train import second_look
from hoseg.train.second_look import Agreement, LookedAt, choose, fit_second_look, look_at

PER = len(VARIANTS)


def looked(true: list[int], false: list[int]) -> LookedAt:
    """Pieces by the number of variants that confirm them, and two that are neither."""
    confirmed = np.array([*true, *false, 0, 0]) / PER
    return LookedAt(confirmed, np.array([0.9] * len(true) + [0.0] * len(false) + [0.1, 0.2]))


@pytest.mark.parametrize(
    ("true", "expected"),
    [
        pytest.param([7] * 200, Agreement(0.929, 200, 0, 4, 3), id="all sure: ask all"),
        pytest.param([2] * 6 + [7] * 194, Agreement(0.929, 200, 6, 4, 3), id="3 % may go"),
        pytest.param([2] * 7 + [7] * 193, Agreement(0.214, 200, 0, 4, 1), id="no more than that"),
        pytest.param([0] * 7 + [7] * 193, Agreement(None, 200, 0, 4, 0), id="nothing can be asked"),
    ],
)
def test_as_much_is_asked_as_true_pieces_allow(true, expected):
    assert choose(looked(true, [0, 2, 6, 7])) == expected


def test_too_few_true_pieces_say_nothing():
    with pytest.raises(SettingError, match=r"99.*at least 100"):
        choose(looked([7] * 99, [0] * 300))


class Bright:
    """Calls ossification what is bright, but sees nothing in films that are larger than the first.

    Of the variants that is the one that is scaled by 1.18 and the two that are turned.
    """

    spacing_mm = 0.5
    label = "bright@0"

    def predict(self, films):
        found = []
        for film in films:
            planes = np.zeros((4, *film.pixels.shape), np.uint8)
            if film.pixels.size <= 300 * 300:
                planes[3] = np.where(film.pixels > 2, np.uint8(200), np.uint8(20)) * film.field
            found.append(Segmentation(restore(planes, film), planes, film.grid, self.label))
        return found


def test_pieces_are_counted_against_the_masks():
    rng = np.random.default_rng(0)
    pixels = rng.uniform(95, 105, (300, 300)).astype(np.float32)
    masks = np.zeros((300, 300), np.uint8)
    for column, true in ((100, True), (200, False)):
        cv2.circle(pixels, (column, 150), 12, 160, -1)
        if true:
            cv2.circle(masks, (column, 150), 12, int(Structure.OSSIFICATION), -1)
    spacing = Spacing(0.5, 0.5, 0.0, SpacingSource.USER)
    film = LabelledImage("a", "p", Radiograph(pixels, "film", spacing), masks)
    pieces = look_at(Bright(), [film], 128)
    assert pieces.truth == pytest.approx([1, 0], abs=0.1)
    np.testing.assert_allclose(pieces.confirmed, 4 / PER)


def test_the_card_keeps_what_was_chosen_and_on_what(tiny_model, tmp_path, monkeypatch):
    pytest.importorskip("torch")
    folder = tmp_path / "tiny"
    shutil.copytree(tiny_model, folder)
    before = read_card(folder / "card.json")
    found = looked([4] * 3 + [6] * 197, [1, 7])
    monkeypatch.setattr(second_look, "look_at", lambda *_: found)
    fit_second_look(folder, [])
    after = read_card(folder / "card.json")
    assert after.second_look == second_look_of([after]).agreement == 0.786
    facts = after.data["second_look"]
    assert (facts["true"], facts["true_lost"], facts["false_set_aside"]) == (200, 3, 1)
    assert after.fingerprint != before.fingerprint
    assert after.sha256 == before.sha256
    text = " ".join((folder / "MODEL_CARD.md").read_text(encoding="utf-8").split())
    assert "of 200 true pieces it sets aside 3, of 2 false ones 1." in text
