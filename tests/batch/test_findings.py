"""findings.csv has exactly one row for every hip of every patient."""

import csv

import cv2
import pydicom
import pytest

import hoseg
from hoseg.batch.journal import JOURNAL, Entry, RunJournal
from hoseg.batch.run import run_batch, write_tables
from hoseg.batch.settings import RunSettings
from hoseg.infer.predictor import Options, Predictor
from hoseg.pipeline import Pipeline
from hoseg.simulate.folder import FolderSettings, write_folder

from .results import film, hip


def tables(out, *inputs):
    """Rows of findings.csv of a run with these inputs, each the results of its frames."""
    out.mkdir()
    with RunJournal(out / JOURNAL, "run") as journal:
        for position, frames in enumerate(inputs):
            entry = Entry.of(frames[0].source, "", frames)
            journal.record(entry, position)
        write_tables(journal, RunSettings(out=out))
    return rows(out / "findings.csv")


def rows(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def keys(found):
    return [row["hip"] for row in found]


def test_six_pictures_of_six_people_in_one_folder(tmp_path):
    people = [[film(f"in/{k}.png", hip("right", 0), hip("left", k % 5))] for k in range(6)]
    found = tables(tmp_path / "out", *people)
    assert len(set(keys(found))) == len(found) == 12
    assert keys(found)[:2] == ["in/0.png//right", "in/0.png//left"]
    assert [row["source"] for row in found[::2]] == [f"in/{k}.png" for k in range(6)]


def test_five_films_without_study_uid(tmp_path):
    films = [
        [film(f"{k}.dcm", hip("left", k), sop_uid=f"1.2.{k}", patient_id="P")] for k in range(5)
    ]
    found = tables(tmp_path / "out", *films)
    assert keys(found) == [f"1.2.{k}/P/left" for k in range(5)]
    assert [row["brooker"] for row in found] == ["0", "1", "2", "3", "4"]


def test_two_films_of_one_study_that_disagree(tmp_path):
    study = {"study_uid": "1.2", "patient_id": "P"}
    films = [
        [film("ap.dcm", hip("left", 2), hip("right", None), **study)],
        [film("oblique.dcm", hip("left", 3), hip("right", 1), **study)],
    ]
    right, left = sorted(tables(tmp_path / "out", *films), key=lambda row: row["side"] == "left")
    assert (left["hip"], left["brooker"], left["source"]) == ("1.2/P/left", "3", "oblique.dcm")
    assert left["caveats"] == "other_view_disagrees"
    assert (right["hip"], right["brooker"], right["caveats"]) == ("1.2/P/right", "1", "")


def test_several_patients_under_one_study_uid(tmp_path):
    films = [
        [film(f"{k}.dcm", hip("left", 1), study_uid="1.2", patient_id=patient)]
        for k, patient in enumerate(("A", "A", "B"))
    ]
    assert keys(tables(tmp_path / "out", *films)) == [
        "0.dcm/A/left", "1.dcm/A/left", "2.dcm/B/left",
    ]  # fmt: skip


def test_two_hips_of_unknown_side_in_one_picture(tmp_path):
    found = tables(tmp_path / "out", [film("a.png", hip("unknown", 4), hip("unknown", 1))])
    assert keys(found) == ["a.png//unknown-1", "a.png//unknown-2"]
    assert [row["brooker"] for row in found] == ["4", "1"]


def test_two_frames_of_one_file(tmp_path):
    def frames(**more):
        return [
            film("a.dcm", hip("left", 1), sop_uid="1.9", **more),
            film("a.dcm", hip("left", 3), frame=1, sop_uid="1.9", **more),
        ]

    (row,) = tables(tmp_path / "study", frames(study_uid="1.2", patient_id="P"))
    assert (row["hip"], row["brooker"], row["frame"]) == ("1.2/P/left", "3", "1")
    assert row["caveats"] == "other_view_disagrees"
    alone = tables(tmp_path / "alone", frames())
    assert keys(alone) == ["1.9//left", "1.9-frame1//left"]


def test_abstained_hips_keep_their_rows(tmp_path):
    (row,) = tables(tmp_path / "out", [film("a.png", hip("left", None))])
    assert (row["brooker"], row["abstained"], row["longest_mm"]) == ("", "cropped_hip", "")


@pytest.mark.parametrize(("source", "shown"), [("user", "0.0"), ("none", "")])
def test_a_hip_without_ossification_has_an_area_of_0_where_millimetres_are_known(
    tmp_path, source, shown
):
    (row,) = tables(tmp_path / "out", [film("a.png", hip("left", 0, spacing_source=source))])
    assert (row["ossification_area_mm2"], row["longest_mm"]) == (shown, shown)


@pytest.mark.parametrize("origin", ["draws", "model"])
def test_where_the_probabilities_come_from_stands_beside_them(tmp_path, origin):
    chances = {"brooker": (0.1, 0.2, 0.3, 0.2, 0.1)}
    one = hip("left", 2, class_probabilities=chances, class_probabilities_from=origin)
    (row,) = tables(tmp_path / "out", [film("a.png", one)])
    assert (row["brooker_p2"], row["class_probabilities_from"]) == ("0.3000", origin)


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """Simulated films: six as PNG, five DICOM without Study UID, and two of one study."""
    made, inputs = tmp_path_factory.mktemp("made"), tmp_path_factory.mktemp("in")
    write_folder(made / "png", FolderSettings(6, seed=3), 1, lambda: None)
    write_folder(made / "dicom", FolderSettings(7, seed=5, dicom=True), 1, lambda: None)
    for number, path in enumerate(sorted((made / "png").glob("*/image.png"))):
        picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        cv2.imwrite(str(inputs / f"person{number}.png"), picture)
    for number, path in enumerate(sorted((made / "dicom").glob("*/image.dcm"))):
        data = pydicom.dcmread(path)
        if number < 5:
            del data.StudyInstanceUID
        else:
            data.StudyInstanceUID, data.PatientID = "1.2.826.0.1.3680043.10.99", "Same"
            data.ImageLaterality, data.ViewPosition = "L", "AP"
        data.save_as(inputs / f"film{number}.dcm")
    return inputs


@pytest.mark.slow
def test_every_graded_hip_of_a_run_has_its_row_and_python_agrees(films, tmp_path):
    out = tmp_path / "out"
    predictor = Predictor(device="cpu", runtime="onnx", options=Options(gate=False))
    settings = RunSettings(out=out, device="cpu", runtime="onnx", workers=1, spacing_mm=0.3)
    list(run_batch([films], settings, predictor))
    images, found = rows(out / "images.csv"), rows(out / "findings.csv")
    assert len(set(keys(found))) == len(found)
    lone = [row for row in images if not row["study_uid"]]
    assert len(lone) == 11
    for row in lone:
        own = [hip for hip in found if hip["source"] == row["source"]]
        assert len(own) == int(row["hips"])
    assert sum(bool(row["brooker"]) for row in found if not row["study_uid"]) >= 11

    pair = [films / "film5.dcm", films / "film6.dcm"]
    study = Pipeline(predictor)(*(one for path in pair for one in hoseg.load(path)))
    ours = [row for row in found if row["study_uid"]]
    assert [(h.side.value, h.brooker) for h in study.hips] == [
        (row["side"], int(row["brooker"]) if row["brooker"] else None) for row in ours
    ]
    assert [";".join(note.code for note in h.caveats) for h in study.hips] == [
        row["caveats"] for row in ours
    ]
    assert any("other_view_disagrees" in row["caveats"] for row in ours)
