"""``hoseg evaluate`` from the command line, with a small network that was never trained."""

import csv
import json
import sys
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
import torch

from hoseg.cli.app import main
from hoseg.datasets import folder
from hoseg.segment.card import ModelCard
from hoseg.segment.network import build_network
from hoseg.segment.weights import save_model

from .phantoms import PhantomFilm

OPTIONS = {"widths": [8, 8, 16], "deep_levels": [], "context": [1]}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "tiny"
    torch.manual_seed(1)
    network = build_network("hip_unet", OPTIONS)
    card = ModelCard(
        name="tiny", spacing_mm=1.0, architecture="hip_unet", options=OPTIONS, sha256="0" * 64
    )
    save_model(path, card, {k: v.numpy() for k, v in network.state_dict().items()})
    return path


@pytest.fixture
def films(tmp_path):
    path = tmp_path / "films"
    folder.write([PhantomFilm(i, f"p{i // 2}").read() for i in range(4)], path)
    return path


def call(monkeypatch, *words):
    """Exit status of ``hoseg evaluate words``."""
    monkeypatch.setattr(sys, "argv", ["hoseg", "evaluate", *map(str, words)])
    with pytest.raises(SystemExit) as caught:
        main()
    return caught.value.code or 0


class Balanced(HTMLParser):
    """Fails on an end tag without its start tag."""

    empty = frozenset({"meta", "img", "br"})

    def __init__(self):
        super().__init__()
        self.stack, self.headings = [], 0

    def handle_starttag(self, tag, attrs):
        self.headings += tag == "h2"
        if tag not in self.empty:
            self.stack.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.empty:
            assert self.stack.pop() == tag


def test_films_with_masks(monkeypatch, capsys, tmp_path, films, model):
    out = tmp_path / "out"
    assert call(monkeypatch, films, "--model", model, "--out", out, "--bootstrap", 50) == 0
    assert "Pelvis, Dice" in capsys.readouterr().out
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["model"].startswith("tiny@")
    assert metrics["counts"] == {"films": 4, "films_judged": 4, "patients": 2, "hips": 8}
    assert 0 <= metrics["figures"]["pelvis.dice_mean"]["all"]["value"] <= 1
    page = Balanced()
    page.feed((out / "report.html").read_text())
    assert page.stack == []
    assert page.headings >= 6


def test_two_data_sets_are_judged_together_and_each_by_itself(monkeypatch, tmp_path, films, model):
    more = tmp_path / "more"
    folder.write([PhantomFilm(i, f"p{i}").read() for i in range(10, 13)], more)
    both, alone = tmp_path / "both", tmp_path / "alone"
    options = ("-m", model, "--bootstrap", 20)
    assert call(monkeypatch, films, more, *options, "--out", both) == 0
    assert call(monkeypatch, more, *options, "--out", alone) == 0
    metrics = json.loads((both / "metrics.json").read_text())
    assert metrics["counts"] == {"films": 7, "films_judged": 7, "patients": 5, "hips": 14}
    assert metrics["dataset"] == f"{films} + {more}"
    single = json.loads((alone / "metrics.json").read_text())["figures"]
    for name in ("pelvis.dice_mean", "class.abstained"):
        figure = metrics["figures"][name]
        here, there = figure["data set: films"], figure["data set: more"]
        assert there["value"] == pytest.approx(single[name]["all"]["value"])
        weighted = here["n"] * here["value"] + there["n"] * there["value"]
        assert figure["all"]["value"] == pytest.approx(weighted / figure["all"]["n"])
    assert "Pelvis, Dice by subgroup" in (both / "report.html").read_text()


def test_json_is_metrics(monkeypatch, capsys, tmp_path, films, model):
    out = tmp_path / "out"
    assert call(monkeypatch, films, "-m", model, "--out", out, "--bootstrap", 20, "--json") == 0
    assert json.loads(capsys.readouterr().out) == json.loads((out / "metrics.json").read_text())


