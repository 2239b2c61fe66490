"""What a finding says in one sentence."""

import pytest

from hoseg.grade.finding import HipFinding
from hoseg.grade.summary import describe_gap, name_classes, summarise, whole_percents
from hoseg.radiograph import View


def finding(brooker=3, chances=(0.0, 0.02, 0.37, 0.56, 0.05), **more):
    fields = {
        "side": "left",
        "view": View.AP_PELVIS,
        "classes": {"brooker": brooker},
        "class_probabilities": {"brooker": chances},
        "class_probabilities_from": "model",
        "pattern": "opposing_spurs",
        "gap_mm": 6.4,
        "gap_interval_mm": (5.2, 7.3),
    }
    return HipFinding(**(fields | more))


def test_the_class_given_comes_first_with_its_probability_and_the_doubt_with_its_reason():
    assert summarise(finding()) == (
        "III (56 %), II 37 %, others 7 %: gap 6.4 mm (5.2-7.3), II because what is near on the "
        "film may lie apart in depth"
    )


def test_the_class_given_comes_first_also_where_another_is_likelier():
    text = name_classes(finding(chances=(0.0, 0.01, 0.60, 0.37, 0.02)))
    assert text == "III (37 %), II 60 %, others 3 %"
    worse = name_classes(finding(2, (0.0, 0.0, 0.40, 0.25, 0.35)))
    assert worse == "II (40 %), IV 35 %, III 25 %"


def test_a_gap_whose_interval_crosses_the_limit_says_so():
    text = summarise(finding(gap_mm=9.6, gap_interval_mm=(8.9, 10.4)))
    assert text.endswith(
        "gap 9.6 mm (8.9-10.4), II because the gap's interval reaches across 10 mm"
    )


@pytest.mark.parametrize(
    ("brooker", "chances", "reason"),
    [
        (0, (0.6, 0.35, 0.03, 0.01, 0.01), "I because faint bone may be missed"),
        (1, (0.3, 0.65, 0.03, 0.01, 0.01), "0 because what looks like ossification"),
        (2, (0.0, 0.3, 0.65, 0.04, 0.01), "I because what touches bone on the film may lie free"),
        (4, (0.0, 0.0, 0.0, 0.3, 0.7), "III because what is near on the film may lie apart"),
        (3, (0.0, 0.0, 0.1, 0.6, 0.3), "IV because part of the ossification may be missed"),
    ],
)
def test_every_doubt_has_a_reason(brooker, chances, reason):
    assert reason in summarise(finding(brooker, chances))


def test_a_contact_that_was_left_out_is_the_reason_where_it_would_make_the_class():
    text = summarise(finding(chances=(0.0, 0.0, 0.1, 0.6, 0.3), brooker_every_contact=4))
    assert "IV because a contact read as superimposed may be a real one" in text


def test_draws_are_not_printed_as_probabilities():
    """Without calibration the draws summed to 0.195: no number stands that could be compared."""
    drawn = finding(1, (0.0, 0.195, 0.0, 0.0, 0.0), class_probabilities_from="draws")
    assert name_classes(drawn) == "I"
    two = finding(chances=(0.0, 0.0, 0.3, 0.7, 0.0), class_probabilities_from="draws")
    assert name_classes(two) == "III, perhaps II"
    assert "%" not in summarise(two)
    assert drawn.brooker_undecided == pytest.approx(0.805)
    assert finding().brooker_undecided == pytest.approx(0)


@pytest.mark.parametrize(
    ("chances", "whole"),
    [
        ((0.005, 0.005, 0.005, 0.005, 0.98), (1, 1, 0, 0, 98)),
        ((0.336, 0.336, 0.328, 0.0, 0.0), (34, 33, 33, 0, 0)),
        ((0.2, 0.2, 0.2, 0.2, 0.2), (20,) * 5),
        ((1.0, 0.0, 0.0, 0.0, 0.0), (100, 0, 0, 0, 0)),
        ((0.1, 0.0, 0.0, 0.0, 0.0), (10, 0, 0, 0, 0)),
    ],
)
def test_whole_percents_sum_to_what_the_shares_sum_to(chances, whole):
    assert whole_percents(chances) == whole


def test_a_bridge_is_closed():
    assert describe_gap(finding(4, gap_mm=0.0, gap_interval_mm=(0.0, 0.0))) == "closed"
    assert describe_gap(finding(0, gap_mm=None, gap_interval_mm=None)) == ""


@pytest.mark.parametrize(
    ("view", "codes", "ending"),
    [
        (View.FROG_LEG, ("view_not_ap",), "(provisional: frog-leg lateral)"),
        (View.UNKNOWN, ("view_unknown",), "(provisional: view not stated)"),
        (
            View.UNKNOWN,
            ("view_unknown", "cropped_hip"),
            "(provisional: view not stated; part of the hip is outside the picture)",
        ),
    ],
)
def test_a_provisional_class_says_why(view, codes, ending):
    assert summarise(finding(view=view, provisional=codes)).endswith(ending)


def test_no_code_stands_in_a_sentence():
    none = finding(None, (), abstained="cropped_hip", abstained_because="the picture leaves out X")
    assert summarise(none) == "not graded: the picture leaves out X"
