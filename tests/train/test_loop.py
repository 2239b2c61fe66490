import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import pytest
import torch
import yaml
from torch import nn
from typer.testing import CliRunner

from hoseg.cli.train import app
from hoseg.errors import InputError, ModelError, SettingError
from hoseg.segment.weights import load_model
from hoseg.train.checkpoint import BEST, LAST, read_checkpoint
from hoseg.train.config import read_config
from hoseg.train.labelled_samples import in_fold
from hoseg.train.loop import RunOptions, running_average, train
from hoseg.train.release import release


def run(config_file: Path, out: Path, **options: object) -> Path:
    torch.set_num_threads(1)
    return train(read_config(config_file), RunOptions(out, accelerator="cpu", **options))


def same(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


@pytest.fixture(scope="module")
def finished(
    tmp_path_factory: pytest.TempPathFactory, discs: Path, tiny: dict
) -> tuple[Path, Path]:
    """A configuration and the folder of its finished run."""
    root = tmp_path_factory.mktemp("finished")
    config = root / "tiny.yaml"
    source = {"kind": "labelled", "path": str(discs)}
    config.write_text(yaml.safe_dump({**tiny, "sources": [source]}))
    run(config, root / "run")
    return config, root / "run"


def test_the_same_seed_gives_the_same_weights(finished: tuple[Path, Path], tmp_path: Path) -> None:
    config, out = finished
    run(config, tmp_path / "again")
    first, second = read_checkpoint(out / LAST), read_checkpoint(tmp_path / "again" / LAST)
    assert same(first.network, second.network)
    assert same(first.average, second.average)


def test_another_seed_gives_other_weights(finished: tuple[Path, Path], tmp_path: Path) -> None:
    config, out = finished
    other = tmp_path / "other.yaml"
    other.write_text(config.read_text().replace("seed: 3", "seed: 4"))
    run(other, tmp_path / "run")
    assert not same(
        read_checkpoint(out / LAST).network, read_checkpoint(tmp_path / "run" / LAST).network
    )


KILLED = """
import os, signal, sys
import hoseg.train.loop as loop
learn = loop._Run._learn
def until(self, trainee, batch):
    if self.step == 6:
        os.kill(os.getpid(), signal.SIGKILL)
    return learn(self, trainee, batch)
loop._Run._learn = until
import torch
torch.set_num_threads(1)
from pathlib import Path
from hoseg.train.config import read_config
loop.train(read_config(Path(sys.argv[1])), loop.RunOptions(Path(sys.argv[2]), accelerator="cpu"))
"""


def test_a_killed_and_resumed_run_equals_an_undisturbed_one(
    finished: tuple[Path, Path], tmp_path: Path
) -> None:
    config, out = finished
    killed = tmp_path / "killed"
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(config), str(killed)], capture_output=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()[-500:]
    assert read_checkpoint(killed / LAST).step == 4
    run(config, killed, resume=True)
    whole, pieced = read_checkpoint(out / LAST), read_checkpoint(killed / LAST)
    assert whole.step == pieced.step == 8
    assert same(whole.network, pieced.network)
    assert same(whole.average, pieced.average)
    assert whole.optimizer["state"].keys() == pieced.optimizer["state"].keys()


def test_logs_and_overlays_are_written(finished: tuple[Path, Path]) -> None:
    _, out = finished
    rows = (out / "log.csv").read_text().splitlines()
    assert rows[0].startswith("step,seconds")
    assert [row.split(",")[0] for row in rows[1:]] == ["4", "8"]
    assert (out / "overlays" / "step_000008.png").stat().st_size > 1000
    assert list((out / "tensorboard").iterdir())
    assert (out / BEST).exists()


def test_training_learns_the_discs(discs: Path, tmp_path: Path, tiny: dict) -> None:
    config = tmp_path / "longer.yaml"
    content = {
        **tiny,
        "optimisation": {**tiny["optimisation"], "steps": 200, "ema": 0.9, "learning_rate": 0.01},
        "validation": {"every": 200, "films": 2},
        "augment": {"intensity": 0.2, "rotation_deg": 5, "upside_down": 0.0, "invert": 0.0},
        "sources": [{"kind": "labelled", "path": str(discs)}],
    }
    config.write_text(yaml.safe_dump(content))
    run(config, tmp_path / "run")
    metrics = read_checkpoint(tmp_path / "run" / LAST).metrics
    assert metrics["dice_pelvis"] > 0.8
    assert metrics["dice_femur"] > 0.5


def test_a_run_is_not_overwritten(finished: tuple[Path, Path]) -> None:
    config, out = finished
    with pytest.raises(SettingError, match="--resume"):
        run(config, out)


def test_another_configuration_is_not_resumed(finished: tuple[Path, Path], tmp_path: Path) -> None:
    config, out = finished
    other = tmp_path / "other.yaml"
    other.write_text(config.read_text().replace("crop_px: 64", "crop_px: 128"))
    with pytest.raises(SettingError, match="crop_px"):
        run(other, out, resume=True)


