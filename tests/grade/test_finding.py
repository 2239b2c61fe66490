"""The JSON contract, two hips, study, maturity, and the command."""

import json

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from hoseg.cli.grade import app
from hoseg.errors import HosegError, InputError, SettingError
from hoseg.grade import grade_masks
from hoseg.radiograph import Orientation, Side

from .scene import TIP, Scene, known, opposing_boxes
from .shapes import Capsule, Ellipse, Pose

HALF = known((0.5, 0.5))


def two_hips():
    """Patient's right: a gap of 6 mm; left: nothing. A film as it hangs."""
    left = Scene(centre=(190.0, 100.0), size=(210.0, 280.0)).masks()
    right = np.ascontiguousarray(
        Scene(opposing_boxes(6.0), centre=(190.0, 100.0), size=(210.0, 280.0)).masks()[:, ::-1]
    )
    return left | right


def test_the_contract_of_the_json():
    hip = json.loads(Scene(opposing_boxes(8.0)).grade(draws=50).model_dump_json())
    assert hip["side"] in ("left", "right", "unknown")
    assert hip["classes"]["brooker"] == 3
    assert hip["classes"]["della_valle"] == "C"
    assert len(hip["class_probabilities"]["brooker"]) == 5
    assert hip["pattern"] == "opposing_spurs"
    assert hip["gap_mm"] == 8.0
    assert hip["gap_interval_mm"][0] < 8.0 < hip["gap_interval_mm"][1]
    assert np.shape(hip["gap_points_px"]) == (2, 2)
    assert hip["spacing_source"] == "fiducial"
    assert hip["abstained"] is None
    assert {line["system"] for line in hip["trace"]} == set(hip["classes"])
    for component in hip["components"]:
        assert set(component) >= {
            "area_mm2",
            "length_mm",
            "attached_to",
            "sites",
            "distance_to_pelvis_mm",
            "distance_to_femur_mm",
            "bbox_px",
        }


def test_measurements_of_a_component():
    finding = Scene((Ellipse((70.0, -30.0), (9.0, 4.0)),)).grade((0.25, 0.2))
    (component,) = finding.components
    assert component.area_mm2 == pytest.approx(np.pi * 36, rel=0.02)
    assert component.length_mm == pytest.approx(18, abs=0.3)
    assert np.allclose(component.centroid_px, (70 / 0.25, 160 / 0.2), atol=1)
    row0, column0, row1, column1 = component.bbox_px
    assert (row1 - row0) * 0.25 == pytest.approx(8, abs=0.6)
    assert (column1 - column0) * 0.2 == pytest.approx(18, abs=0.6)


def test_landmarks():
    landmarks = Scene().grade().landmarks
    assert np.allclose(landmarks.head_px, (200, 180), atol=2)
    assert landmarks.head_source == "femur"
    tip = np.array(landmarks.trochanter_tip_px) / 2 - (100, 90)
    assert np.hypot(*(tip[::-1] - TIP)) < 2.5
    assert landmarks.lesser_trochanter_px is not None
    assert landmarks.acetabular_margin_px is not None


@pytest.mark.parametrize(
    ("pattern", "shapes"),
    [
        ("spur", [opposing_boxes(20.0)[0]]),
        ("spur", [opposing_boxes(20.0)[1]]),
        ("islands", [Ellipse((70.0, -30.0), (9.0, 4.0))]),
        ("none", []),
    ],
)
def test_patterns(pattern, shapes):
    finding = Scene(tuple(shapes)).grade()
    assert finding.pattern == pattern
    assert finding.extent == ("none" if pattern == "none" else "focal")


def test_two_hips_and_their_sides():
    right, left = grade_masks(two_hips(), HALF, draws=0)
    assert (right.side, right.brooker) == (Side.RIGHT, 3)
    assert (left.side, left.brooker) == (Side.LEFT, 0)
    assert right.gap_mm == pytest.approx(6.0, abs=0.1)
    flipped = grade_masks(np.ascontiguousarray(two_hips()[:, ::-1]), HALF, draws=0)
    assert [(f.side, f.brooker) for f in flipped] == [(Side.RIGHT, 0), (Side.LEFT, 3)]
    unknown = grade_masks(
        two_hips(), known((0.5, 0.5), orientation=Orientation(columns=Side.UNKNOWN)), draws=0
    )
    assert {finding.side for finding in unknown} == {Side.UNKNOWN}


def test_a_stated_side_settles_one_hip():
    scene = Scene(opposing_boxes(8.0))
    assert scene.grade().side_source == "assumed"
    stated = scene.grade(side=Side.LEFT)
    assert (stated.side, stated.side_source) == (Side.LEFT, "given")
    assert "side" not in {note.code for note in stated.caveats}
    known_orientation = Orientation(columns=Side.RIGHT, source="attribute")
    assert scene.grade(orientation=known_orientation).side is Side.RIGHT


