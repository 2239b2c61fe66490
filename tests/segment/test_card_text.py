"""``MODEL_CARD.md`` says what ``card.json`` and the weights say, and with which version."""

from pathlib import Path

import numpy as np
import pytest

from hoseg.segment.card import CARD, ModelCard, read_card
from hoseg.segment.card_text import TEXT, card_text
from hoseg.segment.weights import add_file, load_model, save_model

RELEASED = Path(__file__).resolve().parents[2] / "models" / "hip-sim-1"
BARE = ModelCard(name="x", spacing_mm=0.7, architecture="hip_unet", sha256="0" * 64)


def row(value, low=None, high=None, n=10):
    return {"value": value, "low": low, "high": high, "n": n}


EVALUATION = {
    "hoseg": "0.9.1",
    "films": 700,
    "about": "Seeds 1 and 2.",
    "figures": {
        "pelvis.dice_mean": {
            "all": row(0.98, 0.975, 0.985, 700),
            "natural": row(0.99, 0.98, 0.995, 400),
            "balanced": row(0.97, 0.96, 0.98, 300),
        },
        "ho.lesion_f1": {"all": row(None), "natural": row(0.8125, None, None, 7)},
    },
}


def with_metrics(**metrics) -> str:
    return card_text(BARE.model_copy(update={"metrics": metrics}))


def test_the_released_text_is_what_the_released_card_gives():
    model = load_model(RELEASED)
    text = (RELEASED / TEXT).read_text(encoding="utf-8")
    assert text == card_text(model.card)
    assert f"sha256 `{model.card.sha256}`" in text
    assert f"{sum(array.size for array in model.state.values()):,} numbers" in text


def test_a_saved_text_has_the_hash_and_the_size_of_its_weights(tmp_path):
    saved = save_model(tmp_path, BARE, {"a": np.zeros((3, 5), np.float16), "b": np.ones(4)})
    text = (tmp_path / TEXT).read_text(encoding="utf-8")
    assert "19 numbers" in text
    assert f"sha256 `{saved.sha256}`" in text
    assert "0" * 64 not in text
    assert text == card_text(read_card(tmp_path / CARD))


def test_the_text_follows_every_change_of_the_card(tmp_path):
    save_model(tmp_path, BARE, {"a": np.zeros(3)})
    card = add_file(tmp_path, "extra.onnx", b"x")
    assert (tmp_path / TEXT).read_text(encoding="utf-8") == card_text(card)


def test_words_do_not_change_the_fingerprint():
    told = BARE.model_copy(
        update={"notes": {"A": "b"}, "metrics": {"evaluation": EVALUATION}, "commit": "c"}
    )
    assert told.fingerprint == BARE.fingerprint
    assert BARE.model_copy(update={"sha256": "1" * 64}).fingerprint != BARE.fingerprint


def test_a_column_for_each_data_set_and_one_for_all():
    text = with_metrics(evaluation=EVALUATION)
    section = text[text.index("## Judged on 700 films") : text.index("## How to use it")]
    assert "Measured with hoseg 0.9.1." in section
    assert "Seeds 1 and 2." in section
    assert "| | balanced | natural | all |" in section
    assert (
        "| pelvis Dice, mean | 0.970 (0.960 to 0.980), 300 | 0.990 (0.980 to 0.995), 400 "
        "| 0.980 (0.975 to 0.985), 700 |"
    ) in section
    assert "| HO lesion F1 (from 0.25 cm²) | - | 0.812, 7 | - |" in section
    assert "femur" not in section


def test_one_data_set_has_one_column():
    figures = {"pelvis.dice_mean": {"all": row(0.5, 0.4, 0.6)}}
    assert "| | all |\n|---|---|\n" in with_metrics(evaluation=EVALUATION | {"figures": figures})


@pytest.mark.parametrize(
    ("thresholds", "sentence"),
    [
        ([0.5, 0.5, 0.5, 0.5], "The thresholds were chosen on the same films."),
        ([0.5, 0.5, 0.5, 0.6], "those below are newer"),
    ],
)
def test_quick_figures_say_whose_thresholds_they_have(thresholds, sentence):
    figures = {"dice_pelvis": 0.9833}
    quick = {"hoseg": "0.9.0", "films": 120, "thresholds": thresholds, "figures": figures}
    text = with_metrics(training=quick)
    assert "- dice pelvis: 0.9833" in text
    assert "Measured with hoseg 0.9.0 on 120 films" in text
    assert sentence in text


def test_what_is_not_known_is_left_out():
    text = card_text(BARE)
    for title in ("trained on", "Quick figures", "Judged", "Class probabilities"):
        assert title not in text
    assert "were chosen" not in text


def test_calibration_is_stated_with_its_films():
    chosen = {"hoseg": "0.9.0", "films": {"b": 450, "n": 260}, "most_false": 0.12}
    card = BARE.model_copy(
        update={
            "data": {"steps": 7, "calibration": chosen},
            "thresholds": (0.4, 0.5, 0.3, 0.6),
            "peaks": (None, None, None, 0.9),
        }
    )
    text = card_text(card)
    assert "| ossification | 1 | 0.6 | 0.9 |" in text
    assert "with hoseg 0.9.0 on\n710 films (450 b, 260 n),\nto leave at most 0.12 false" in text
    assert "- steps: 7\n" in text
    assert "- calibration" not in text


def test_the_text_says_what_a_second_look_asks():
    assert "at least 25% of seven variants" in " ".join(card_text(BARE).split())
    without = card_text(BARE.model_copy(update={"second_look": None}))
    assert "variants" not in without
    assert "filled.\n\n| structure" in without
