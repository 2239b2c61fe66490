"""Whole data sets: streaming, journal, resuming, failures, outputs."""

import csv
import json
import threading
from pathlib import Path

import numpy as np
import pytest

from hoseg.datasets.labelled import Dataset
from hoseg.errors import InputError, OutputError
from hoseg.evaluate import stream
from hoseg.evaluate.case import CASE_JSON, CaseScore
from hoseg.evaluate.figures import lookup
from hoseg.evaluate.journal import EvaluationJournal, Heading
from hoseg.evaluate.run import Resampling, evaluate

from .phantoms import PhantomFilm, PhantomReader, phantom_set

HEADING = Heading("m", "d", "1")


def dataset(films):
    return Dataset(Path("phantoms"), "phantom", tuple(films))


def run(out, count=12, reader=None, films=None, **settings):
    reader = reader or PhantomReader()
    films = films or phantom_set(count, reader)
    return evaluate(
        [dataset(films)], reader, out, label="m", resampling=Resampling(100), **settings
    )


class BrokenFilm(PhantomFilm):
    def read(self):
        raise InputError("masks.png", "masks are 3 x 4, the image is 5 x 6", code="size_mismatch")


def test_outputs_are_whole_and_agree(tmp_path):
    found = run(tmp_path)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["counts"] == {"films": 12, "films_judged": 12, "patients": 6, "hips": 24}
    dice = metrics["figures"]["pelvis.dice_mean"]["all"]
    assert dice["value"] == lookup(found.figures, "pelvis.dice_mean").estimate.value
    assert dice["low"] <= dice["value"] <= dice["high"]
    with (tmp_path / "cases.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["case"] for row in rows] == [f"film-{i:04d}" for i in range(12)]
    assert np.mean([float(row["pelvis_dice"]) for row in rows]) == pytest.approx(
        dice["value"], abs=1e-4
    )
    with (tmp_path / "hips.csv").open() as stream:
        hips = list(csv.DictReader(stream))
    graded = [h for h in hips if h["predicted"]]
    exact = np.mean([h["truth"] == h["predicted"] for h in graded])
    assert exact == pytest.approx(metrics["figures"]["class.exact"]["all"]["value"])
    assert all((tmp_path / row["picture"]).exists() for row in rows)
    assert not list(tmp_path.glob("*.part"))


def test_report_is_one_file_that_fetches_nothing(tmp_path):
    run(tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert "Research use only. Not a medical device." in page
    assert "data:image/jpeg;base64," in page
    assert "<svg" in page
    for fetching in ("http:", "https:", "<script", "<link", "@import", "url("):
        assert fetching not in page


def test_names_from_outside_are_escaped(tmp_path):
    reader = PhantomReader(wrong=1.0)
    films = [PhantomFilm(i, "p<b>", 1.0, f"<script>alert({i:04d}) & {i:04d}") for i in range(2)]
    run(tmp_path, reader=reader, films=[reader.watch(film) for film in films])
    page = (tmp_path / "report.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_same_seed_same_metrics(tmp_path):
    run(tmp_path / "a")
    run(tmp_path / "b")
    assert (tmp_path / "a/metrics.json").read_text() == (tmp_path / "b/metrics.json").read_text()


def test_resuming_does_no_film_twice_and_ends_the_same(tmp_path):
    whole = run(tmp_path / "whole")
    out = tmp_path / "parts"
    reader = PhantomReader()
    films = phantom_set(12, reader)

    class Stop(Exception):
        pass

    seen = 0

    def stop_after_five():
        nonlocal seen
        seen += 1
        if seen == 5:
            raise Stop

    with pytest.raises(Stop):
        run(out, reader=reader, films=films, advance=stop_after_five)
    lines = (out / "journal.jsonl").read_bytes()
    (out / "journal.jsonl").write_bytes(lines[:-40])  # torn by kill -9
    before = reader.calls
    resumed = run(out, reader=reader, films=films)
    assert reader.calls - before == 12 - 4
    assert resumed.cases == whole.cases
    assert resumed.figures == whole.figures


def test_another_model_starts_afresh(tmp_path):
    case = CaseScore("film", "p")
    with EvaluationJournal(tmp_path / "j", HEADING) as journal:
        journal.add(case)
    with EvaluationJournal(tmp_path / "j", HEADING) as journal:
        assert journal.done == {"film": case}
    with EvaluationJournal(tmp_path / "j", Heading("other", "d", "1")) as journal:
        assert journal.done == {}
    with EvaluationJournal(tmp_path / "j", HEADING) as journal:
        assert journal.done == {}


@pytest.mark.parametrize("cut", [1, 7, 30])
def test_journal_survives_a_cut_anywhere(tmp_path, cut):
    path = tmp_path / "j"
    with EvaluationJournal(path, HEADING) as journal:
        journal.add(CaseScore("a", "p"))
        journal.add(CaseScore("b", "p"))
    path.write_bytes(path.read_bytes()[:-cut])
    with EvaluationJournal(path, HEADING) as journal:
        assert list(journal.done) == ["a"]
        journal.add(CaseScore("b", "p"))
    with EvaluationJournal(path, HEADING) as journal:
        assert list(journal.done) == ["a", "b"]


def test_journal_that_cannot_be_written(tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        EvaluationJournal(tmp_path / "no such folder" / "j", HEADING)


def test_cases_survive_json(tmp_path):
    for case in run(tmp_path, 4).cases:
        assert CASE_JSON.validate_json(CASE_JSON.dump_json(case)) == case


def test_a_broken_film_is_reported_and_retried(tmp_path):
    reader = PhantomReader()
    films = phantom_set(4, reader)
    broken = [*films[:2], BrokenFilm(2, "patient-1"), films[3]]
    found = run(tmp_path, reader=reader, films=broken)
    assert [case.case for case in found.failed] == ["film-0002"]
    assert "3 x 4" in found.failed[0].error
    assert lookup(found.figures, "pelvis.dice_mean").estimate.n == 3
    assert "3 x 4" in (tmp_path / "report.html").read_text()
    assert not run(tmp_path, reader=reader, films=films).failed


def test_two_films_of_one_name_are_refused(tmp_path):
    reader = PhantomReader()
    with pytest.raises(InputError, match="film-0000"):
        run(tmp_path, reader=reader, films=phantom_set(1, reader) * 2)
    assert reader.calls == 0


def test_few_films_are_held_at_a_time(tmp_path):
    """Films are read at most a few ahead of the film being scored."""
    lock, alive, most = threading.Lock(), 0, 0

    class Counted(PhantomFilm):
        def read(self):
            nonlocal alive, most
            with lock:
                alive += 1
                most = max(most, alive)
            return super().read()

    class CountingReader(PhantomReader):
        def grade_truth(self, truth):
            nonlocal alive
            with lock:
                alive -= 1
            return super().grade_truth(truth)

    reader = CountingReader()
    films = [PhantomFilm(i, f"p{i}") for i in range(30)]
    for film in films:
        reader.watch(film)
    run(tmp_path, reader=reader, films=[Counted(f.seed, f.patient) for f in films])
    assert most <= 2 * stream._AHEAD + 2
