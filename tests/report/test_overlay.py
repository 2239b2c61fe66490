from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from hoseg.grade import HipFinding, grade_masks
from hoseg.radiograph import (
    Display,
    Geometry,
    Radiograph,
    Side,
    Spacing,
    SpacingSource,
    Structure,
    View,
)
from hoseg.report.overlay import Overlay, _hip_lines, _short_lines, overlay, trace_contours
from hoseg.report.palette import COLOURS, GAP_LINE, GREYS, TINTED, TINTS, colour_table
from hoseg.words import CALIBRATIONS


@dataclass
class FakeLandmarks:
    head_px: tuple[float, float] | None = (200.0, 150.0)


@dataclass
class FakeHip:
    """What the overlay reads of a finding, so that positions are known exactly."""

    side: Side = Side.RIGHT
    brooker: int | None = 3
    abstained: str | None = None
    provisional: tuple[str, ...] = ()
    gap_mm: float | None = 8.0
    gap_interval_mm: tuple[float, float] | None = (7.1, 9.0)
    gap_points_px: tuple | None = ((150.0, 100.0), (150.0, 140.0))
    side_source: str = "attribute"
    view: View = View.AP_PELVIS
    landmarks: FakeLandmarks = field(default_factory=FakeLandmarks)


def film(shape=(600, 500), spacing_mm=0.4):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 1000, shape).astype(np.uint16)
    spacing = Spacing(spacing_mm, spacing_mm, 0.04, SpacingSource.ASSUMED_MAGNIFICATION)
    return Radiograph(pixels, "film", spacing, display=Display(window=(500, 1000)))


def masks(shape=(600, 500)):
    out = np.zeros(shape, np.uint8)
    cv2.circle(out, (150, 200), 60, int(Structure.FEMUR), -1)
    cv2.rectangle(out, (60, 40), (240, 150), int(Structure.PELVIS), -1)
    out[300:330, 300:340] |= np.uint8(Structure.OSSIFICATION)
    return out


def test_the_film_keeps_its_pixels_where_nothing_is_drawn():
    plain = overlay(film(), np.zeros((600, 500), np.uint8))
    grey = film().pixels.astype(float)
    shown = plain.rgb()[:600].astype(float)
    assert np.allclose(shown[..., 0], np.clip((grey - 499.5) / 999 + 0.5, 0, 1) * 255, atol=2)
    assert np.array_equal(shown[..., 0], shown[..., 1])


def test_the_strip_lies_below_and_says_research_use():
    picture = overlay(film(), masks())
    assert picture.indices.shape[0] > 600
    assert picture.indices.shape[1] == 500
    assert picture.indices[600:].any()
    assert b"Research use only. Not a medical device." in picture.png()


@pytest.mark.parametrize("structure", list(COLOURS))
def test_every_structure_is_outlined_in_its_colour(structure):
    only = np.zeros((600, 500), np.uint8)
    only[100:200, 100:250] = structure
    shown = overlay(film(), only).rgb()[:600]
    line = (shown == COLOURS[structure]).all(axis=-1)
    rows, columns = np.nonzero(line)
    assert (rows.min(), rows.max()) == (100, 199)
    assert (columns.min(), columns.max()) == (100, 249)
    inside = line[110:190, 110:240]
    assert not inside.any()


def test_ossification_is_filled_lightly():
    indices = overlay(film(), masks()).indices
    filled = indices[305:325, 305:335]
    assert ((filled >= GREYS) & (filled < GREYS + TINTS)).all()
    assert len(np.unique(filled)) > 10  # the film shows through


def test_the_gap_line_runs_between_its_ends():
    indices = overlay(film(), masks(), (FakeHip(),)).indices
    assert (indices[150, 106:135] == GAP_LINE).all()


def test_letters_do_not_touch_structures():
    shape = (1200, 1000)
    bones = cv2.resize(masks(), shape[::-1], interpolation=cv2.INTER_NEAREST)
    hips = (FakeHip(gap_points_px=None), FakeHip(Side.LEFT, gap_points_px=None))
    with_words = overlay(film(shape), bones, hips).indices[:1200]
    without = overlay(film(shape), bones).indices[:1200]
    changed = with_words != without
    assert changed.any()
    assert not (changed & (bones > 0)).any()


def words_of(monkeypatch, *hips, masks_=None, radiograph=None):
    """Every text that an overlay writes."""
    written = []
    from hoseg.report import overlay as module

    module._legend.cache_clear()
    original = module.text_mask
    monkeypatch.setattr(
        module, "text_mask", lambda lines, size: written.extend(lines) or original(lines, size)
    )
    overlay(radiograph or film(), masks() if masks_ is None else masks_, hips)
    return written


def test_a_bridge_is_closed_and_an_interval_is_written_in_one_way(monkeypatch):
    bridge = FakeHip(brooker=4, gap_mm=0.0, gap_interval_mm=(0.0, 0.0), gap_points_px=None)
    assert "gap closed" in words_of(monkeypatch, bridge)
    assert "gap 8.0 mm (7.1-9.0)" in words_of(monkeypatch, FakeHip())


