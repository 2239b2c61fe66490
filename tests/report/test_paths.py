"""Names made from DICOM values never leave their folder."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoseg.errors import OutputError
from hoseg.report.paths import inside, safe_name


@pytest.mark.parametrize("value", ["1.2.840.10008.1.2", "film_1.dcm", "P-0815"])
def test_harmless_names_stay(value):
    assert safe_name(value) == value


@pytest.mark.parametrize(
    "value",
    ["..", ".", "", "../../etc/passwd", "/etc/passwd", "a/b", "a\\b", "CON", "nul.txt", "a\0b",
     "-rf", "x" * 500, "名前", ".hidden", "trailing.", "C:\\Windows"],
)  # fmt: skip
def test_dangerous_names_are_rewritten(value):
    name = safe_name(value)
    assert name
    assert name != value
    assert len(name) <= 100
    assert name[0] not in ".-"
    assert not set(name) & set('/\\:\0 *?"<>|')


@given(st.text())
def test_every_text_becomes_one_component(value):
    name = safe_name(value)
    assert name not in ("", ".", "..")
    assert "/" not in name
    assert "\\" not in name
    assert name == name.strip(". ")
    assert safe_name(value) == name


@given(st.text(), st.text())
def test_different_values_stay_different(first, second):
    if first != second:
        assert safe_name(first) != safe_name(second)


def test_links_out_of_the_folder_are_refused(tmp_path):
    root = tmp_path / "run"
    root.mkdir()
    assert inside(root, "a", "b") == root / "a" / "b"
    (root / "out").symlink_to(tmp_path)
    for parts in (("..",), ("out", "x"), ("a", "..", "..", "x")):
        with pytest.raises(OutputError, match="leads out of"):
            inside(root, *parts)
