"""A name is found as a word of its own, however it is set off, and not within other words."""

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from hoseg.deidentify.names import _NOBODY as NOBODY
from hoseg.deidentify.names import Names

ALPHABETS = {
    "Latin": "abdegiklmnoprstuvwzäöüéñåçø",
    "Cyrillic": "абвгдежзиклмнопрстуфхцчшюяёй",
    "Greek": "αβγδεζηθικλμνξοπρστυφχψωάέί",
    "Hebrew": "אבגדהוזחטיכלמנסעפצקרשת",
    "Arabic": "ابتثجحخدذرزسشصضطظعغفقكلمنهوي",
}
SPACED = st.sampled_from(sorted(ALPHABETS)).flatmap(
    lambda script: st.tuples(
        st.text(ALPHABETS[script], min_size=2, max_size=9),
        st.text(ALPHABETS[script], min_size=2, max_size=9),
    )
)
EDGE = st.sampled_from(["", " ", "_", "-", ", ", ".", "/", " 2", "07", ": ", "(", "\t"])


def names(*values):
    found = Names()
    for value in values:
        found.add(value)
    return found


@given(SPACED, EDGE, EDGE, st.booleans())
def test_a_name_is_found_between_any_edges(pair, before, after, capitals):
    family, given_name = pair
    assume(not {family, given_name} <= NOBODY)
    found = names(f"{family}^{given_name}")
    for word in (family, given_name, family + given_name):
        text = before + (word.upper() if capitals else word) + after
        assert found.found_in(text), text


@given(
    st.text("アイウエオカキクケコサシスセソ山川田中村木林森東西南北김이박최정강조윤장임한오서신권황안송류홍",
            min_size=2, max_size=4),
    st.text("アイウエオ山川田中村木林森김이박최정강", max_size=4),
    st.text("アイウエオ山川田中村木林森김이박최정강", max_size=4),
)  # fmt: skip
def test_east_asian_names_are_found_within_other_letters(name, before, after):
    assert names(f"{name}^").found_in(before + name + after)


@given(SPACED)
@example(("von der heide", "öä"))
def test_what_was_never_said_is_not_found(pair):
    family, given_name = pair
    assume(not {"left", "hip"} & {family, given_name})
    assert not names(f"{family}^{given_name}").found_in("9 (7) __ %")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("von der Heide^Karl", "Vonderheide"),
        ("von der Heide^Karl", "K. HEIDE"),
        ("Smith-Jones^Ann", "smithjones"),
        ("Smith-Jones^Ann", "Jones"),
        ("McDonald^J", "Donald"),
        ("Wang^Xiaodong", "Xiao Dong"),
        ("D'Angelo^Al", "ANGELO"),
        ("Nuñez^José", "NUNEZ JOSE"),
        ("Østergård^Åse", "Oestergaard"),
        ("Østergård^Åse", "OSTERGARD"),
        ("Groß^Max", "GROSS"),
        ("Łukasz^Żak", "Lukasz Zak"),
        ("İnan^Işık", "INAN ISIK"),
        ("Don^Le", "don"),
        ("Don^Le", "LE"),
        ("O^Min", "film of O."),
        ("Smith^John^Q", "JSmith"),
        ("ยิ้ม^สมชาย", "คุณสมชาย"),
        ("शर्मा^राम", "राम_2"),
        ("Smith, John", "john"),
        ("SMITH JOHN", "JOHNSMITH"),
        ("Παπάς^Νίκος", "ΝΙΚΟΥ"),
        ("Παπάς^Νίκος", "του Παπά"),
        ("Mueller^Hans", "Müller"),
        ("Mueller^Hans", "MULLER"),
    ],
)
def test_forms_of_a_name(name, text):
    assert names(name).found_in(text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("von der Heide^Karl", "marker von der Seite"),
        ("Li^An", "Lima analog"),
        ("Smith^John^Q^Dr", "Q factor, Dr. X"),
        ("Sharp^Ray", "SHARPNESS X-rays"),
        ("Müller^Jo", "Mühle Joch"),
        ("김^철수", "정면"),
        ("李^明", "说明书"),
        ("Παπάς^Νίκος", "πάπια νίκη"),
        ("anonymous^", "anonymous"),
        ("^", "text"),
        ("", "text"),
    ],
)
def test_other_words_are_not_names(name, text):
    assert not names(name).found_in(text)