@pytest.mark.parametrize(
    ("view", "code", "words"),
    [
        (View.FROG_LEG, "view_not_ap", "provisional: frog-leg lateral"),
        (View.UNKNOWN, "view_unknown", "provisional: view not stated"),
    ],
)
def test_a_provisional_class_says_so_on_the_picture(monkeypatch, view, code, words):
    assert words in words_of(monkeypatch, FakeHip(view=view, provisional=(code,)))


def test_an_assumed_side_is_said_on_the_picture(monkeypatch):
    text = " ".join(words_of(monkeypatch, FakeHip(side_source="assumed")))
    assert "Right hip (side ASSUMED)" in text
    assert "nothing states how the film lies" in text
    assert "(side ASSUMED)" not in " ".join(words_of(monkeypatch, FakeHip()))


def test_few_words_and_many_call_an_assumed_side_the_same():
    hip = HipFinding(side="right", side_source="assumed", classes={"brooker": 0})
    assert _short_lines(hip)[0] == _hip_lines(hip)[0] == "Right hip (side ASSUMED)"


def test_the_legend_names_what_is_shown_and_no_more(monkeypatch):
    text = words_of(monkeypatch, masks_=masks() & np.uint8(3))
    assert "pelvis" in text
    assert "femur" in text
    assert "implant" not in text
    assert "ossification" not in text
    assert "implant" not in words_of(monkeypatch)


@pytest.mark.parametrize("source", list(SpacingSource))
def test_no_code_stands_on_the_picture(monkeypatch, source):
    radiograph = film()
    object.__setattr__(radiograph, "spacing", Spacing(0.4, 0.4, 0.04, source))
    text = " ".join(words_of(monkeypatch, radiograph=radiograph))
    assert CALIBRATIONS[source].split()[0] in text
    assert "untyped" not in text
    assert "geometry" not in text
    assert "_" not in text


def test_words_stand_on_the_half_of_their_hip():
    shape = (900, 1200)
    heads = {Side.RIGHT: (400.0, 300.0), Side.LEFT: (400.0, 900.0)}
    hips = [
        FakeHip(side, gap_points_px=None, landmarks=FakeLandmarks(head))
        for side, head in heads.items()
    ]
    empty = np.zeros(shape, np.uint8)
    for hip in hips:
        before = overlay(film(shape, 0.4), empty, ()).indices[:900]
        both = overlay(film(shape, 0.4), empty, tuple(hips)).indices[:900]
        alone = overlay(film(shape, 0.4), empty, (hip,)).indices[:900]
        assert (both != before).any()
        columns = np.nonzero((alone != before).any(axis=0))[0]
        rows = np.nonzero((alone != before).any(axis=1))[0]
        middle = np.array([rows.mean(), columns.mean()])
        assert np.hypot(*(middle - heads[hip.side])) <= 130 / 0.4
    changed = np.nonzero((both != before).any(axis=0))[0]
    assert not ((changed > 590) & (changed < 610)).any()  # no word crosses the midline


def test_the_fill_keeps_what_trabeculae_are_seen_by():
    table = colour_table().astype(float)
    light = [0.299, 0.587, 0.114]
    bright, dark = table[TINTED[150]] @ light, table[TINTED[110]] @ light
    plain = (table[150] - table[110]) @ light
    assert (bright - dark) / plain > 0.8


def test_words_without_a_place_go_to_the_strip():
    full = np.full((600, 500), int(Structure.PELVIS), np.uint8)
    hip = FakeHip(gap_points_px=None)
    assert overlay(film(), full, (hip,)).indices.shape[0] > overlay(film(), full).indices.shape[0]


@pytest.mark.parametrize("width", [331, 1000, 4000])
def test_small_and_large_films_are_drawn(width):
    shape = (round(width * 1.2), width)
    picture = overlay(film(shape, 400 / width), np.zeros(shape, np.uint8), (FakeHip(),))
    assert picture.indices.shape[1] == width


def test_a_real_finding_is_drawn():
    finding = grade_masks(masks(), Geometry(film().spacing, Side.RIGHT, View.AP_HIP))
    assert isinstance(overlay(film(), masks(), finding), Overlay)


def test_masks_of_another_size_are_refused():
    with pytest.raises(ValueError, match="do not fit"):
        overlay(film(), np.zeros((10, 10), np.uint8))


bits = arrays(
    np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=24), elements=st.integers(0, 15)
)


@given(bits)
def test_searching_where_a_structure_occurs_finds_what_searching_everywhere_does(masks):
    found = trace_contours(masks)
    assert list(found) == list(Structure)
    for structure, lines in found.items():
        everywhere, _ = cv2.findContours(
            masks & np.uint8(structure), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE
        )
        assert len(lines) == len(everywhere)
        assert all(np.array_equal(a, b) for a, b in zip(lines, everywhere, strict=True))
