"""Pseudonyms depend on the key, keep intervals, and are valid UIDs."""

from datetime import date

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hoseg.deidentify.pseudonyms import Pseudonyms
from hoseg.errors import SettingError

from .identified import NAMES


@given(st.dates(date(1900, 1, 1), date(2100, 1, 1)), st.integers(0, 20000), st.text(max_size=20))
@settings(max_examples=200)
def test_shifting_keeps_intervals(day, gap, patient):
    later = date.fromordinal(day.toordinal() + gap)
    first, second = (
        date.fromisoformat(NAMES.shift_date(f"{d:%Y%m%d}", patient)) for d in (day, later)
    )
    assert (second - first).days == gap
    assert 1 <= (day - first).days <= 3650


@given(st.from_regex(r"[0-2](\.[1-9][0-9]{0,8}){2,6}", fullmatch=True))
def test_mapped_uids_are_valid_and_stable(uid):
    mapped = pydicom.uid.UID(NAMES.uid(uid))
    assert mapped.is_valid
    assert mapped == NAMES.uid(uid)
    assert mapped.startswith("2.25.")


def test_short_key_is_refused():
    with pytest.raises(SettingError, match="16 random bytes"):
        Pseudonyms(b"short")
