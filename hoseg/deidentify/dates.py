"""Whether a text tells a certain date, in whatever notation."""

from __future__ import annotations

import re
from datetime import date

from hoseg.deidentify.spelling import fold, vocabulary

# Beginnings of the names of the months, folded, in the order of the year.
_MONTHS = tuple(
    tuple(names.split())
    for names in (
        "jan jän gen ene янв січ ιαν γεν ינו يناير كانونالثاني",
        "feb fév fev лют фев φεβ פבר فبراير شباط",
        "mar mär mrt мар берез μαρ מרץ מרס مارس اذار",
        "apr avr abr апр квіт απρ אפר ابريل نيسان",
        "may mai mag maj mei май мая трав μαι מאי مايو ايار",
        "jun juin giu июн черв ιουν יוני يونيو حزيران",
        "jul juil lug июл лип ιουλ יולי يوليو تموز",
        "aug aou août ago авг серп αυγ אוג اغسطس اب",
        "sep set сен верес σεπ ספט سبتمبر ايلول",
        "oct okt ott out окт жовт οκτ אוק اكتوبر تشرينالاول",
        "nov ноя лист νοε נוב نوفمبر تشرينالثاني",
        "dec dez déc dic дек груд δεκ דצמ ديسمبر كانونالاول",
    )
)
_MONTH_OF = {
    fold(name).casefold(): month for month, names in enumerate(_MONTHS, start=1) for name in names
}
_SEPARATOR = r"[\s./,_\-:\u2010-\u2015年月日년월일]{1,3}"
_NUMBERS = re.compile(
    rf"(?<!\d)(?=(\d{{1,4}}){_SEPARATOR}(\d{{1,2}}){_SEPARATOR}(\d{{1,4}})(?!\d))"
)
_ERAS = {
    "明治": 1867,
    "大正": 1911,
    "昭和": 1925,
    "平成": 1988,
    "令和": 2018,
    "民國": 1911,
    "民国": 1911,
}
_ERA = re.compile("(" + "|".join(_ERAS) + r")\s*(\d{1,3}|元)")
_ERA_LETTER = re.compile(r"(?<![A-Za-z])([MTSHR])\s?(\d{1,2})(?=[./年-]\s?\d)")
_ERA_LETTERS = {"M": 1867, "T": 1911, "S": 1925, "H": 1988, "R": 2018}
_BUDDHIST = 543
_BORN = re.compile(
    r"(?:born|birth|geb|dob|yob|jahrgang|jg|nee?|naci\w*|nat[oa]|рожд\w*|род|γεν\w*|مواليد|נולד\w*"
    r"|生年?|出生|생년?|출생|\*)[^\w]{0,3}(?:in |en |im |am |年|year )?(\d{4})(?!\d)",
    re.IGNORECASE,
)


def date_of(value: str) -> date | None:
    """Date of a DICOM DA or DT value, the notation of ACR-NEMA and others with marks included."""
    match = re.match(r"\s*(\d{4})[-./]?(\d{2})[-./]?(\d{2})", value)
    if match is None:
        return None
    try:
        return date(*(int(part) for part in match.groups()))
    except ValueError:
        return None


def tells(text: str, day: date, *, birth: bool = False) -> bool:
    """Whether a text tells a date.

    Parameters
    ----------
    text
        In any script; digits of all scripts are understood.
    day
        The date.
    birth
        A date of birth: told by two digits of its year too, and by its year after "born".

    Examples
    --------
    >>> day = date(1947, 3, 13)
    >>> [tells(text, day) for text in ("13.03.1947", "March 13th, 1947", "昭和22年3月13日", "1947")]
    [True, True, True, False]
    """
    plain = _with_common_years(fold(text))
    years = {f"{day:%Y}", str(day.year + _BUDDHIST)} | ({f"{day:%y}"} if birth else set())
    if birth and any(int(year) == day.year for year in _BORN.findall(plain)):
        return True
    return (
        _in_one_number(plain, day, years)
        or any(_is_date(match.groups(), day, years) for match in _NUMBERS.finditer(plain))
        or _with_month(plain, day, years)
    )


def _with_common_years(text: str) -> str:
    """Years of Japanese eras and of the Republic of China as those of the common era."""

    def common(match: re.Match[str], eras: dict[str, int]) -> str:
        number = 1 if match[2] == "元" else int(match[2])
        return str(eras[match[1]] + number)

    text = _ERA.sub(lambda match: common(match, _ERAS), text)
    return _ERA_LETTER.sub(lambda match: common(match, _ERA_LETTERS), text)


def _in_one_number(text: str, day: date, years: set[str]) -> bool:
    """Eight digits within any number, or six that are one."""
    written = {form.format(y=y, d=day.day, m=day.month) for form in _FORMS for y in years}
    return any(
        digits in run if len(digits) >= 8 else digits == run
        for run in re.findall(r"\d{6,}", text)
        for digits in written
    )


_FORMS = ("{y}{m:02d}{d:02d}", "{d:02d}{m:02d}{y}", "{m:02d}{d:02d}{y}")


def _is_date(numbers: tuple[str, ...], day: date, years: set[str]) -> bool:
    """Whether three numbers are year, month and day in an order that people use."""
    orders = ((0, 1, 2), (2, 1, 0), (2, 0, 1), (0, 2, 1))  # places of year, month, day
    return any(
        numbers[y] in years and (int(numbers[m]), int(numbers[d])) == (day.month, day.day)
        for y, m, d in orders
    )


def _with_month(text: str, day: date, years: set[str]) -> bool:
    """The name of the month between day and year, or beside both: nothing else between them."""
    words = [w for w in re.findall(r"\d+|[^\W\d_]+", text.casefold()) if w not in _FILLERS]
    for three in zip(words, words[1:], words[2:], strict=False):
        months = [place for place, word in enumerate(three) if _month(word) == day.month]
        if len(months) != 1:
            continue
        first, second = (word for place, word in enumerate(three) if place != months[0])
        for number, year in ((first, second), (second, first)):
            if number.isdecimal() and int(number) == day.day and year in years:
                return True
    return False


_FILLERS = vocabulary("st nd rd th of de del den der di do du le la the г года року")


def _month(word: str) -> int:
    """Number of a month by the first letters of its name, else 0."""
    word = word.removeprefix("ב")  # in Hebrew: "in" March
    for length in (len(word), 5, 4, 3):
        if len(word) >= length and (month := _MONTH_OF.get(word[:length])):
            return month
    return 0
