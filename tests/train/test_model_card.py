"""What an evaluation says about a model stands in its card, once."""

from hoseg.train.model_card import with_evaluation

CARD = """# m

## What it was tested on

- nothing

## How to use it

- gently
"""


def row(value, low=None, high=None, n=10):
    return {"value": value, "low": low, "high": high, "n": n}


METRICS = {
    "counts": {"films_judged": 700},
    "figures": {
        "pelvis.dice_mean": {
            "all": row(0.98, 0.975, 0.985, 700),
            "data set: natural": row(0.99, 0.98, 0.995, 400),
            "data set: balanced": row(0.97, 0.96, 0.98, 300),
            "class: II": row(0.9),
        },
        "ho.lesion_f1": {"all": row(None), "data set: natural": row(0.8125, None, None, 7)},
    },
}


def test_a_column_for_each_data_set_and_one_for_all():
    text = with_evaluation(CARD, METRICS, "Seeds 1 and 2.")
    section = text[text.index("## Judged on 700 films") : text.index("## How to use it")]
    assert "Seeds 1 and 2." in section
    assert "| | balanced | natural | all |" in section
    assert (
        "| pelvis Dice, mean | 0.970 (0.960 to 0.980), 300 | 0.990 (0.980 to 0.995), 400 "
        "| 0.980 (0.975 to 0.985), 700 |"
    ) in section
    assert "| HO lesion F1 (from 0.25 cm²) | - | 0.812, 7 | - |" in section
    assert "femur" not in section
    assert text.startswith("# m\n\n## What it was tested on")
    assert text.endswith("- gently\n")


def test_a_second_evaluation_takes_the_place_of_the_first():
    once = with_evaluation(CARD, METRICS, "Old seeds.")
    again = with_evaluation(once, {**METRICS, "counts": {"films_judged": 60}}, "New seeds.")
    assert "Old seeds" not in again
    assert "700 films" not in again
    assert again.count("## Judged on") == 1
    assert again == with_evaluation(CARD, {**METRICS, "counts": {"films_judged": 60}}, "New seeds.")


def test_one_data_set_has_one_column():
    figures = {"pelvis.dice_mean": {"all": row(0.5, 0.4, 0.6)}}
    text = with_evaluation(CARD, {"counts": {"films_judged": 1}, "figures": figures}, "One.")
    assert "| | all |\n|---|---|\n" in text
