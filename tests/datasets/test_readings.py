"""Readings of whole films without masks."""

import numpy as np
import pytest

from hoseg.datasets import open_dataset
from hoseg.datasets.formats import convert
from hoseg.datasets.labelled import HipReading, Says
from hoseg.datasets.readings import film_reading
from hoseg.errors import InputError, SettingError
from hoseg.picture_files import write_pixels
from hoseg.radiograph import Side, View

HEAD = "file,patient,spacing_mm,ossification,kind,implant,view\n"


def reading(text, tmp_path, **more):
    row = {"file": "tha_town_001.png", "ossification": text} | more
    return film_reading(row, tmp_path / "films.csv")


def test_hips_with_ranges(tmp_path):
    found = reading("left=yes:II-III; right=no:0", tmp_path)
    assert found.hips == (
        HipReading(Side.LEFT, Says.YES, 2, 3),
        HipReading(Side.RIGHT, Says.NO, 0, 0),
    )
    assert reading("left=unsure", tmp_path).hips == (HipReading(Side.LEFT, Says.UNSURE),)


def test_none_and_unread(tmp_path):
    assert reading("none", tmp_path).hips == ()
    assert reading("unread", tmp_path) is None


def test_family_implant_and_view(tmp_path):
    assert reading("none", tmp_path, kind="tha").implant is True
    assert reading("none", tmp_path, kind="native").implant is False
    assert reading("none", tmp_path, kind="ho").implant is None
    assert reading("none", tmp_path, kind="tha", implant="no").implant is False
    assert reading("none", tmp_path).family == "town"
    assert reading("none", tmp_path, family="own").family == "own"
    assert reading("none", tmp_path, view="ap_hip").view is View.AP_HIP


@pytest.mark.parametrize(
    ("seen", "view"),
    [
        ("patient id 1; AP pelvis; left frog view exists too", View.AP_PELVIS),
        ("Left hip frog/oblique view, same patient as the AP pelvis film", View.FROG_LEG),
        ("right hip AP, normal", View.AP_HIP),
        ("hip, normal", None),
    ],
)
def test_a_view_in_the_readers_words(seen, view, tmp_path):
    assert reading("none", tmp_path, seen=seen).view is view
    assert reading("none", tmp_path, seen=seen, view="other").view is View.OTHER


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("left=perhaps", {}),
        ("up=yes", {}),
        ("left=yes:III-II", {}),
        ("left=yes:V", {}),
        ("left=yes;left=no", {}),
        ("left=yes:0", {}),
        ("left=yes:0-I", {}),
        ("left=no:II", {}),
        ("none", {"implant": "maybe"}),
        ("none", {"view": "sideways"}),
    ],
)
def test_cells_that_mean_nothing_are_errors(text, more, tmp_path):
    with pytest.raises(InputError, match="expected") as caught:
        reading(text, tmp_path, **more)
    assert caught.value.code == "bad_table"


def test_a_folder_with_its_table(tmp_path):
    (tmp_path / "films").mkdir()
    for name in ("a.png", "b.png"):
        write_pixels(tmp_path / "films" / name, np.full((40, 50), 90, np.uint8))
    rows = "a.png,p1,0.5,none,tha,,\nb.png,,,left=yes,,,frog_leg\nc.png,,,unread,,,\n"
    (tmp_path / "films.csv").write_text(HEAD + rows)
    found = open_dataset(tmp_path)
    assert found.format == "readings"
    first, second = (film.read() for film in found.films)
    assert (first.patient, first.radiograph.spacing.mm) == ("p1", (0.5, 0.5))
    assert (second.patient, second.radiograph.spacing) == ("b.png", None)
    assert (second.reading.view, second.radiograph.view) == (View.FROG_LEG, View.UNKNOWN)


def test_what_is_only_said_is_not_lost_in_another_format(tmp_path):
    (tmp_path / "films.csv").write_text(HEAD + "a.png,,,left=yes,,,\n")
    with pytest.raises(SettingError, match="only says"):
        convert(open_dataset(tmp_path), "folder", tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("spacing", ["0", "-1", "wide", "nan"])
def test_a_spacing_that_is_none(spacing, tmp_path):
    (tmp_path / "films.csv").write_text(f"{HEAD}a.png,,{spacing},none,,,\n")
    with pytest.raises(InputError, match="spacing_mm"):
        open_dataset(tmp_path)
