from pathlib import Path

import pytest
import yaml

from hoseg.errors import SettingError
from hoseg.train.config import Optimisation, read_config
from hoseg.train.schedule import learning_rate

CONFIGS = sorted(
    path
    for path in (Path(__file__).parents[2] / "configs").glob("*.yaml")
    if path.name != "accept.yaml"  # limits of hoseg accept, no training
)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.name)
def test_shipped_configurations_are_valid(path: Path) -> None:
    from hoseg.train.config import SimulatedSource
    from hoseg.train.sources import stream_settings

    config = read_config(path)
    for source in config.sources:
        if isinstance(source, SimulatedSource):
            assert stream_settings(config, source).size_px == config.crop_px


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"sped": 1}, "sped"),
        ({"crop_px": 100}, "crop_px"),
        ({"optimisation": {"steps": 10, "warmup": 10}}, "optimisation"),
        ({"optimisation": {"stepz": 10}}, "optimisation.stepz"),
        ({"augment": {"scale": [1.5, 1.0]}}, "augment"),
        ({"validation": {"fold": 5, "folds": 5}}, "validation"),
        ({"sources": []}, "sources"),
        ({"sources": [{"kind": "labelled", "path": "absent"}]}, "sources.0.path"),
        ({"sources": [{"kind": "drawn"}]}, "sources.0"),
        ({"name": "Has Spaces"}, "name"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, tiny: dict, changes: dict, key: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump({**tiny, **changes}))
    with pytest.raises(SettingError) as caught:
        read_config(path)
    assert caught.value.key == key


def test_unknown_simulator_setting_is_named(tmp_path: Path, tiny: dict) -> None:
    from hoseg.train.sources import stream_settings

    path = tmp_path / "config.yaml"
    for settings, key in (
        ({"zoomm": [1, 1]}, "sources.settings.zoomm"),
        ({"scene": {"broker": {}}}, "sources.settings.scene.broker"),
        ({"turn": "much"}, "sources.settings.turn"),
    ):
        source = {"kind": "simulated", "settings": settings}
        path.write_text(yaml.safe_dump({**tiny, "sources": [source]}))
        config = read_config(path)
        with pytest.raises(SettingError) as caught:
            stream_settings(config, config.sources[0])
        assert caught.value.key == key


def test_not_yaml(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("name: [")
    with pytest.raises(SettingError, match="valid YAML"):
        read_config(path)


@pytest.mark.parametrize("data", [b"\xff\xfe\xfd", b"a: \x00", b"[" * 5000, b"\xe4: 1"])
def test_bytes_that_are_no_yaml(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(data)
    with pytest.raises(SettingError):
        read_config(path)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_marks(tmp_path: Path, encoding: str) -> None:
    shipped = Path(__file__).parents[2] / "configs" / "hip-sim-1.yaml"
    path = tmp_path / "config.yaml"
    path.write_text(shipped.read_text(encoding="utf-8"), encoding=encoding)
    assert read_config(path) == read_config(shipped)


@pytest.mark.parametrize("schedule", ["trapezoid", "cosine", "one_cycle"])
def test_schedules_rise_peak_and_end_low(schedule: str) -> None:
    settings = Optimisation(steps=1000, warmup=100, learning_rate=1.0, schedule=schedule)
    rates = [learning_rate(step, settings) for step in range(1000)]
    assert max(rates) == pytest.approx(1.0, abs=0.01)
    assert rates[0] < 0.05
    assert rates[-1] < 0.02
    assert min(rates) > 0
