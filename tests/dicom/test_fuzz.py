"""Random damage: decoded or refused with a reason code, never anything else."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pydicom.data

from hoseg.reasons import Reason

_SCRIPT = Path(__file__).parents[2] / "scripts" / "fuzz_dicom.py"
_SPEC = importlib.util.spec_from_file_location("fuzz_dicom", _SCRIPT)
fuzz = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(fuzz)


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
