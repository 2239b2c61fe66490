"""``hoseg accept`` with a small network that was never trained."""

import json
import sys
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import torch

import hoseg
from hoseg.cli.app import main
from hoseg.datasets import readings
from hoseg.errors import InputError
from hoseg.evaluate.accept import Tested, film_digest, latest_record, write_record
from hoseg.evaluate.bootstrap import Estimate
from hoseg.evaluate.case import CaseScore
from hoseg.evaluate.figures import Figure
from hoseg.evaluate.limits import Limits
from hoseg.evaluate.run import Evaluation, Resampling
from hoseg.picture_files import write_pixels
from hoseg.segment.card import ModelCard
from hoseg.segment.network import build_network
from hoseg.segment.weights import save_model

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
FALSE = "read.healthy_above_0"


def record(value, out, now, digest="d"):
    limits = Limits.model_validate({"limits": [{"figure": FALSE, "at_most": 0.05}]})
    resampling, runtime = Resampling(10), {"engine": "torch", "device": "cpu", "precision": "fp32"}
    tested = Tested("m@1", ("0" * 64,), "films", "f.csv", digest, limits, resampling, runtime)
    found = Estimate(value, value / 2, min(1.0, 2 * value), 40, 30)
    evaluation = Evaluation((CaseScore("a", "p"),), (Figure(FALSE, "all", found),))
    return write_record(evaluation, tested, out, out, now)


def test_a_second_record_shows_the_difference_to_the_last(tmp_path):
    first = record(0.25, tmp_path, NOW)
    assert (first["passed"], first["last"], first["limits"][0]["change"]) == (False, None, None)
    second = record(0.03, tmp_path, NOW + timedelta(days=1))
    assert second["passed"]
    assert second["last"] == {
        "date": "2030-01-02T03:04:05Z",
        "model": "m@1",
        "hoseg_version": hoseg.__version__,
        "passed": False,
        "same_films_and_grades": True,
    }
    assert second["runtime"]["device"] == "cpu"
    assert "numpy" in second["versions"]
    assert second["limits"][0]["change"] == pytest.approx(-0.22)
    assert latest_record(tmp_path) == json.loads(json.dumps(second))
    pages = sorted(path.name for path in tmp_path.glob("*.html"))
    assert pages == ["acceptance-2030-01-02T030405Z.html", "acceptance-2030-01-03T030405Z.html"]
    assert "FAILED: 0.250 is not at most 0.05" in (tmp_path / pages[0]).read_text()
    assert "-0.220" in (tmp_path / pages[1]).read_text()
    third = record(0.03, tmp_path, NOW + timedelta(days=2), digest="e")
    assert not third["last"]["same_films_and_grades"]


def test_a_damaged_record_is_named(tmp_path):
    (tmp_path / "acceptance-2030.json").write_text("{}")
    with pytest.raises(InputError, match=r"acceptance-2030\.json"):
        latest_record(tmp_path)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "tiny"
    options = {"widths": [8, 8, 16], "deep_levels": [], "context": [1]}
    torch.manual_seed(1)
    network = build_network("hip_unet", options)
    card = ModelCard(
        name="tiny", spacing_mm=1.0, architecture="hip_unet", options=options, sha256="0" * 64
    )
    save_model(path, card, {k: v.numpy() for k, v in network.state_dict().items()})
    return path


@pytest.mark.parametrize(("most", "status"), [(1, 0), (0.5, 4)])
def test_exit_status_says_whether_limits_were_kept(
    most, status, monkeypatch, capsys, tmp_path, model
):
    films, limits = tmp_path / "films", tmp_path / "limits.yaml"
    films.mkdir()
    noise = np.random.default_rng(3).integers(0, 255, (120, 160)).astype(np.uint8)
    write_pixels(films / "a.png", noise)
    (tmp_path / "grades.csv").write_text("file,ossification,spacing_mm\na.png,none,2\n")
    limits.write_text(f"limits: [{{figure: read.abstained, at_most: {most}}}]")
    words = ["accept", films, tmp_path / "grades.csv", "--out", tmp_path / "records"]
    words += ["--limits", limits, "--model", model, "--bootstrap", "20", "--json"]
    monkeypatch.setattr(sys, "argv", ["hoseg", *map(str, words)])

    def run():
        with pytest.raises(SystemExit) as caught:
            main()
        assert (caught.value.code or 0) == status
        return json.loads(capsys.readouterr().out)

    found = run()
    assert found["counts"] == {"films": 1, "films_failed": 0, "patients": 1, "hips": 1}
    assert found["limits"][0]["value"] == 1.0  # noise shows no hip
    assert len(found["weights_sha256"][0]) == 64
    assert found["runtime"]["device"] == "cpu"
    journal = tmp_path / "records" / "evaluation" / "journal.jsonl"
    journal.write_text(journal.read_text().replace('"patient":"a.png"', '"patient":"stale"'))
    assert "stale" in journal.read_text()
    run()
    assert "stale" not in journal.read_text(), "a test takes nothing from an earlier one"


def test_the_digest_is_of_films_and_readings(tmp_path):
    film, grades = tmp_path / "a.png", tmp_path / "grades.csv"
    write_pixels(film, np.zeros((9, 9), np.uint8))
    grades.write_text("file,ossification\na.png,none\n")
    digests = [film_digest(readings.films(grades), grades)]
    write_pixels(film, np.ones((9, 9), np.uint8))
    digests.append(film_digest(readings.films(grades), grades))
    grades.write_text("file,ossification\na.png,left=yes\n")
    digests.append(film_digest(readings.films(grades), grades))
    assert len(set(digests)) == 3
    assert film_digest(readings.films(grades), grades) == digests[2]
