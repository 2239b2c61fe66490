import numpy as np
import pytest

from hoseg.errors import SettingError
from hoseg.grade.chances import read_class_model, write_class_model
from hoseg.segment.card import ModelCard
from hoseg.segment.card_text import card_text
from hoseg.train.classes import fit_class_model, held_out_probabilities

NAMES = ("suspect", "rooted")


def hips(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Hips whose class follows two numbers by known odds."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(count, 2)) * (2.0, 0.5) + (1.0, 3.0)
    odds = 1.5 * (values[:, :1] - 1) / 2 - (values[:, 1:] - 3) / 0.5 + np.array([2, 1, 0, -1])
    at_least = 1 / (1 + np.exp(-odds))
    return values, (rng.random((count, 1)) < at_least).sum(axis=1)


def test_known_odds_are_found_again() -> None:
    values, classes = hips(20_000)
    model = fit_class_model(values, classes, NAMES)
    assert np.array(model.weights) == pytest.approx(np.tile([1.5, -1.0], (4, 1)), abs=0.12)
    assert np.array(model.bias) == pytest.approx([2, 1, 0, -1], abs=0.1)
    assert model.shares == pytest.approx(np.bincount(classes) / 20_000, abs=1e-5)
    assert model.hips == 20_000


def test_probabilities_mean_what_they_say_on_films_that_were_not_fitted() -> None:
    values, classes = hips(6_000)
    chances = held_out_probabilities(values, classes, np.arange(6_000) // 2, NAMES)
    assert chances.sum(axis=1) == pytest.approx(1)
    for k in range(5):
        for low in (0.1, 0.3, 0.5):
            here = (chances[:, k] > low) & (chances[:, k] < low + 0.2)
            if here.sum() > 300:
                assert (classes[here] == k).mean() == pytest.approx(
                    chances[here, k].mean(), abs=0.06
                )


def test_a_class_with_too_few_hips_is_refused() -> None:
    values, classes = hips(500)
    classes[classes == 4] = 3
    classes[:9] = 4
    with pytest.raises(SettingError, match="hips of each class"):
        fit_class_model(values, classes, NAMES)


def test_the_readable_card_says_for_which_frequencies_they_hold() -> None:
    values, classes = hips(2_000)
    model = fit_class_model(values, classes, NAMES)
    plain = ModelCard(name="x", spacing_mm=0.7, architecture="hip_unet", sha256="0" * 64)
    card = plain.model_copy(update={"classes": write_class_model(model)})
    found = card_text(card)
    assert "2000 hips" in found
    assert all(f"{100 * share:.0f} %" in found for share in model.shares)
    assert found.index("## Class probabilities") < found.index("## Limits")
    assert "attachment.onnx" not in found
    taught = card.model_copy(update={"data": {"close_up_hips": 70, "close_up_ossifications": 77}})
    assert "70 hips" in card_text(taught)
    assert "77 ossifications" in card_text(taught)
    read_class_model(card.classes, "x")
