import sqlite3
import subprocess
import sys

import pytest

from hoseg.errors import InputError, OutputError
from hoseg.review.store import STORE, Correction, ReviewStore


def grade(reader="Ada", image="studies/1/2", side="left", value="3", **more):
    return Correction(reader, image, "grade", side, value, **more)


@pytest.fixture
def store(tmp_path):
    with ReviewStore(tmp_path / STORE) as store:
        yield store


def test_everything_said_is_kept_in_order_with_reader_and_time(store):
    numbers = [store.add(grade(value=v)) for v in "0123"]
    assert numbers == sorted(set(numbers))
    entries = list(store.history())
    assert [entry["value"] for entry in entries] == list("0123")
    assert {entry["reader"] for entry in entries} == {"Ada"}
    assert all(entry["time"].endswith("+00:00") for entry in entries)
    assert [entry["time"] for entry in entries] == sorted(entry["time"] for entry in entries)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE history SET value = '0'",
        "DELETE FROM history",
        "INSERT OR REPLACE INTO history SELECT number, time, 'Eve', image, side, kind, '0', 0, NULL"
        " FROM history",
    ],
)
def test_nothing_said_can_be_changed(store, tmp_path, statement):
    store.add(grade())
    before = list(store.history())
    with sqlite3.connect(tmp_path / STORE) as other, pytest.raises(sqlite3.IntegrityError):
        other.execute(statement)
    assert list(store.history()) == before


def test_numbers_are_never_used_again(store):
    first = store.add(grade())
    store.add(grade())
    assert store.add(grade()) == first + 2


def test_the_newest_grade_of_each_reader_and_hip_counts(store):
    for reader, side, value in (
        ("Ada", "left", "1"), ("Ada", "right", "2"), ("Bob", "left", "4"), ("Ada", "left", "3"),
    ):  # fmt: skip
        store.add(grade(reader=reader, side=side, value=value))
    latest = {(e["reader"], e["side"]): e["value"] for e in store.latest_grades()}
    assert latest == {("Ada", "left"): "3", ("Ada", "right"): "2", ("Bob", "left"): "4"}
    assert [e["value"] for e in store.latest_grades("Bob")] == ["4"]


def test_the_newest_mask_by_reader_and_by_blinding(store):
    mask = lambda reader, **more: Correction(reader, "i", "mask", **more)  # noqa: E731
    store.add(mask("Ada", blinded=True), b"1")
    store.add(mask("Ada"), b"2")
    store.add(mask("Bob"), b"3")
    assert store.latest_mask("i") == b"3"
    assert store.latest_mask("i", "Ada") == b"2"
    assert store.latest_mask("i", "Ada", blinded=True) == b"1"
    assert store.latest_mask("i", "Bob", blinded=True) is None
    assert store.latest_mask("other") is None
    assert [entry["has_mask"] for entry in store.history("i")] == [True] * 3


def test_what_is_withdrawn_stays_but_counts_no_more(store):
    first = store.add(grade(value="1"))
    second = store.add(grade(value="4"))
    drawn = store.add(Correction("Ada", "studies/1/2", "mask"), b"1")
    for number in (second, drawn):
        store.add(Correction("Ada", "studies/1/2", "withdraw", value=str(number)))
    assert [entry["number"] for entry in store.latest_grades()] == [first]
    assert store.latest_mask("studies/1/2") is None
    entries = list(store.history())
    assert [entry["withdrawn"] for entry in entries] == [False, True, True, False, False]
    assert entries[1]["value"] == "4"


@pytest.mark.parametrize("more", [{"reader": "Bob"}, {"image": "other"}, {"value": "99"}])
def test_nobody_withdraws_what_another_said(store, more):
    number = store.add(grade())
    fields = {"reader": "Ada", "image": "studies/1/2", "value": str(number)} | more
    with pytest.raises(InputError, match="has no entry"):
        store.add(Correction(**fields, kind="withdraw"))
    assert len(list(store.latest_grades())) == 1


def test_a_blinded_grade_is_found_after_a_later_one(store):
    store.add(grade(value="2", blinded=True))
    store.add(grade(value="3"))
    assert [e["value"] for e in store.latest_grades("Ada")] == ["3"]
    assert [e["value"] for e in store.latest_grades("Ada", blinded=True)] == ["2"]


KILLED = """
import os, sys
from pathlib import Path
from hoseg.review.store import Correction, ReviewStore
store = ReviewStore(Path(sys.argv[1]))
for number in range(25):
    store.add(Correction("Ada", "i", "mask", value=str(number)), bytes(50_000))
    print(number, flush=True)
store._base.execute("INSERT INTO history (time, reader, image, side, kind, value, blinded) "
                    "VALUES ('t', 'r', 'i', '', 'sign', 'half', 0)")
os.kill(os.getpid(), 9)
"""


def test_what_was_saved_survives_a_kill(tmp_path):
    path = tmp_path / STORE
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], capture_output=True, text=True)
    assert done.returncode == -9, done.stderr
    with ReviewStore(path) as store:
        assert [e["value"] for e in store.history()] == [str(k) for k in range(25)]
        assert store.latest_mask("i") == bytes(50_000)
        (check,) = store._base.execute("PRAGMA integrity_check").fetchone()
        assert check == "ok"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("reader", "  "), ("reader", "x" * 101), ("image", ""), ("kind", "drop"), ("side", "up"),
        ("value", "5"), ("value", "IV"), ("value", ""),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_by_name(key, value):
    fields = {"reader": "Ada", "image": "i", "kind": "grade", "side": "left", "value": "1"}
    with pytest.raises(InputError, match=f"{key} = ") as caught:
        Correction(**(fields | {key: value}))
    assert caught.value.code == "bad_review"


def test_a_file_that_is_no_history_is_said_so(tmp_path):
    (tmp_path / STORE).write_text("something else entirely, long enough to be read as a page" * 50)
    with pytest.raises(OutputError, match="move the file away"):
        ReviewStore(tmp_path / STORE)


def test_a_folder_that_cannot_be_written_is_said_so(tmp_path):
    with pytest.raises(OutputError, match="free space"):
        ReviewStore(tmp_path / "missing" / STORE)
