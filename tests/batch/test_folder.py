"""The folder of the results holds one run: never two mixed, never less than before unasked."""

from __future__ import annotations

import json
import shutil

import pytest

import hoseg
from hoseg.batch.folder import claim_folder
from hoseg.batch.run import review_entries
from hoseg.errors import SettingError
from hoseg.review.store import STORE, Correction, ReviewStore

from .films import dicom_film, image_folders, rows, save, tables


@pytest.fixture
def films(tmp_path):
    for seed in (0, 1):
        save(dicom_film(seed, uid=f"1.2.{seed}"), tmp_path / "in" / f"{seed}.dcm")
    return tmp_path / "in"


@pytest.fixture
def done(films, run, tmp_path):
    run(tmp_path / "out", films)
    return tmp_path / "out"


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(("-wal", "-shm"))
    }


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"spacing_mm": 0.2}, "--spacing-mm not given, now 0.2"),
        ({"override_spacing_mm": 1.0}, "--override-spacing-mm not given, now 1.0"),
        ({"seed": 3}, "--seed 0, now 3"),
        ({"device": "auto"}, "--device cpu, now auto"),
        ({"deidentify": True}, "--deidentify not given, now given"),
    ],
)
def test_other_settings_are_refused_by_name(more, words, done, run, tmp_path):
    before = contents(done)
    (tmp_path / "more").mkdir()
    with pytest.raises(SettingError, match="another folder, or --replace") as caught:
        run(done, tmp_path / "in", **more)
    assert words in str(caught.value)
    assert caught.value.key == "--out"
    assert contents(done) == before


def test_another_version_is_refused_by_name(done, run, monkeypatch, films):
    was = hoseg.__version__
    monkeypatch.setattr(hoseg, "__version__", "99.1")
    with pytest.raises(SettingError, match=f"hoseg {was}, now 99.1"):
        run(done, films)
    (done / "run.json").unlink()  # killed before it was written
    with pytest.raises(SettingError, match=f"hoseg {was}, now 99.1"):
        run(done, films)


@pytest.mark.parametrize(
    "more", [{"workers": 2}, {"limit_s": 60.0}, {"parquet": False}, {"replace": True}]
)
def test_settings_that_change_no_result_go_on(more, done, run, films):
    before = tables(done)
    assert all(step.before for step in run(done, films, **more))
    assert tables(done) == before


def test_replacing_leaves_only_the_new_run(done, run, films):
    (done / "studies" / "mine.txt").write_text("kept")
    old = image_folders(done)
    (films / "1.dcm").unlink()
    steps = run(done, films, spacing_mm=0.2, replace=True)
    assert not any(step.before for step in steps)
    assert len(rows(done)) == 1
    assert image_folders(done) < old
    assert len(review_entries(done)) == 1
    assert json.loads((done / "run.json").read_text())["settings"]["spacing_mm"] == 0.2
    assert (done / "studies" / "mine.txt").read_text() == "kept"
    assert all(step.before for step in run(done, films, spacing_mm=0.2, replace=True))
    with pytest.raises(SettingError, match=r"0\.2, now not given"):
        run(done, films)


def test_what_was_reviewed_is_never_replaced(done, run, films):
    image = min(image_folders(done))
    with ReviewStore(done / STORE) as store:
        store.add(Correction("Ada", image, "sign"))
    before = contents(done)
    with pytest.raises(SettingError, match="1 images were reviewed") as caught:
        run(done, films, spacing_mm=0.2, replace=True)
    assert caught.value.key == "--replace"
    assert contents(done) == before


def test_a_reviewed_film_that_changes_keeps_its_folder(done, run, films):
    image = next(folder for folder in image_folders(done) if folder.endswith("1.2.1"))
    with ReviewStore(done / STORE) as store:
        store.add(Correction("Ada", image, "sign"))
    for number in (0, 1):
        save(dicom_film(7, uid=f"1.3.{number}"), films / f"{number}.dcm")  # other films now
    run(done, films)
    left = {folder.rpartition("/")[2] for folder in image_folders(done)}
    assert left == {"1.2.1", "1.3.0", "1.3.1"}


@pytest.mark.parametrize("name", ["images.csv", "run.json", "review.html", "findings.parquet"])
@pytest.mark.parametrize("replace", [False, True])
def test_files_of_others_are_not_written_over(name, replace, films, run, tmp_path):
    out = tmp_path / "mine"
    out.mkdir()
    (out / name).write_text('{"mine": 1}')
    with pytest.raises(SettingError, match=f"{name} in it was not written by hoseg run"):
        run(out, films, replace=replace)
    assert [path.name for path in out.iterdir()] == [name]


def test_a_folder_that_holds_something_else_is_used(films, run, tmp_path):
    out = tmp_path / "mine"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    run(out, films)
    assert len(rows(out)) == 2
    assert (out / "notes.txt").read_text() == "mine"


def test_results_without_their_journal_are_another_runs(done, run, films):
    (done / "journal.sqlite").unlink()
    with pytest.raises(SettingError, match=r"no journal.sqlite"):
        run(done, films)
    run(done, films, replace=True)
    assert len(rows(done)) == 2


def test_review_page_and_tables_show_the_same_run(done, run, films):
    """A folder that an older version mixed: the tables are the last run's, which is smaller."""
    journal = done / "journal.sqlite"
    kept = shutil.copy(journal, done.parent / "journal")
    (films / "1.dcm").unlink()
    run(done, films, spacing_mm=0.2, replace=True)
    import sqlite3

    base = sqlite3.connect(journal)
    base.execute("ATTACH ? AS old", (str(kept),))
    base.execute("UPDATE old.results SET identity = 'old ' || identity")
    base.execute("INSERT INTO results SELECT * FROM old.results")
    base.commit()
    base.close()
    assert len(rows(done)) == 1
    assert [entry["source"] for entry in review_entries(done)] == [rows(done)[0]["source"]]


def test_a_claim_can_be_made_twice(tmp_path, run):
    settings = run.settings(tmp_path / "out")
    claim_folder(settings, "tiny@0")
    claim_folder(settings, "tiny@0")
    assert list((tmp_path / "out").iterdir()) == []
