"""Figures and strata on a few made-up cases whose answers are plain."""

from dataclasses import replace

import numpy as np
import pytest

from hoseg.evaluate.case import CaseScore, HipScore
from hoseg.evaluate.figures import film_has_ho, hip_has_ho, lookup, summarise
from hoseg.evaluate.lesions import Lesion
from hoseg.evaluate.overlap import Overlap
from hoseg.radiograph import Side, View


def lesion(origin, matched, area=60.0, over_bone=False):
    return Lesion(origin, area, over_bone, matched, (0.0, 0.0))


def film(i, ho_mm2=0.0, lesions=(), hip=None, **more):
    dice = {"ossification": 0.5 if ho_mm2 else None, "pelvis": 0.9 + i / 100, "femur": 0.9}
    overlaps = tuple(
        Overlap(name, ho_mm2 if name == "ossification" else 100.0, 0.0, value)
        for name, value in dice.items()
    )
    hip = hip or HipScore(Side.LEFT, 0, predicted=0, true_ho_mm2=ho_mm2)
    return CaseScore(
        f"f{i}",
        f"p{i}",
        overlaps=overlaps,
        lesions=tuple(lesions),
        lesion_hips=(0,) * len(lesions),
        hips=(hip,),
        **more,
    )


def value(cases, name, stratum="all"):
    found = lookup(summarise(cases, np.random.default_rng(0), repeats=50), name, stratum)
    return None if found is None else found.estimate.value


def test_means_are_over_films_where_the_structure_is():
    cases = [film(0), film(1, 200.0), film(2)]
    assert value(cases, "pelvis.dice_mean") == pytest.approx(0.91)
    assert value(cases, "ossification.dice_mean") == 0.5
    assert value(cases, "implant.dice_mean") is None


def test_false_lesions_per_film_with_and_without_ho():
    wrong = lesion("predicted", False)
    cases = [film(0, lesions=[wrong] * 3), film(1), film(2, 200.0, [wrong, lesion("truth", True)])]
    assert value(cases, "ho.false_per_image") == pytest.approx(4 / 3)
    assert value(cases, "ho.false_per_image_without_ho") == pytest.approx(1.5)
    assert value(cases, "ho.films_without_ho_kept_clean") == pytest.approx(0.5)
    assert value(cases, "ho.false_off_bone_per_image") == pytest.approx(4 / 3)
    assert value(cases, "ho.false_over_bone_per_image") == 0
    assert value(cases, "ho.false_under_1cm2_per_image") == pytest.approx(4 / 3)
    assert value(cases, "ho.false_1_to_5cm2_per_image") == 0


def test_lesion_figures_by_place_and_size():
    rows = [
        lesion("truth", True),
        lesion("truth", False, over_bone=True),
        lesion("truth", True, area=600.0),
        lesion("predicted", True),
        lesion("predicted", False),
    ]
    cases = [film(0, 700.0, rows), film(1)]
    assert value(cases, "ho.lesion_sensitivity") == pytest.approx(2 / 3)
    assert value(cases, "ho.lesion_precision") == pytest.approx(1 / 2)
    assert value(cases, "ho.lesion_f1") == pytest.approx(4 / 7)
    assert value(cases, "ho.lesion_sensitivity", "place: over bone") == 0
    assert value(cases, "ho.lesion_sensitivity", "place: off bone") == 1
    assert value(cases, "ho.lesion_sensitivity", "size: HO >= 5 cm2") == 1
    assert value(cases, "ho.lesion_sensitivity", "size: HO < 1 cm2") == 0.5


def test_median_ho_dice_is_over_hips_with_1_cm2():
    hips = [HipScore(Side.LEFT, 1, true_ho_mm2=a, ho_dice=d) for a, d in
            ((100.0, 0.6), (99.9, 0.1), (300.0, 0.8), (900.0, 0.9))]  # fmt: skip
    cases = [film(i, hip=hip) for i, hip in enumerate(hips)]
    assert value(cases, "ho.dice_median_hips_1cm2") == pytest.approx(0.8)


def hip(truth, predicted, sure=0.8, **more):
    p = np.full(5, (1 - sure) / 4)
    p[truth if predicted is None else predicted] = sure
    return HipScore(Side.LEFT, truth, predicted=predicted, probabilities=tuple(p), **more)


def test_class_figures():
    pairs = [(0, 0), (1, 1), (2, 3), (3, 3), (4, 2), (4, 4), (1, None)]
    cases = [film(i, hip=hip(t, p)) for i, (t, p) in enumerate(pairs)]
    assert value(cases, "class.exact") == pytest.approx(4 / 6)
    assert value(cases, "class.within_one") == pytest.approx(5 / 6)
    assert value(cases, "class.abstained") == pytest.approx(1 / 7)
    assert value(cases, "class.severe_sensitivity") == pytest.approx(2 / 3)
    assert value(cases, "class.severe_specificity") == pytest.approx(2 / 3)
    assert value(cases, "class.exact", "class: IV") == pytest.approx(1 / 2)
    assert value(cases, "class.kappa_quadratic") > 0
    assert value(cases, "class.kappa_quadratic", "class: IV") is None


