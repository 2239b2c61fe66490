import sqlite3

import pytest

from hoseg.batch.journal import Entry, Journal
from hoseg.errors import OutputError


def entry(source, study="S", status="graded", hips=1):
    rows = tuple({"side": f"{source}{k}"} for k in range(hips))
    return Entry(source, "stamp", study, status, {"source": source}, rows)


def test_what_was_recorded_is_kept(tmp_path):
    with Journal(tmp_path / "j", "run") as journal:
        journal.record(entry("a"), 0)
    with Journal(tmp_path / "j", "run") as journal:
        assert journal.keep("a", "stamp", 5)
        assert not journal.keep("a", "another stamp", 5)
        assert not journal.keep("b", "stamp", 5)
        assert journal.counts() == {"graded": 1}


def test_another_run_starts_afresh(tmp_path):
    with Journal(tmp_path / "j", "old settings") as journal:
        journal.record(entry("a"), 0)
    with Journal(tmp_path / "j", "new settings") as journal:
        assert not journal.keep("a", "stamp", 0)
        assert list(journal.image_rows()) == []
        journal.record(entry("a", status="failed"), 0)
        assert journal.counts() == {"failed": 1}


def test_rows_come_in_the_order_of_discovery(tmp_path):
    with Journal(tmp_path / "j", "run") as journal:
        for position, name in ((2, "c"), (0, "a"), (1, "b")):
            journal.record(entry(name), position)
        assert [row["source"] for row in journal.image_rows()] == ["a", "b", "c"]


def test_studies_are_grouped(tmp_path):
    with Journal(tmp_path / "j", "run") as journal:
        journal.record(entry("a", "one", hips=2), 0)
        journal.record(entry("b", "two", hips=0), 1)
        journal.record(entry("c", "one"), 2)
        journal.record(entry("d", "three"), 3)
        found = {study: [row["side"] for row in rows] for study, rows in journal.studies()}
    assert found == {"one": ["a0", "a1", "c0"], "three": ["d0"]}


def test_an_open_transaction_leaves_no_trace(tmp_path):
    with Journal(tmp_path / "j", "run") as journal:
        journal.record(entry("a"), 0)
        journal._base.execute("BEGIN")
        journal._base.execute("DELETE FROM inputs")
    with Journal(tmp_path / "j", "run") as journal:
        assert journal.counts() == {"graded": 1}


def test_a_file_that_is_no_journal_is_refused(tmp_path):
    (tmp_path / "j").write_text("not a data base, but long enough to be looked at" * 50)
    with pytest.raises(OutputError, match="choose another --out"):
        Journal(tmp_path / "j", "run")


def test_two_runs_in_one_folder_are_refused(tmp_path, monkeypatch):
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda path, timeout: connect(path, timeout=0.1))
    with Journal(tmp_path / "j", "run") as journal:
        journal.record(entry("a"), 0)
        with pytest.raises(OutputError, match="another run may be using this folder"):
            Journal(tmp_path / "j", "run")
