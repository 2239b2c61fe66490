import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from hoseg.cli.dataset import app
from hoseg.datasets import open_dataset
from hoseg.datasets.check import check


def codes(folder: Path) -> dict[str, set[str]]:
    """Cases by the code of what is wrong with them."""
    found: dict[str, set[str]] = {}
    for finding in check(open_dataset(folder))[1]:
        found.setdefault(finding.code, set()).add(finding.case)
    return found


def edit_table(folder: Path, old: str, new: str) -> None:
    path = folder / "dataset.csv"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_good_dataset_has_no_findings(folder: Path) -> None:
    seen: list[int] = []
    summary, findings = check(open_dataset(folder), lambda: seen.append(1))
    assert findings == []
    assert (summary.films, summary.patients, summary.graded_hips) == (4, 2, 4)
    assert summary.with_structure == {"pelvis": 4, "femur": 4, "implant": 4, "ossification": 4}
    assert len(seen) == 4


def test_each_mistake_is_found_in_its_file(folder: Path) -> None:
    masks = folder / "masks"
    cv2.imwrite(str(masks / "film0.png"), np.ones((10, 10), np.uint8))
    cv2.imwrite(str(masks / "film1.png"), np.zeros((70, 90), np.uint8))
    cv2.imwrite(str(masks / "film2.png"), np.full((70, 90), 64, np.uint8))
    (masks / "film3.png").unlink()
    assert codes(folder) == {
        "size_mismatch": {"film0"},
        "empty_mask": {"film1"},
        "unknown_label": {"film2"},
        "no_mask": {"film3"},
    }


def test_a_patient_on_both_sides_of_a_split(folder: Path) -> None:
    edit_table(folder, "film0,patient0,,", "film0,patient0,train,")
    edit_table(folder, "film1,patient0,,", "film1,patient0,test,")
    assert codes(folder) == {"patient_leak": {"film0", "film1"}}


def test_wrong_spacing(folder: Path) -> None:
    edit_table(folder, "film2,patient1,,0.7", "film2,patient1,,7.0")
    assert codes(folder)["wrong_spacing"] == {"film2"}


def test_grade_without_ossification(folder: Path) -> None:
    path = folder / "masks" / "film1.png"
    cv2.imwrite(str(path), cv2.imread(str(path), cv2.IMREAD_UNCHANGED) & 7)
    assert codes(folder) == {"empty_ossification": {"film1"}}


def test_the_same_film_under_two_patients(folder: Path) -> None:
    data = (folder / "images" / "film0.png").read_bytes()
    (folder / "images" / "film3.png").write_bytes(data)
    findings = check(open_dataset(folder))[1]
    assert [(f.code, f.severity, f.case) for f in findings] == [("duplicate", "error", "film3")]


def test_command_reports_and_sets_the_exit_status(folder: Path) -> None:
    runner = CliRunner()
    good = runner.invoke(app, ["check", str(folder), "--json"])
    assert good.exit_code == 0
    assert json.loads(good.stdout)["findings"] == []
    (folder / "masks" / "film3.png").unlink()
    bad = runner.invoke(app, ["check", str(folder), "--json"])
    assert bad.exit_code == 1
    assert json.loads(bad.stdout)["findings"][0]["case"] == "film3"
    shown = runner.invoke(app, ["check", str(folder)])
    assert "no_mask" in shown.stdout


@pytest.mark.parametrize("format", ["coco", "labelme"])
def test_command_converts(folder: Path, tmp_path: Path, format: str) -> None:
    out = tmp_path / "out"
    done = CliRunner().invoke(
        app, ["convert", str(folder), "--to", format, "--out", str(out), "--json"]
    )
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["films"] == 4
    assert len(open_dataset(out, format).films) == 4
