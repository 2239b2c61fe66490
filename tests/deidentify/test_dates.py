"""A date is found in every notation, and no other date is taken for it."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoseg.deidentify.dates import date_of, tells

DAY = date(1947, 3, 13)


@pytest.mark.parametrize(
    "text",
    """19470313|1947-03-13|13.03.1947|13/03/1947|03/13/1947|13-Mar-1947|13 March 1947|470313
    March 13th, 1947|130347|031347|13.3.47|3/13/47|1947年3月13日|1947. 3. 13|昭和22年3月13日
    S22.3.13
    ١٣/٠٣/١٩٤٧|１９４７／０３／１３|13. März 1947|13 марта 1947 г.|13 Μαρτίου 1947|13 במרץ 1947
    13 مارس 1947|13MAR47|geb. 1947|*1947|DOB:19470313|1947년 3월 13일|13/03/2490|民國36年3月13日
    DOB19470313x|13 de marzo de 1947|le 13 mars 1947|ID470313|1947_03_13|13th of March 1947
    1947 March 13|194703131234|born in 1947|13 marzec? 13. Mar. '47""".replace("\n", "|").split(
        "|"
    ),
)
def test_notations_of_a_birthday(text):
    assert tells(text, DAY, birth=True)


@pytest.mark.parametrize(
    "text",
    ["1947", "13.03.1948", "3.13", "v1.3.13", "March 1947", "2.3.1947", "470314", "born 1948",
     "Marker 13 at 47 kV", "1470313", "113.03.1947", "13.03.19470", "元", "S.3.13"],
)  # fmt: skip
def test_other_numbers(text):
    assert not tells(text, DAY, birth=True)


def test_two_digits_of_a_year_tell_birthdays_alone():
    assert not tells("13.3.47", DAY)
    assert not tells("born 1947", DAY)
    assert tells("13.3.1947", DAY)


@given(st.dates(date(1900, 1, 1), date(2030, 1, 1)), st.dates(date(1900, 1, 1), date(2030, 1, 1)))
def test_any_day_is_told_by_itself_alone(day, other):
    for form in ("%Y%m%d", "%d.%m.%Y", "%B %d, %Y", "%d %b %Y", "%Y/%m/%d"):
        assert tells(f"x {day.strftime(form)} y", day)
        if other != day:
            assert not tells(day.strftime("%d %B %Y"), other)


def test_dates_as_files_write_them():
    assert date_of("19470313") == date_of("1947.03.13") == date_of("19470313101112.5") == DAY
    for text in ("", "1947", "19471350", "unknown"):
        assert date_of(text) is None
