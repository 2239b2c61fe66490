"""The loop closes: from a served page to data that ``evaluate`` and ``train`` read."""

import base64
import csv
import json

import cv2
import numpy as np
import pydicom
import pytest
import yaml
from typer.testing import CliRunner

from hoseg.cli.app import app
from hoseg.datasets import open_dataset
from hoseg.errors import InputError, OutputError
from hoseg.evaluate.readers import compare_readers, read_grades
from hoseg.grade import combine, grade_masks
from hoseg.radiograph import Side, Structure
from hoseg.report.schema import read_result
from hoseg.report.tables import FINDING_COLUMNS, finding_row, write_csv
from hoseg.review.exports import export_dataset, export_grades
from hoseg.review.store import STORE, Correction, ReviewStore

from .conftest import Client, serving
from .films import CURRENT, FILMS, HOSTILE, PRIOR, SINGLE, as_exported, write_run

HO = np.uint8(Structure.OSSIFICATION)


def masks_of(run, film):
    return cv2.imread(str(run / film.folder / "masks.png"), cv2.IMREAD_UNCHANGED)


def drawn(run, film):
    """A reader's mask: the computer's without its first rows, and a square."""
    mask = (masks_of(run, film) & HO) > 0
    mask[: len(mask) // 2] = False
    mask[5:25, 5:25] = True
    return mask


def rgba(mask):
    """PNG of a mask as the page sends it."""
    picture = np.zeros((*mask.shape, 4), np.uint8)
    picture[mask] = (41, 133, 255, 255)
    return cv2.imencode(".png", picture)[1].tobytes()


def hoseg(*arguments):
    done = CliRunner().invoke(app, [str(a) for a in arguments])
    assert done.exit_code == 0, (done.output, done.exception)
    return done.stdout


def table(path):
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def correct_on_the_page(run, films=(CURRENT, SINGLE)):
    """Ada draws masks and grades every hip through the server; Bob grades too."""
    with serving(run) as server:
        client = Client(server)
        for film in films:
            text = base64.b64encode(rgba(drawn(run, film))).decode()
            said = {"reader": "Ada", "image": film.folder, "kind": "mask", "mask_png": text}
            assert client.post(said)[0] == 200
            for hip in read_result(run / film.folder / "result.json").hips:
                for reader, shift in (("Ada", 0), ("Bob", 1)):
                    value = str(min(4, int(hip.classes["brooker"]) + shift))
                    said = {"reader": reader, "image": film.folder, "kind": "grade",
                            "side": hip.side.value, "value": value}  # fmt: skip
                    assert client.post(said)[0] == 200


def test_the_loop_closes_for_readers(run, tmp_path):
    correct_on_the_page(run)
    for reader in ("Ada", "Bob"):
        hoseg("review", run, "--grades", tmp_path / f"{reader}.csv", "--reader", reader)
    rows = table(tmp_path / "Ada.csv")
    assert [(row["side"], row["brooker"]) for row in rows] == [
        ("right", "3"), ("left", "2"), ("left", "4"),
    ]  # fmt: skip
    assert {row["patient"] for row in rows} == {CURRENT.patient, SINGLE.patient}
    out = hoseg(
        "evaluate", "--readers", tmp_path / "Ada.csv", tmp_path / "Bob.csv",
        "--out", tmp_path / "agreement", "--bootstrap", "20", "--json",
    )  # fmt: skip
    assert json.loads(out)["counts"] == {"hips": 3, "only_first": 0, "only_second": 0}
    assert np.asarray(json.loads(out)["confusion"])[3, 4] == 1


def test_sides_survive_the_way_into_a_dataset(run, tmp_path):
    """One graded hip of a film of both, films that lie the other way: the same hips come back."""
    expected = {}
    with ReviewStore(run / STORE) as store:
        for film in (CURRENT, HOSTILE, PRIOR, SINGLE):
            result = read_result(run / film.folder / "result.json")
            expected[result.folder.replace("/", "_")] = {h.side: h.brooker for h in result.hips}
            store.add(Correction("Ada", film.folder, "mask"), rgba((masks_of(run, film) & HO) > 0))
            hip = result.hips[0]
            store.add(Correction("Ada", film.folder, "grade", hip.side.value, str(hip.brooker)))
    assert export_dataset(run, tmp_path / "data") == 4
    for film in open_dataset(tmp_path / "data").films:
        read = film.read()
        hips = grade_masks(read.masks, read.radiograph.geometry)
        assert {hip.side: hip.brooker for hip in hips} == expected[film.case]


def test_a_blinded_grade_is_exported_though_a_later_one_was_not(run, tmp_path):
    with ReviewStore(run / STORE) as store:
        store.add(Correction("Ada", CURRENT.folder, "grade", "left", "2", blinded=True))
        store.add(Correction("Ada", CURRENT.folder, "grade", "left", "4"))
        store.add(Correction("Ada", CURRENT.folder, "mask"), rgba(drawn(run, CURRENT)))
    out = tmp_path / "grades.csv"
    hoseg("review", run, "--grades", out, "--reader", "Ada")
    assert [(row["brooker"], row["blinded"]) for row in table(out)] == [("4", "0")]
    hoseg("review", run, "--grades", out, "--reader", "Ada", "--blinded")
    assert [(row["brooker"], row["blinded"]) for row in table(out)] == [("2", "1")]
    assert export_dataset(run, tmp_path / "all") == 1
    assert export_dataset(run, tmp_path / "blinded", blinded=True) == 0


def test_a_reader_is_comparable_with_the_run(run, tmp_path):
    correct_on_the_page(run)
    export_grades(run, tmp_path / "ada.csv", "Ada")
    results = [read_result(run / film.folder / "result.json") for film in FILMS]
    rows = [finding_row(hip) for hip in combine(results)]
    write_csv(tmp_path / "findings.csv", FINDING_COLUMNS, rows)
    pair = read_grades(tmp_path / "ada.csv"), read_grades(tmp_path / "findings.csv")
    found = compare_readers(*pair, np.random.default_rng(0), 10)
    assert len(found.pairs) == 3
    assert found.only_first == 0
    assert np.trace(found.matrix) == 3


def test_the_loop_closes_for_training_data(run, tmp_path):
    correct_on_the_page(run)
    said = hoseg("review", run, "--dataset", tmp_path / "data", "--json")
    assert json.loads(said) == {"images": 2}
    films = {film.patient: film for film in open_dataset(tmp_path / "data").films}
    assert set(films) == {CURRENT.patient, SINGLE.patient}
    for film in (CURRENT, SINGLE):
        image = films[film.patient].read()
        before = masks_of(run, film)
        assert np.array_equal((image.masks & HO) > 0, as_exported(film, drawn(run, film)))
        assert np.array_equal(image.masks & ~HO, as_exported(film, before & ~HO))
        assert image.radiograph.shape == before.shape
        assert image.radiograph.spacing is not None
        assert np.ptp(image.radiograph.pixels) > 1000
    sides = {hip.side: hip.brooker for hip in films[CURRENT.patient].read().hips}
    assert sides.keys() == {Side.RIGHT, Side.LEFT}


@pytest.mark.slow
def test_the_loop_closes_for_training(tmp_path):
    run = write_run(tmp_path)
    correct_on_the_page(run, FILMS[:4])
    hoseg("review", run, "--dataset", tmp_path / "data", "--reader", "Ada")
    config = {
        "name": "tiny",
        "spacing_mm": 1.0,
        "crop_px": 64,
        "workers": 0,
        "network": {"options": {"widths": [8, 8, 16], "context": [1], "deep_levels": [1]}},
        "sources": [{"kind": "labelled", "path": "data"}],
        "optimisation": {"steps": 2, "batch": 2, "warmup": 1, "precision": "fp32"},
        "validation": {"every": 1, "films": 1, "folds": 2},
    }
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(config))
    out = hoseg(
        "train", tmp_path / "tiny.yaml", "--out", tmp_path / "trained", "--accelerator", "cpu",
        "--threads", "1", "--json",
    )  # fmt: skip
    assert json.loads(out)["name"] == "tiny"
    assert (tmp_path / "trained" / "model").is_dir()