def test_brier_of_sure_and_right_is_small():
    right = [film(i, hip=hip(i % 5, i % 5, 1.0)) for i in range(10)]
    assert value(right, "class.brier") == pytest.approx(0)
    assert value(right, "class.ece") == pytest.approx(0)
    wrong = [film(i, hip=hip(i % 5, (i + 1) % 5, 1.0)) for i in range(10)]
    assert value(wrong, "class.brier") == pytest.approx(2)
    assert value(wrong, "class.ece") == pytest.approx(1)


def test_gap_bias_and_limits():
    errors = np.array([-1.0, 0.5, 2.0, 0.1])
    cases = [
        film(i, hip=hip(2, 2, true_gap_mm=12.0, predicted_gap_mm=12 + e))
        for i, e in enumerate(errors)
    ]
    assert value(cases, "gap.bias") == pytest.approx(errors.mean())
    spread = 1.96 * errors.std(ddof=1)
    assert value(cases, "gap.limit_high") == pytest.approx(errors.mean() + spread)
    assert value(cases, "gap.limit_low") == pytest.approx(errors.mean() - spread)


def test_strata_hold_their_own_rows():
    cases = [film(i, view=View.AP_HIP if i % 2 else View.FROG_LEG, implant=i < 2) for i in range(6)]
    assert value(cases, "pelvis.dice_mean", "view: ap_hip") == pytest.approx(0.93)
    assert value(cases, "pelvis.dice_mean", "implant: yes") == pytest.approx(0.905)
    assert value(cases, "pelvis.dice_mean", "size: no HO") == pytest.approx(0.925)
    assert value(cases, "pelvis.dice_mean", "view: judet") is None


def test_failed_films_are_left_out():
    cases = [film(0), film(1), CaseScore("bad", "p", error="unreadable")]
    assert value(cases, "pelvis.dice_mean") == pytest.approx(0.905)


def test_detection_labels():
    assert film_has_ho(film(0)) is False
    assert film_has_ho(film(0, 60.0, [lesion("truth", False)])) is True
    assert film_has_ho(film(0, 10.0)) is None  # visible, but below the floor
    grades = CaseScore("g", "p", hips=(HipScore(Side.LEFT, 0), HipScore(Side.RIGHT, 2)))
    assert film_has_ho(grades) is True
    assert film_has_ho(CaseScore("g", "p")) is None
    assert [hip_has_ho(HipScore(Side.LEFT, 0, true_ho_mm2=a)) for a in (0.0, 10.0, 25.0)] == [
        False,
        None,
        True,
    ]


def test_no_films_no_figures():
    assert summarise([], np.random.default_rng(0), repeats=10) == ()


def test_small_metal_is_told_apart():
    """A missed clip weighs like a missed prosthesis in the mean, and not from 1 cm2."""
    clip, stem = Overlap("implant", 6.0, 0.0, 0.0), Overlap("implant", 4000.0, 3900.0, 0.9)
    cases = [replace(film(i), overlaps=(row,)) for i, row in enumerate((clip, stem))]
    assert value(cases, "implant.dice_mean") == pytest.approx(0.45)
    assert value(cases, "implant.dice_mean_1cm2") == pytest.approx(0.9)


def test_paint_outside_the_field_is_averaged_where_a_border_is_known():
    cases = [film(0, outside_mm2=0.0), film(1, outside_mm2=90.0), film(2)]
    assert value(cases, "outside_field.area_mean") == pytest.approx(45)
    assert value(cases, "outside_field.films_kept_clean") == pytest.approx(0.5)


def test_severe_auc_orders_ties_by_the_expected_class():
    def hip(truth, probabilities, masks):
        return HipScore(Side.LEFT, truth, masks, predicted=0, probabilities=probabilities)

    cases = [
        film(0, hip=hip(0, (1.0, 0, 0, 0, 0), 0)),
        film(1, hip=hip(3, (0.1, 0, 0.9, 0, 0), 3)),
        film(2, hip=hip(1, (0.3, 0.7, 0, 0, 0), 3)),
    ]
    assert value(cases, "class.severe_auc") == 1.0
    assert value(cases, "class_from_true_masks.severe_auc") == 1.0
    assert value(cases, "construction_against_true_masks.severe_auc") == pytest.approx(0.75)


def test_the_likeliest_class_is_judged_beside_the_class_of_the_rules():
    def hip(truth, predicted, probabilities):
        return HipScore(Side.LEFT, truth, predicted=predicted, probabilities=probabilities)

    cases = [
        film(0, hip=hip(1, 4, (0.0, 0.7, 0.0, 0.1, 0.2))),
        film(1, hip=hip(4, 4, (0.0, 0.1, 0.0, 0.1, 0.8))),
        film(2, hip=hip(2, 2, (0.0, 0.1, 0.7, 0.1, 0.1))),
        film(3, hip=hip(0, None, (0.9, 0.1, 0.0, 0.0, 0.0))),
    ]
    assert value(cases, "class.exact") == pytest.approx(2 / 3)
    assert value(cases, "class_likeliest.exact") == 1
    # Surest in the class given: IV (0.8) and II (0.7) are right, then the wrong IV (0.2).
    assert value(cases, "class.risk_coverage_area") == pytest.approx(1 / 9)
