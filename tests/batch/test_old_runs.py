"""A folder that hoseg 0.3 wrote: its journal holds rows of images.csv, not results."""

import json
import sqlite3

import cv2
import numpy as np
import pytest

from hoseg.batch.journal import JOURNAL, RunJournal
from hoseg.batch.run import review_entries, run_batch
from hoseg.batch.settings import RunSettings
from hoseg.errors import SettingError
from hoseg.infer.predictor import Options, Predictor
from hoseg.report.schema import to_json
from hoseg.report.tables import image_row
from hoseg.review.store import STORE, Correction, ReviewStore

from .results import film, hip

OLD_TABLES = """
CREATE TABLE inputs (
    source TEXT PRIMARY KEY, position INTEGER NOT NULL, stamp TEXT NOT NULL, run TEXT NOT NULL,
    study TEXT NOT NULL, status TEXT NOT NULL, image TEXT NOT NULL, hips TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX by_position ON inputs (position);
CREATE INDEX by_study ON inputs (study);
"""


@pytest.fixture
def old_run(tmp_path):
    """Two graded films and one that could not be read, with a grade by a reader."""
    out = tmp_path / "run"
    results = [
        film("a.dcm", hip("left", 3, at_least=None), study_uid="1.2", patient_id="P"),
        film("b.dcm", hip("right", None, at_least=4), study_uid="1.3", patient_id="Q"),
        film("c.dcm").model_copy(update={"status": "failed", "folder": "", "image": None}),
    ]
    for result in results[:2]:
        (out / result.folder).mkdir(parents=True)
        (out / result.folder / "result.json").write_text(to_json(result))
    base = sqlite3.connect(out / JOURNAL)
    base.execute("PRAGMA journal_mode=WAL")
    base.executescript(OLD_TABLES)
    for position, result in enumerate(results):
        row = json.dumps(image_row(result))
        values = (result.source, position, "stamp", "0123", "S", result.status, row, "[]")
        base.execute("INSERT INTO inputs VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
    base.commit()
    base.close()
    with ReviewStore(out / STORE) as store:
        store.add(Correction("Ada", results[0].folder, "grade", "left", "2"))
    return out


def old_rows(out):
    base = sqlite3.connect(out / JOURNAL)
    rows = base.execute("SELECT * FROM inputs ORDER BY position").fetchall()
    base.close()
    return rows


def test_it_opens_for_review_with_nothing_lost(old_run):
    before = old_rows(old_run)
    second, first = review_entries(old_run)  # what is abstained on comes first
    assert (first["source"], first["patient"], first["hips"][0]["brooker"]) == ("a.dcm", "P", 3)
    assert (second["source"], second["hips"][0]["least"]) == ("b.dcm", 4)
    assert review_entries(old_run) == [second, first]
    assert old_rows(old_run) == before
    with ReviewStore(old_run / STORE) as store:
        assert [grade["value"] for grade in store.latest_grades()] == ["2"]


def test_an_image_whose_result_is_gone_is_still_listed(old_run):
    next(old_run.glob("studies/*/a.dcm-0/result.json")).unlink()
    next(old_run.glob("studies/*/b.dcm-0/result.json")).write_text('{"hips": 3}')
    entries = {entry["source"]: entry for entry in review_entries(old_run)}
    assert entries["a.dcm"]["status"] == "graded"
    assert entries["b.dcm"]["status"] == "abstained"
    assert entries["a.dcm"]["hips"] == entries["b.dcm"]["hips"] == []


def run_again(old_run, tiny_model, tmp_path, **more):
    noise = np.random.default_rng(0).normal(size=(400, 380)).astype(np.float32)
    picture = (30000 + 200000 * cv2.GaussianBlur(noise, (0, 0), 8)).astype(np.uint16)
    (tmp_path / "in").mkdir(exist_ok=True)
    for name in "abc":
        path = tmp_path / "in" / f"{name}.png"
        if not path.exists():
            cv2.imwrite(str(path), picture)
    predictor = Predictor(tiny_model, device="cpu", runtime="onnx", options=Options(gate=False))
    settings = RunSettings(
        out=old_run,
        model=str(tiny_model),
        device="cpu",
        runtime="onnx",
        workers=1,
        spacing_mm=0.8,
        **more,
    )
    return list(run_batch([tmp_path / "in"], settings, predictor))


def test_another_version_never_runs_over_what_was_reviewed(old_run, tiny_model, tmp_path):
    before = old_rows(old_run)
    with pytest.raises(SettingError, match="--replace"):
        run_again(old_run, tiny_model, tmp_path)
    with pytest.raises(SettingError, match="1 images were reviewed"):
        run_again(old_run, tiny_model, tmp_path, replace=True)
    assert old_rows(old_run) == before
    assert len(review_entries(old_run)) == 2


def test_another_version_may_replace_what_nobody_reviewed(old_run, tiny_model, tmp_path):
    (old_run / STORE).unlink()
    (old_run / "studies" / "s" / "notes.txt").write_text("mine")
    with pytest.raises(SettingError, match="--replace"):
        run_again(old_run, tiny_model, tmp_path)
    steps = run_again(old_run, tiny_model, tmp_path, replace=True)
    assert not any(step.before for step in steps)
    assert len((old_run / "images.csv").read_text().splitlines()) == 4
    assert {entry["source"][-4:] for entry in review_entries(old_run)} == {".png"}
    assert not list(old_run.rglob("a.dcm-0"))
    assert (old_run / "studies" / "s" / "notes.txt").read_text() == "mine"
    again = run_again(old_run, tiny_model, tmp_path, replace=True)  # nothing left to replace
    assert all(step.before for step in again)


def test_a_new_run_that_has_just_begun_does_not_hide_the_old_one(old_run):
    with RunJournal(old_run / JOURNAL, "new") as journal:
        assert list(journal.results()) == []
    assert len(review_entries(old_run)) == 2
