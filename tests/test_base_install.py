"""The commands of the base install work, and the others say what they lack, without any extra."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hoseg.extras import EXTRAS

ROOT = Path(__file__).resolve().parents[1]


HIDE = """
import sys
from importlib.machinery import PathFinder

class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        hidden = name.partition(".")[0] in {absent}
        return None if hidden else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Finder
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """Run hoseg in processes, workers included, that find no package of any extra."""
    place = tmp_path_factory.mktemp("base")
    absent = sorted({name for extra in EXTRAS.values() for name in extra.packages})
    (place / "sitecustomize.py").write_text(HIDE.format(absent=absent))
    paths = {"PYTHONPATH": os.pathsep.join([str(place), str(ROOT)]), "COLUMNS": "80"}

    def hoseg(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "hoseg.cli", *map(str, arguments)]
        environment = os.environ | paths | variables
        return subprocess.run(
            command, env=environment, cwd=place, capture_output=True, text=True, check=False
        )

    return hoseg


@pytest.fixture(scope="module")
def films(base, tmp_path_factory):
    """One simulated film."""
    folder = tmp_path_factory.mktemp("films") / "films"
    done = base("simulate", "--out", folder, "--count", 1, "--seed", 7, "--spacing-mm", 0.5)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_a_film_is_read_graded_and_judged(base, films, tmp_path):
    image = next(films.glob("*/image.png"))
    done = base("run", image, "--spacing-mm", 0.5, "--out", tmp_path / "run", "--reports")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "review.html").exists()
    graded = base("grade", image.with_name("masks.png"), "--spacing-mm", 0.5, "--json")
    assert json.loads(graded.stdout)["hips"]
    judged = base("evaluate", films, "--out", tmp_path / "judged", "--bootstrap", 20)
    assert judged.returncode == 0, judged.stderr
    assert (tmp_path / "judged" / "report.html").exists()


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (("train", ROOT / "configs" / "hip-sim-1.yaml", "--out", "OUT"), "train"),
        (("run", "x.png", "--out", "OUT", "--parquet"), "parquet"),
        (("run", "x.png", "--out", "OUT", "--device", "cuda"), "gpu"),
        (("run", "x.png", "--out", "OUT", "--runtime", "openvino"), "export"),
        (("evaluate", "FILMS", "--out", "OUT", "--device", "cuda:1"), "gpu"),
        (("export", "hip-sim-1", "--runtime", "onnx", "--out", "OUT"), "export"),
    ],
)
def test_a_missing_extra_is_one_sentence_before_any_work(base, films, tmp_path, arguments, extra):
    out = tmp_path / "out"
    given = [{"OUT": out, "FILMS": films}.get(word, word) for word in arguments]
    done = base(*given, "--json")
    assert done.returncode == 3
    assert json.loads(done.stdout)["error"] == "missing_extra"
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("error (missing_extra): ")
    assert line.endswith(f": pip install 'hoseg[{extra}]'")
    assert not list(out.rglob("*.*"))


def test_a_model_without_files_for_a_cpu_says_what_would_make_them(
    base, films, tiny_model, tmp_path
):
    cache = {"HOSEG_CACHE": str(tmp_path / "cache")}
    done = base("run", films, "--out", tmp_path / "out", "--model", tiny_model, **cache)
    assert done.returncode == 3
    assert done.stderr.startswith(f"error (missing_extra): to make parity.npz for {tiny_model}")
    assert done.stderr.endswith(": pip install 'hoseg[export]'\n")


def test_doctor_says_what_each_command_lacks(base):
    done = base("doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "  train: lacks " in done.stdout
    assert "  run: lacks nothing" not in done.stdout  # cards and Parquet want an extra
    for name in EXTRAS:
        assert f"pip install 'hoseg[{name}]'" in done.stdout
