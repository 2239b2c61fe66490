"""A turned film's known femoral heads, as ``scripts/fuzz_runs.py`` judges sides by them."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "fuzz_runs.py"


@pytest.fixture(scope="module")
def fuzz_runs():
    spec = importlib.util.spec_from_file_location("fuzz_runs", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("quarters", range(4))
def test_heads_follow_the_pixels(fuzz_runs, quarters, mirrored):
    pixels = np.arange(48).reshape(6, 8)
    turned, heads, stated = fuzz_runs.turned(pixels, {"left": [2, 6]}, quarters, mirrored)
    assert turned[tuple(heads["left"])] == pixels[2, 6]
    assert stated[quarters % 2] in "LR"


def test_a_swapped_side_is_silent_unless_a_note_doubts_it(fuzz_runs):
    heads = {"right": [10, 10], "left": [10, 90]}
    hip = {"side": "right", "landmarks": {"head_px": [11, 88]}, "caveats": []}
    (fault,) = fuzz_runs.wrong_sides({"notes": [], "hips": [hip]}, heads)
    assert fault.startswith("SILENT")
    noted = {"notes": [{"code": "orientation_assumed"}], "hips": [hip]}
    assert fuzz_runs.wrong_sides(noted, heads)[0].startswith("doubted")
    assert fuzz_runs.wrong_sides({"notes": [], "hips": [hip | {"side": "left"}]}, heads) == []
