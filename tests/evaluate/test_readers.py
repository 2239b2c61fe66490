"""Tables of grades: reading, refusing, agreement."""

import numpy as np
import pytest
from sklearn import metrics

from hoseg.errors import InputError, SettingError
from hoseg.evaluate.figures import lookup
from hoseg.evaluate.readers import Grade, compare_readers, read_grades
from hoseg.radiograph import Side


def table(tmp_path, text, name="grades.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_columns_are_found_by_their_other_names(tmp_path):
    path = table(
        tmp_path,
        "Patient_ID,SOP_UID,source,Side,Brooker,gap_mm,remark\n"
        "p1,1.2.3,a.dcm,L,III,4.5,x\np1,,b.png,right,0,,\np2,1.2.4,c.dcm,,,,\n",
    )
    assert read_grades(path) == (
        Grade("1.2.3", Side.LEFT, 3, "p1", 4.5),
        Grade("b.png", Side.RIGHT, 0, "p1"),
        Grade("1.2.4", Side.UNKNOWN, None, "p2"),
    )


def test_patient_defaults_to_the_film_and_side_to_unknown(tmp_path):
    (grade,) = read_grades(table(tmp_path, "image,brooker\nf1,Brooker II\n"))
    assert grade == Grade("f1", Side.UNKNOWN, 2, "f1")


@pytest.mark.parametrize(
    ("row", "parts"),
    [
        ("f1,left,5,", ["line 2", "brooker = '5'", "0, 1, 2, 3, 4"]),
        ("f1,left,V,", ["brooker = 'V'"]),
        ("f1,left,2.5,", ["brooker = '2.5'"]),
        ("f1,both,2,", ["side = 'both'", "left, right or unknown"]),
        ("f1,left,2,-3", ["gap_mm = '-3'", ">= 0"]),
        ("f1,left,2,near", ["gap_mm = 'near'"]),
        ("f1,left,2,inf", ["gap_mm = 'inf'"]),
        (",left,2,", ["image = ''"]),
        ("f1,left,1,\nf1,L,2,", ["line 3", "left hip", "'f1'", "line 2"]),
    ],
)
def test_bad_rows_name_file_line_column_and_value(tmp_path, row, parts):
    path = table(tmp_path, f"image,side,brooker,gap_mm\n{row}\n")
    with pytest.raises(InputError) as caught:
        read_grades(path)
    for part in ["grades.csv", *parts]:
        assert part in str(caught.value)


def test_missing_column_and_missing_file(tmp_path):
    with pytest.raises(InputError, match="expected one named brooker or class"):
        read_grades(table(tmp_path, "image,side\nf1,left\n"))
    with pytest.raises(InputError, match="cannot be read"):
        read_grades(tmp_path / "nothing.csv")
    path = tmp_path / "latin.csv"
    path.write_bytes("image,brooker\nf\xe9,1\n".encode("latin-1"))
    with pytest.raises(InputError, match="UTF-8"):
        read_grades(path)


def grades(classes, per_patient=2, gap=None):
    return tuple(
        Grade(f"film-{i}", Side.LEFT, c, f"p{i // per_patient}", None if gap is None else gap + i)
        for i, c in enumerate(classes)
    )


def test_agreement_equals_sklearn():
    rng = np.random.default_rng(0)
    a = rng.integers(0, 5, 120)
    b = np.where(rng.random(120) < 0.6, a, rng.integers(0, 5, 120))
    found = compare_readers(grades(a), grades(b), np.random.default_rng(1))
    kappa = lookup(found.figures, "class.kappa_quadratic").estimate
    assert kappa.value == pytest.approx(metrics.cohen_kappa_score(a, b, weights="quadratic"))
    assert kappa.low < kappa.value < kappa.high
    assert (kappa.n, kappa.patients) == (120, 60)
    plain = lookup(found.figures, "class.kappa_plain").estimate.value
    assert plain == pytest.approx(metrics.cohen_kappa_score(a, b))
    severe = lookup(found.figures, "class.severe_kappa").estimate.value
    assert severe == pytest.approx(metrics.cohen_kappa_score(a >= 3, b >= 3))
    assert found.matrix == pytest.approx(metrics.confusion_matrix(a, b, labels=range(5)))


def test_only_hips_graded_by_both_count():
    a = grades([0, 1, 2, None, 4])
    b = grades([0, 1, None, 3, 4, 2])
    found = compare_readers(a, b, np.random.default_rng(0), repeats=50)
    assert [x.image for x, _ in found.pairs] == ["film-0", "film-1", "film-4"]
    assert (found.only_first, found.only_second) == (1, 2)


def test_gap_bias():
    found = compare_readers(
        grades([2] * 6, gap=10.0), grades([2] * 6, gap=9.0), np.random.default_rng(0), 50
    )
    assert lookup(found.figures, "gap.bias").estimate.value == pytest.approx(-1)


def test_nothing_in_common_is_refused():
    other = (Grade("elsewhere", Side.LEFT, 1, "p"),)
    with pytest.raises(SettingError, match="none in common"):
        compare_readers(grades([1, 2]), other, np.random.default_rng(0))