def test_the_newest_grade_and_mask_count(run, tmp_path):
    with ReviewStore(run / STORE) as store:
        for value in "130":
            store.add(Correction("Ada", SINGLE.folder, "grade", "left", value))
        first, second = drawn(run, SINGLE), np.zeros_like(drawn(run, SINGLE))
        second[30:40, 30:50] = True
        for mask in (first, second):
            store.add(Correction("Ada", SINGLE.folder, "mask"), rgba(mask))
    export_grades(run, tmp_path / "grades.csv")
    assert [row["brooker"] for row in table(tmp_path / "grades.csv")] == ["0"]
    export_dataset(run, tmp_path / "data")
    (film,) = open_dataset(tmp_path / "data").films
    assert np.array_equal((film.read().masks & HO) > 0, as_exported(SINGLE, second))


def test_several_readers_are_named(run, tmp_path):
    correct_on_the_page(run)
    said = hoseg("review", run, "--grades", tmp_path / "all.csv")
    assert "6 grades" in said
    assert "Ada, Bob" in said
    assert "--reader" in said


def test_text_that_a_spreadsheet_would_run_is_defused(run, tmp_path):
    with ReviewStore(run / STORE) as store:
        store.add(Correction('=HYPERLINK("x")', HOSTILE.folder, "grade", "left", "1"))
    export_grades(run, tmp_path / "grades.csv")
    (row,) = table(tmp_path / "grades.csv")
    assert row["reader"] == '\'=HYPERLINK("x")'
    assert row["blinded"] == "0"