def test_a_damaged_checkpoint_is_named(finished: tuple[Path, Path], tmp_path: Path) -> None:
    config, out = finished
    data = (out / LAST).read_bytes()
    (tmp_path / LAST).write_bytes(data[: len(data) // 2])
    with pytest.raises(ModelError, match="not a checkpoint"):
        run(config, tmp_path, resume=True)


def test_release_and_fine_tuning(finished: tuple[Path, Path], tmp_path: Path) -> None:
    config, out = finished
    card = release(out, tmp_path / "model")
    model = load_model(tmp_path / "model")
    assert model.card == card
    assert card.spacing_mm == 1.0
    assert model.network()(torch.zeros(1, 1, 64, 64)).shape == (1, 4, 64, 64)
    text = (tmp_path / "model" / "MODEL_CARD.md").read_text()
    assert "Not a medical device" in text
    assert "unmeasured" in text
    assert f"sha256 `{card.sha256}`" in text
    assert "The thresholds were chosen on the same films." in text
    assert "| step | loss | dice pelvis |" in text

    run(config, tmp_path / "tuned", init=model.state)
    tuned = read_checkpoint(tmp_path / "tuned" / LAST)
    assert not same(tuned.network, read_checkpoint(out / LAST).network)


def test_fine_tuning_another_architecture_is_refused(
    finished: tuple[Path, Path], tmp_path: Path
) -> None:
    config, out = finished
    release(out, tmp_path / "model")
    wider = tmp_path / "wider.yaml"
    wider.write_text(config.read_text().replace("- 16", "- 24"))
    with pytest.raises(SettingError, match="--init"):
        run(wider, tmp_path / "run", init=load_model(tmp_path / "model").state)


@pytest.mark.slow
def test_killed_at_random_moments(finished: tuple[Path, Path], tmp_path: Path) -> None:
    """Whatever the moment, the checkpoint is whole and the end is the same."""
    config, out = finished
    command = [
        sys.executable, "-c", "from hoseg.cli.app import main; main()", "train", str(config),
        "--out", str(tmp_path / "run"), "--resume", "--accelerator", "cpu", "--threads", "1",
    ]  # fmt: skip
    for wait_s in (6.0, 6.5, 7.0):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        time.sleep(wait_s)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
        process.wait()
    subprocess.run(command, check=True, capture_output=True)
    ends = read_checkpoint(out / LAST), read_checkpoint(tmp_path / "run" / LAST)
    assert same(ends[0].network, ends[1].network)


def test_early_stopping(finished: tuple[Path, Path], tmp_path: Path) -> None:
    config, _ = finished
    content = yaml.safe_load(config.read_text())
    content["optimisation"] |= {"steps": 40, "learning_rate": 1e-12, "ema": 0.0}
    content["validation"] |= {"every": 4, "patience": 2}
    content["network"]["options"]["deep_levels"] = []
    path = tmp_path / "patient.yaml"
    path.write_text(yaml.safe_dump(content))
    run(path, tmp_path / "run")
    last = read_checkpoint(tmp_path / "run" / LAST)
    assert last.stale >= 2
    assert last.step < 40


def test_command_trains_and_writes_a_model(finished: tuple[Path, Path], tmp_path: Path) -> None:
    config, _ = finished
    done = CliRunner().invoke(
        app, [str(config), "--out", str(tmp_path), "--accelerator", "cpu", "--json"]
    )
    assert done.exit_code == 0, done.output
    card = load_model(tmp_path / "model").card
    assert card.name == "tiny"
    assert card.sha256 in done.stdout


def test_command_refuses_an_unknown_accelerator(
    finished: tuple[Path, Path], tmp_path: Path
) -> None:
    config, _ = finished
    done = CliRunner().invoke(app, [str(config), "--out", str(tmp_path), "--accelerator", "tpu"])
    assert isinstance(done.exception, SettingError)


def test_films_that_do_not_fit_stop_a_run_before_it_begins(
    tmp_path: Path, discs: Path, tiny: dict
) -> None:
    copy = tmp_path / "films"
    shutil.copytree(discs, copy)
    mask = copy / "masks" / "film5.png"
    cv2.imwrite(str(mask), cv2.imread(str(mask), cv2.IMREAD_UNCHANGED)[:80])
    config = tmp_path / "config.yaml"
    config.write_text(
        yaml.safe_dump({**tiny, "sources": [{"kind": "labelled", "path": str(copy)}]})
    )
    with pytest.raises(InputError, match=r"film5\.png: masks are 80 x 96"):
        run(config, tmp_path / "run")
    assert not (tmp_path / "run" / "tensorboard").exists()


def test_a_run_with_nobody_to_validate_on_is_refused(
    tmp_path: Path, discs: Path, tiny: dict
) -> None:
    copy = tmp_path / "films"
    shutil.copytree(discs, copy)
    table = copy / "dataset.csv"
    lines = [f"film{n},one patient,1.0" for n in range(12)]
    table.write_text("\n".join(["name,patient,spacing_mm", *lines]) + "\n")
    fold = next(f for f in range(5) if not in_fold("one patient", f, 5))
    settings = {
        **tiny,
        "sources": [{"kind": "labelled", "path": str(copy)}],
        "validation": {**tiny["validation"], "fold": fold},
    }
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(settings))
    with pytest.raises(SettingError, match=f"patients in fold {fold} of 5"):
        run(config, tmp_path / "run")


def test_the_running_average_takes_weights_and_statistics_along() -> None:
    network = nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1))
    average = running_average(network, 0.9)
    values = [1.0, 3.0, 0.0, 5.0]
    expected = 0.0
    for step, value in enumerate(values):
        with torch.no_grad():
            network[0].weight.fill_(value)
            network[1].running_mean.fill_(2 * value)
            network[1].num_batches_tracked.fill_(step)
        average.update_parameters(network)
        keep = min(0.9, (2 + step) / (11 + step)) if step else 0.0
        expected = keep * expected + (1 - keep) * value
    found = average.module.state_dict()
    assert float(found["0.weight"]) == pytest.approx(expected)
    assert float(found["1.running_mean"]) == pytest.approx(2 * expected)
    assert int(found["1.num_batches_tracked"]) == len(values) - 1
