"""Inputs of one SOP Instance UID: a damaged copy hides nothing, and equal names prove nothing."""

from __future__ import annotations

import shutil

import imagecodecs
import numpy as np
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGLSLossless

from hoseg.report.schema import read_result

from .films import dicom_film, image_folders, rows, said, save, tables

FOLDER = "studies/1.2.3.4.1/1.2.3.4"


def encoded(film):
    """The same pixels in another encoding."""
    pixels = np.frombuffer(film.PixelData, np.uint16).reshape(film.Rows, film.Columns)
    film.PixelData = encapsulate([imagecodecs.jpegls_encode(pixels)])
    film["PixelData"].is_undefined_length = True
    film.file_meta.TransferSyntaxUID = JPEGLSLossless
    return film


@pytest.mark.parametrize("order", ["bg", "gb", "bgg", "gbg", "bb"])
def test_a_damaged_copy_hides_nothing_whatever_the_order(order, run, tmp_path):
    for number, kind in enumerate(order):
        save(dicom_film(), tmp_path / "in" / f"{number}{kind}.dcm", cut=0.6 if kind == "b" else 1)
    run(tmp_path / "out", tmp_path / "in")
    found = said(tmp_path / "out")
    assert [found[name] for name in sorted(found) if "b" in name] == ["truncated"] * order.count(
        "b"
    )
    good = [found[name] for name in sorted(found) if "g" in name]
    assert good == (["read"] + ["duplicate"] * (len(good) - 1) if good else [])
    assert image_folders(tmp_path / "out") == ({FOLDER} if good else set())
    notes = [row["notes"] for row in rows(tmp_path / "out")]
    assert not any("uid_repeated" in note for note in notes)
    before = tables(tmp_path / "out")
    assert all(step.before for step in run(tmp_path / "out", tmp_path / "in"))
    assert tables(tmp_path / "out") == before


def test_other_pixels_under_one_uid_are_other_films(run, tmp_path):
    patients = ["P1", "P2", "", "P1"]
    for seed, patient in enumerate(patients):
        save(dicom_film(seed, PatientID=patient), tmp_path / "in" / f"{seed}.dcm")
    save(dicom_film(1, PatientID="P2"), tmp_path / "in" / "copy.dcm")
    run(tmp_path / "out", tmp_path / "in")
    expected = dict.fromkeys(("0.dcm", "1.dcm", "2.dcm", "3.dcm"), "read")
    assert said(tmp_path / "out") == expected | {"copy.dcm": "duplicate"}
    folders = image_folders(tmp_path / "out")
    assert len(folders) == 4
    assert all(folder.startswith(f"{FOLDER}-") for folder in folders)
    results = [read_result(tmp_path / "out" / folder / "result.json") for folder in folders]
    assert {r.image.patient_id for r in results} == {"P1", "P2", ""}
    assert all("uid_repeated" in {note.code for note in r.notes} for r in results)
    assert len({result.film_id for result in results}) == 4
    keys = [row["hip"] for row in rows(tmp_path / "out", "findings.csv")]
    assert len(set(keys)) == len(keys)
    before = tables(tmp_path / "out")
    assert all(step.before for step in run(tmp_path / "out", tmp_path / "in"))
    assert tables(tmp_path / "out") == before


def test_the_same_pixels_in_another_encoding_are_the_same_film(run, tmp_path):
    save(dicom_film(), tmp_path / "in" / "a.dcm")
    save(encoded(dicom_film()), tmp_path / "in" / "b.dcm")
    save(encoded(dicom_film(PatientName="Other^Header")), tmp_path / "in" / "c.dcm")
    run(tmp_path / "out", tmp_path / "in")
    assert said(tmp_path / "out") == {"a.dcm": "read", "b.dcm": "duplicate", "c.dcm": "duplicate"}


def test_a_film_found_later_is_compared_with_those_of_earlier_commands(run, tmp_path):
    out = tmp_path / "out"
    save(dicom_film(), tmp_path / "first" / "a.dcm")
    run(out, tmp_path / "first")
    save(dicom_film(), tmp_path / "second" / "copy.dcm")
    save(dicom_film(5), tmp_path / "second" / "other.dcm")
    run(out, tmp_path / "second")
    assert said(out) == {"a.dcm": "read", "copy.dcm": "duplicate", "other.dcm": "read"}
    assert FOLDER in image_folders(out)
    assert len(image_folders(out)) == 2
    run(out, tmp_path / "first", tmp_path / "second")  # all of them at once: the same films
    assert said(out) == {"a.dcm": "read", "copy.dcm": "duplicate", "other.dcm": "read"}
    assert len(image_folders(out)) == 2
    assert sum("uid_repeated" in row["notes"] for row in rows(out)) == 2


def test_a_twin_that_goes_away_leaves_nothing_behind(run, tmp_path):
    out = tmp_path / "out"
    for seed in (0, 1):
        save(dicom_film(seed), tmp_path / "in" / f"{seed}.dcm")
    run(out, tmp_path / "in")
    assert len(image_folders(out)) == 2
    shutil.copy(tmp_path / "in" / "0.dcm", tmp_path / "in" / "1.dcm")  # it was a copy after all
    run(out, tmp_path / "in")
    assert said(out) == {"0.dcm": "read", "1.dcm": "duplicate"}
    assert image_folders(out) == {FOLDER}
    assert "uid_repeated" not in rows(out)[0]["notes"]


def test_a_copy_is_read_when_the_first_is_lost(run, tmp_path):
    out = tmp_path / "out"
    for name in "ab":
        save(dicom_film(), tmp_path / "in" / f"{name}.dcm")
    run(out, tmp_path / "in")
    assert said(out) == {"a.dcm": "read", "b.dcm": "duplicate"}
    save(dicom_film(), tmp_path / "in" / "a.dcm", cut=0.5)
    run(out, tmp_path / "in")
    assert said(out) == {"a.dcm": "truncated", "b.dcm": "read"}
    assert image_folders(out) == {FOLDER}
