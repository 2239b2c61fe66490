"""Ossification is kept where variants of the film confirm it, and only there."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from hoseg.imaging.prepare import restore
from hoseg.imaging.reading import Reading
from hoseg.infer import second_look
from hoseg.infer.predictor import Options, Predictor
from hoseg.infer.second_look import VARIANTS, SecondLook, agreement, look_again, second_look_of
from hoseg.radiograph import Prepared, Radiograph, Segmentation, Structure
from hoseg.segment.card import ModelCard

from .samples import make_film

HALVES = (0.5, 0.5, 0.5, 0.5)
WANTED = SecondLook(0.67, HALVES)
CARD = ModelCard(name="a", spacing_mm=0.5, architecture="hip_unet", sha256="0" * 64)


class BrightParts:
    """Calls ossification what is bright; what it thinks at a place depends on nothing else.

    blind: films, by their number, in which it sees nothing
    """

    spacing_mm = 0.5
    label = "bright@0"

    def __init__(self, blind: tuple[int, ...] = ()) -> None:
        self.blind = blind
        self.films: list[Prepared] = []

    def predict(self, films):
        answers = []
        for film in films:
            planes = np.zeros((4, *film.pixels.shape), np.uint8)
            if len(self.films) not in self.blind:
                planes[3] = np.where(film.pixels > 2, np.uint8(200), np.uint8(20)) * film.field
            self.films.append(film)
            answers.append(Segmentation(restore(planes, film), planes, film.grid, "bright@0"))
        return answers


def film_with(*discs: tuple[int, int, int], shape: tuple[int, int] = (300, 360)) -> Prepared:
    """A quiet film with bright discs (row, column, radius)."""
    film = make_film(shape, (2 * shape[0], 2 * shape[1]))
    pixels = film.pixels * np.float32(0.3)
    for row, column, radius in discs:
        cv2.circle(pixels, (column, row), radius, 4.0, -1)
    return replace(film, pixels=cv2.GaussianBlur(pixels, (0, 0), 1.5))


def reading_of(prepared: Prepared) -> Reading:
    (found,) = BrightParts().predict([prepared])
    noise = np.random.default_rng(1).normal(0, 0.1, prepared.original_shape)
    pixels = cv2.resize(prepared.pixels, prepared.original_shape[::-1]) + noise
    return Reading(Radiograph(pixels, "film"), prepared, found)


WHOLE = (slice(0, 300), slice(0, 360))
TWO = film_with((60, 70, 14), (220, 200, 9))


def test_what_every_variant_shows_is_found_where_it_lies():
    reading, network = reading_of(TWO), BrightParts()
    found = second_look.pieces(reading.segmentation.probabilities[3] >= 128)
    assert len(found) == 2
    np.testing.assert_array_equal(agreement(network, TWO, found), [1, 1])
    assert len(network.films) == len(VARIANTS)
    kept = look_again(network, reading, WANTED)
    np.testing.assert_array_equal(kept.segmentation.masks, reading.segmentation.masks)
    assert "all 2 pieces" in kept.prepared.notes[-1].text


def test_pieces_far_from_each_other_are_looked_at_apart():
    far = film_with((150, 40, 10), (150, 60, 9), (150, 800, 9), shape=(300, 900))
    found = second_look.pieces(reading_of(far).segmentation.probabilities[3] >= 128)
    assert len(found) == 2  # the first two touch
    windows = second_look._windows(far, found)
    network = BrightParts()
    np.testing.assert_array_equal(agreement(network, far, found), [1, 1])
    assert len(network.films) == len(windows) * len(VARIANTS) == 14
    assert all(film.pixels.shape[1] < 1.3 * 360 for film in network.films)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_way_back_is_exact(variant):
    seen, way = second_look._seen(TWO, WHOLE, replace(variant, gamma=1.0))
    back = cv2.warpAffine(seen.pixels, way, TWO.pixels.shape[::-1], flags=cv2.WARP_INVERSE_MAP)
    inner = np.s_[5:-5, 5:-5]
    assert np.abs(back[inner] - TWO.pixels[inner]).mean() < 0.05


@pytest.mark.parametrize(("blind", "kept"), [((0, 3), True), ((0, 3, 5), False)])
def test_a_piece_needs_the_share_of_variants_that_the_card_asks(blind, kept):
    reading = reading_of(TWO)
    again = look_again(BrightParts(blind), reading, WANTED)
    assert again.segmentation.masks.any() == kept
    assert (again.segmentation.probabilities[3].max() >= 128) == kept
    note = again.prepared.notes[-1]
    assert note.code == second_look.SECOND_LOOK
    assert ("2 of 2 pieces" in note.text) != kept


def test_only_the_piece_that_is_not_confirmed_goes():
    faint = np.zeros((300, 360), bool)
    faint[205:236, 184:216] = True

    class Doubtful(BrightParts):
        def predict(self, films):
            return [self._forget(answer) for answer in super().predict(films)]

        @staticmethod
        def _forget(found: Segmentation) -> Segmentation:
            count, labels, stats, _ = cv2.connectedComponentsWithStats(found.masks)
            for label in range(1, count):
                if stats[label, 4] < 400 * 1.18**2:
                    found.masks[labels == label] = 0
            return found

    reading = reading_of(TWO)
    looked = look_again(Doubtful(), reading, WANTED)
    assert "1 of 2 pieces" in looked.prepared.notes[-1].text
    again = looked.segmentation
    before = reading.segmentation
    assert not again.masks[410:472, 368:432].any()
    np.testing.assert_array_equal(again.masks[:400], before.masks[:400])
    np.testing.assert_array_equal(again.probabilities[:3], before.probabilities[:3])
    away = ~cv2.dilate(faint.astype(np.uint8), np.ones((9, 9))).astype(bool)
    np.testing.assert_array_equal(again.probabilities[3][away], before.probabilities[3][away])


def test_a_film_without_ossification_is_not_looked_at_again():
    network, reading = BrightParts(), reading_of(film_with())
    assert look_again(network, reading, WANTED) is reading
    assert not network.films


def test_letters_are_no_ossification():
    film = film_with((220, 200, 15))
    letter = np.zeros(film.pixels.shape, np.uint8)
    cv2.putText(letter, "R", (30, 80), cv2.FONT_HERSHEY_SIMPLEX, 1.0, 255, 2)
    pixels = np.where(letter > 0, np.float32(4), film.pixels)
    reading = reading_of(replace(film, pixels=pixels))
    stored = reading.radiograph.pixels.copy()
    written = cv2.resize(letter, stored.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
    stored[written] = 4
    reading = replace(reading, radiograph=Radiograph(stored, "film"))
    again = look_again(BrightParts(), reading, WANTED).segmentation
    assert reading.segmentation.masks[:200].any()
    assert not again.masks[:200].any()
    assert (again.masks[400:480] == reading.segmentation.masks[400:480]).all()


def test_the_card_asks_and_several_cards_ask_together():
    assert second_look_of([CARD]) == SecondLook(0.25, HALVES)
    other = CARD.model_copy(update={"second_look": 0.87, "thresholds": (0.5, 0.5, 0.5, 0.3)})
    both = second_look_of([CARD, other])
    assert both.agreement == pytest.approx(0.56)
    assert both.thresholds == pytest.approx((0.5, 0.5, 0.5, 0.4))
    assert second_look_of([CARD, CARD.model_copy(update={"second_look": None})]) is None
    assert second_look_of([]) is None
    assert other.fingerprint != CARD.fingerprint


@pytest.mark.parametrize("runtime", ["onnx", "torch"])
def test_variants_pass_through_any_runtime(model, runtime):
    pytest.importorskip("torch")
    predictor = Predictor(model, "cpu", runtime, Options(gate=False))
    film = make_film()
    found = predictor.predict([film])[0]
    drawn = found.probability(Structure.OSSIFICATION) >= 128
    shares = agreement(predictor, film, second_look.pieces(drawn))
    assert shares.size
    assert set(np.round(shares * len(VARIANTS), 6)) <= set(range(len(VARIANTS) + 1))