def test_a_table_of_grades_alone(monkeypatch, tmp_path, films, model):
    table = tmp_path / "grades.csv"
    with table.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["image", "patient", "side", "brooker"])
        for i in range(3):
            writer.writerow([f"films/images/film-000{i}.png", f"p{i}", "right", "II"])
    out = tmp_path / "out"
    assert call(monkeypatch, table, "-m", model, "--out", out, "--spacing-mm", 1) == 0
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["format"] == "grades"
    assert metrics["counts"]["hips"] == 3
    assert metrics["figures"]["class.abstained"]["all"]["n"] == 3
    assert "pelvis.dice_mean" not in metrics["figures"]


def test_mask_of_another_size_fails_that_film_alone(monkeypatch, capsys, tmp_path, films, model):
    cv2.imwrite(str(films / "masks" / "film-0001.png"), np.zeros((7, 9), np.uint8))
    out = tmp_path / "out"
    assert call(monkeypatch, films, "-m", model, "--out", out, "--bootstrap", 20) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "film-0001" in said
    assert "7 x 9" in said
    assert json.loads((out / "metrics.json").read_text())["counts"]["films_judged"] == 3


@pytest.mark.parametrize(
    ("words", "status", "parts"),
    [
        (["nowhere", "--out", "o"], 2, ["DATASET", "nowhere"]),
        (["--out", "o"], 2, ["DATASET", "--readers"]),
        (["films"], 2, ["--out"]),
        (["films", "--out", "o", "--split", "tset"], 2, ["--split", "tset"]),
        (["films", "--out", "o", "--bootstrap", "0"], 2, ["bootstrap", "[1, 100000]"]),
        (["films", "--out", "o", "--model", "no-such"], 3, ["no-such"]),
        (["films", "--out", "o", "--readers", "a.csv", "b.csv"], 2, ["DATASET", "--readers"]),
        (["--out", "o", "--readers", "a.csv", "b.csv"], 1, ["a.csv", "cannot be read"]),
    ],
)
def test_wrong_usage_says_what_to_do(monkeypatch, capsys, tmp_path, films, words, status, parts):
    monkeypatch.chdir(tmp_path)
    assert call(monkeypatch, *words) == status
    said = " ".join(capsys.readouterr().err.split())
    for part in parts:
        assert part in said


def test_class_outside_0_to_4_stops_before_any_work(monkeypatch, capsys, tmp_path, films, model):
    table = tmp_path / "grades.csv"
    table.write_text("image,side,brooker\nfilms/images/film-0000.png,left,7\n")
    assert call(monkeypatch, table, "-m", model, "--out", tmp_path / "o") == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "grades.csv" in said
    assert "brooker = '7'" in said
    assert not (tmp_path / "o" / "journal.jsonl").exists()


def test_two_readers(monkeypatch, capsys, tmp_path):
    rng = np.random.default_rng(0)
    first = rng.integers(0, 5, 40)
    second = np.clip(first + rng.integers(-1, 2, 40), 0, 4)
    for name, classes in (("anna", first), ("ben", second)):
        rows = [f"film-{i},p{i // 2},left,{c}" for i, c in enumerate(classes)]
        text = "\n".join(["image,patient,side,brooker", *rows])
        (tmp_path / f"{name}.csv").write_text(text)
    out = tmp_path / "out"
    tables = [tmp_path / "anna.csv", tmp_path / "ben.csv"]
    assert call(monkeypatch, "--readers", *tables, "--out", out) == 0
    assert "quadratic-weighted kappa" in capsys.readouterr().out
    metrics = json.loads((out / "metrics.json").read_text())
    exact = metrics["figures"]["class.exact"]["all"]
    assert exact["value"] == pytest.approx((first == second).mean())
    assert exact["patients"] == 20
    assert np.trace(metrics["confusion"]) == (first == second).sum()
    page = (out / "report.html").read_text()
    assert "anna" in page
    assert "Hips to look at together" in page