def test_an_input_that_moved_is_named(tmp_path):
    run = write_run(tmp_path)
    with ReviewStore(run / STORE) as store:
        store.add(Correction("Ada", PRIOR.folder, "mask"), rgba(drawn(run, PRIOR)))
    (tmp_path / "in" / "prior.dcm").unlink()
    with pytest.raises(InputError, match=r"prior\.dcm: has moved"):
        export_dataset(run, tmp_path / "data")


def test_a_run_folder_of_strangers_names_no_other_film(tmp_path):
    run = write_run(tmp_path)
    with ReviewStore(run / STORE) as store:
        store.add(Correction("Ada", PRIOR.folder, "mask"), rgba(drawn(run, PRIOR)))
    private = pydicom.dcmread(tmp_path / "in" / "prior.dcm")
    private.SOPInstanceUID = "1.2.3.4"
    private.save_as(tmp_path / "private.dcm")
    path = run / PRIOR.folder / "result.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"source": str(tmp_path / "private.dcm")}))
    with pytest.raises(InputError, match="is not the film") as caught:
        export_dataset(run, tmp_path / "data")
    assert caught.value.code == "source_changed"
    assert not list((tmp_path / "data").rglob("*.png"))


def test_a_tampered_history_cannot_lead_out_of_the_run(run, tmp_path):
    with ReviewStore(run / STORE) as store:
        store.add(Correction("Ada", "../../elsewhere", "grade", "left", "1"))
    with pytest.raises(OutputError, match="leads out of"):
        export_grades(run, tmp_path / "grades.csv")
    assert not (tmp_path / "grades.csv").exists()


def test_a_run_without_corrections_is_said_so(run, tmp_path):
    with pytest.raises(OutputError, match="nothing was saved yet"):
        export_grades(run, tmp_path / "grades.csv")
    assert not (run / STORE).exists()


def test_a_folder_that_is_no_run_is_said_so(tmp_path):
    done = CliRunner().invoke(app, ["review", str(tmp_path)])
    assert isinstance(done.exception, OutputError)
    assert "journal.sqlite" in str(done.exception)
