"""Random damage and films of other programs: read as they are, or refused with a reason code."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom.data
import pytest

from hoseg.reasons import Reason

_SCRIPT = Path(__file__).parents[2] / "scripts" / "fuzz_dicom.py"
sys.path.insert(0, str(_SCRIPT.parent))  # for the modules beside it
_SPEC = importlib.util.spec_from_file_location("fuzz_dicom", _SCRIPT)
fuzz = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(fuzz)
film_kinds = sys.modules["film_kinds"]


def test_damaged_copies(tmp_path):
    files = fuzz.seeds([Path(pydicom.data.__file__).parent / "test_files"])
    (tmp_path / "pictures").mkdir()
    files += fuzz.example_pictures(tmp_path / "pictures")
    results = []
    for index in range(400):
        rng = np.random.default_rng([7, index])
        name = files[int(rng.integers(0, len(files)))]
        copy = tmp_path / f"copy{name.suffix}"
        copy.write_bytes(fuzz.damage(name.read_bytes(), rng))
        results.append(fuzz.attempt(copy))
    assert set(results) <= {"decoded", *(reason.value for reason in Reason)}
    assert results.count("decoded") > 40
    assert results.count("corrupt") > 20


@pytest.fixture(scope="module")
def pool():
    return fuzz.make_pool(np.random.default_rng(0), rounds=1)


def test_films_of_known_truth(pool):
    outcomes = fuzz.run_kinds(pool, 320, 0)
    assert [outcome for outcome in outcomes if outcome.is_fault] == []
    results = [outcome.result for outcome in outcomes]
    assert results.count("read") > 250
    assert results.count("refused") > 50
    assert len({outcome.film for outcome in outcomes}) > 25


def test_what_the_fuzz_must_notice(pool, monkeypatch):
    """Wrong pixels, a side, a spacing and a lost note are faults, or the count means nothing."""
    read = film_kinds.decode

    def wrong(change):
        def decode(source, limits):
            return [replace(frame, **change(frame)) for frame in read(source, limits)]

        monkeypatch.setattr(film_kinds, "decode", decode)
        outcomes = fuzz.run_kinds(pool, 60, 1)[:60]
        return {outcome.result for outcome in outcomes if outcome.is_fault}

    assert "silent" in wrong(lambda frame: {"pixels": frame.pixels[::-1]})
    assert "silent" in wrong(lambda frame: {"side": frame.side.opposite, "notes": ()})
    assert "silent" in wrong(lambda frame: {"spacing": None})
    assert "unnoted" in wrong(lambda frame: {"notes": ()})
