import sqlite3
from pathlib import Path

import pytest

from hoseg.batch.journal import Entry, RunJournal
from hoseg.batch.plan import Task
from hoseg.dicom import Source
from hoseg.errors import InputError, OutputError
from hoseg.report.schema import result_for_failure

from .results import film, hip


def task(source, stamp="stamp", position=5, identity=""):
    return Task(Source(Path(source), source, identity=identity or source), position, stamp)


def entry(source, *results):
    return Entry.of(source, "stamp", results or [film(source, hip())])


def failed(source):
    return entry(source, result_for_failure(InputError(source, "cut short", code="truncated")))


def sources(groups):
    return [[result.source for result in group] for group in groups]


def test_what_was_recorded_is_kept(tmp_path):
    with RunJournal(tmp_path / "j", "run") as journal:
        journal.record(entry("a"), 0)
    with RunJournal(tmp_path / "j", "run") as journal:
        assert journal.keep(task("a"))
        assert not journal.keep(task("a", "another stamp"))
        assert not journal.keep(task("b"))
        assert journal.counts() == {"graded": 1}


def test_every_result_comes_back_as_it_was_told(tmp_path):
    told = (film("a", hip("left"), hip("right", None)), film("a", hip("left", 0), frame=1))
    with RunJournal(tmp_path / "j", "run") as journal:
        journal.record(entry("a", *told), 0)
        assert list(journal.results()) == [told]


def test_another_run_starts_afresh(tmp_path):
    with RunJournal(tmp_path / "j", "old settings") as journal:
        journal.record(entry("a"), 0)
    with RunJournal(tmp_path / "j", "new settings") as journal:
        assert not journal.keep(task("a"))
        assert list(journal.results()) == []
        journal.record(failed("a"), 0)
        assert journal.counts() == {"failed": 1}


def test_results_come_in_the_order_of_discovery(tmp_path):
    with RunJournal(tmp_path / "j", "run") as journal:
        for position, name in ((2, "c"), (0, "a"), (1, "b")):
            journal.record(entry(name), position)
        assert sources(journal.results()) == [["a"], ["b"], ["c"]]
        journal.keep(task("a", position=7))
        assert sources(journal.results()) == [["b"], ["c"], ["a"]]


def test_a_file_is_told_by_its_most_telling_frame():
    frames = [film("a", hip(brooker=None)), film("a", hip("right"), frame=1)]
    assert entry("a", *frames).result.image.frame == 1
    assert entry("a", *frames).status == "graded"


def test_studies_are_grouped_and_lone_films_are_not(tmp_path):
    with RunJournal(tmp_path / "j", "run") as journal:
        for position, (name, study, patient) in enumerate(
            [
                ("a", "1.2", "P"), ("b", "", "P"), ("c", "1.2", "P"), ("d", "", "P"),
                ("e", "1.3", "P"), ("f", "1.3", "Q"), ("g", "1.4", ""), ("h", "1.4", "P"),
            ]
        ):  # fmt: skip
            one = film(name, hip(), study_uid=study, patient_id=patient)
            journal.record(entry(name, one), position)
        journal.record(failed("z"), 9)
        found = sources(journal.studies())
        assert found == [["a", "c"], ["b"], ["d"], ["e"], ["f"], ["g", "h"]]
        assert journal.mixed_studies() == {"1.3"}


def test_an_open_transaction_leaves_no_trace(tmp_path):
    with RunJournal(tmp_path / "j", "run") as journal:
        journal.record(entry("a"), 0)
        journal._base.execute("BEGIN")
        journal._base.execute("DELETE FROM results")
    with RunJournal(tmp_path / "j", "run") as journal:
        assert journal.counts() == {"graded": 1}


def test_a_file_that_is_no_journal_is_refused(tmp_path):
    (tmp_path / "j").write_text("not a data base, but long enough to be looked at" * 50)
    with pytest.raises(OutputError, match="choose another --out"):
        RunJournal(tmp_path / "j", "run")


def test_two_runs_in_one_folder_are_refused(tmp_path, monkeypatch):
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda path, timeout: connect(path, timeout=0.1))
    with RunJournal(tmp_path / "j", "run") as journal:
        journal.record(entry("a"), 0)
        with pytest.raises(OutputError, match="another run may be using this folder"):
            RunJournal(tmp_path / "j", "run")