@pytest.mark.parametrize("source", ["assumed", "attribute", "presentation"])
def test_a_stated_side_that_the_picture_contradicts_is_kept_with_a_caveat(source):
    scene = Scene(opposing_boxes(8.0))
    found = scene.grade(side=Side.RIGHT, orientation=Orientation(source=source))
    assert (found.side, found.side_source) == (Side.RIGHT, "contradicted")
    caveat = next(note.text for note in found.caveats if note.code == "side")
    assert "contradict" in caveat


@pytest.mark.parametrize(("level", "expected"), [(0.25, "hazy"), (0.9, "mature_discrete")])
def test_maturity_from_the_density(level, expected):
    scene = Scene((Ellipse((70.0, -30.0), (10.0, 5.0)),))
    masks = scene.masks()
    image = np.full(masks.shape, 100.0)
    image[masks & 3 > 0] = 300.0
    image[masks & 8 > 0] = 100 + 200 * level
    (component,) = scene.grade(image=image).components
    assert component.relative_density == pytest.approx(level, abs=0.05)
    assert component.maturity == expected
    assert scene.grade().components[0].maturity is None


def write(path, masks):
    cv2.imwrite(str(path), masks)
    return str(path)


def test_the_command_prints_json(tmp_path):
    path = write(tmp_path / "m.png", Scene(opposing_boxes(8.0)).masks())
    result = CliRunner().invoke(app, [path, "--spacing-mm", "0.5", "--side", "left", "--json"])
    assert result.exit_code == 0
    (hip,) = json.loads(result.stdout)["hips"]
    assert (hip["side"], hip["classes"]["brooker"], hip["gap_mm"]) == ("left", 3, 8.0)


def test_the_command_prints_for_people(tmp_path):
    path = write(tmp_path / "m.png", Scene(opposing_boxes(8.0)).masks())
    result = CliRunner().invoke(app, [path, "--spacing-mm", "0.5,0.5", "--spacing-sd-mm", "0.02"])
    assert result.exit_code == 0
    assert "III: gap 8.0 mm" in result.stdout
    assert "Not a medical device" in result.stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--spacing-mm", "0"], "--spacing-mm = '0'"),
        (["--spacing-mm", "nan"], "--spacing-mm = 'nan'"),
        (["--spacing-mm", "-1"], "--spacing-mm = '-1'"),
        (["--spacing-mm", "a,b"], "--spacing-mm = 'a,b'"),
        (["--spacing-sd-mm", "0.1"], "--spacing-sd-mm"),
        (["--spacing-mm", "0.5", "--spacing-sd-mm", "-0.1"], "--spacing-sd-mm"),
        (["--side", "up"], "left, right, unknown"),
        (["--view", "lateral"], "frog_leg"),
    ],
)
def test_the_command_refuses_bad_options(tmp_path, options, words):
    path = write(tmp_path / "m.png", np.zeros((50, 50), np.uint8))
    result = CliRunner().invoke(app, [path, *options])
    assert isinstance(result.exception, SettingError)
    assert words in str(result.exception)


def test_the_command_names_the_file_that_is_wrong(tmp_path):
    cases = {
        "colour.png": (np.zeros((50, 50, 3), np.uint8), SettingError, "shape"),
        "deep.png": (np.zeros((50, 50), np.uint16), SettingError, "uint16"),
        "bits.png": (np.full((50, 50), 200, np.uint8), SettingError, "200"),
    }
    for name, (pixels, kind, words) in cases.items():
        result = CliRunner().invoke(app, [write(tmp_path / name, pixels)])
        assert isinstance(result.exception, kind)
        assert words in str(result.exception)
        assert name in str(result.exception)
    (tmp_path / "text.png").write_text("not a picture")
    for name in ("text.png", "missing.png"):
        result = CliRunner().invoke(app, [str(tmp_path / name)])
        assert isinstance(result.exception, InputError)
        assert isinstance(result.exception, HosegError)
        assert name in str(result.exception)


def test_a_turned_pelvis_keeps_side_and_landmarks():
    turned = Scene(centre=(110.0, 125.0), size=(270.0, 240.0)).grade(pose=Pose(angle=0.33))
    assert (turned.side, turned.abstained, turned.brooker) == (Side.LEFT, None, 0)
    assert turned.landmarks.head_radius_mm == pytest.approx(
        Scene().grade().landmarks.head_radius_mm, abs=0.3
    )


def test_a_medial_spur_is_medial():
    spur = Capsule((-20.0, 52.0), (12.0, 62.0), 3.0)
    finding = Scene((spur,)).grade()
    assert finding.components[0].attached_to == ("pelvis",)
    assert finding.components[0].sites == ("medial",)
    assert finding.filled_fraction == 0.0
