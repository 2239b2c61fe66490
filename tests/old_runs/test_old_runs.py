"""A run of 0.3.1 and the corrections of its readers live on: nothing is lost."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from hoseg.review.store import STORE, ReviewStore

from .known import dicom_objects, lost, what_is_known
from .served import serving

HERE = Path(__file__).parent
ARCHIVE, EXPECTED = HERE / "run-0.3.1.tar.xz", HERE / "run-0.3.1.json"
RUN = Path("run")

# ----------------------------------------------------------------------- NAMED DIFFERENCES --
# Parts of what is known (as ``lost`` prints them, say ".open_session.files") that a change means
# to do differently, each with the place where that is documented.
NAMED_DIFFERENCES: dict[str, str] = {}
# --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    """What 0.3.1 itself read from the run."""
    return dict(json.loads(EXPECTED.read_text(encoding="utf-8")))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The run, unpacked, as seen from where it was made."""
    with tarfile.open(ARCHIVE) as tar:
        tar.extractall(tmp_path, filter="data")
    monkeypatch.chdir(tmp_path)
    return RUN


def unnamed(was: Any, now: Any) -> list[str]:
    """What is lost, but for the named differences."""
    return [line for line in lost(was, now) if not line.startswith(tuple(NAMED_DIFFERENCES))]


def test_the_old_history_holds_every_kind_of_record(expected: dict[str, Any]) -> None:
    history = expected["known"]["history"]
    assert {entry["kind"] for entry in history} == {
        "grade", "false_ossification", "missed_ossification", "mask", "comment", "sign", "withdraw",
    }  # fmt: skip
    assert {entry["reader"] for entry in history} == {"Ada", "Béla", "Carl"}
    assert {(entry["blinded"], entry["withdrawn"]) for entry in history} == {
        (False, False), (False, True), (True, False), (True, True),
    }  # fmt: skip


def test_nothing_is_lost(run: Path, expected: dict[str, Any]) -> None:
    assert unnamed(expected["known"], what_is_known(run)) == []


def test_dicom_objects_come_of_the_old_run(run: Path, expected: dict[str, Any]) -> None:
    assert dicom_objects(run) == expected["dicom"]


def test_the_old_history_goes_on(run: Path, expected: dict[str, Any]) -> None:
    before = expected["known"]["history"]
    image = before[0]["image"]
    with serving(run) as page:
        number = page.send(reader="Dora", image=image, kind="grade", side="left", value="1")
        own = before[0]["number"]
        page.send(reader=before[0]["reader"], image=image, kind="withdraw", value=str(own))
    assert number == max(entry["number"] for entry in before) + 1
    with ReviewStore(run / STORE) as store:
        after = list(store.history())
    assert after[0]["withdrawn"]
    assert unnamed(before[1:], after[1 : len(before)]) == []
    assert [entry["kind"] for entry in after[len(before) :]] == ["grade", "withdraw"]
