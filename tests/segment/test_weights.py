import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from hoseg.errors import ModelError
from hoseg.segment.card import ModelCard, read_card
from hoseg.segment.network import build_network
from hoseg.segment.weights import (
    SEARCH_VARIABLE,
    add_file,
    find_model,
    list_models,
    load_model,
    save_model,
    verify_model,
)

OPTIONS = {"widths": [8, 8, 16], "deep_levels": [], "context": [1]}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    torch.manual_seed(1)
    network = build_network("hip_unet", OPTIONS)
    card = ModelCard(
        name="tiny", spacing_mm=0.6, architecture="hip_unet", options=OPTIONS, sha256="0" * 64
    )
    state = {name: value.numpy() for name, value in network.state_dict().items()}
    save_model(tmp_path / "tiny", card, state)
    return tmp_path / "tiny"


def edit_card(bundle: Path, **changes: object) -> None:
    path = bundle / "card.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_weights_come_back_as_they_went(bundle: Path) -> None:
    torch.manual_seed(1)
    original = build_network("hip_unet", OPTIONS).eval()
    loaded = load_model(bundle)
    x = torch.randn(1, 1, 16, 16)
    with torch.no_grad():
        assert torch.equal(loaded.network()(x), original(x))
    assert loaded.card.parameters == sum(v.size for v in loaded.state.values())


def test_the_label_names_everything_that_decides_a_result(bundle: Path) -> None:
    card = load_model(bundle).card
    assert card.label == load_model(bundle).card.label
    assert re.fullmatch("tiny@[0-9a-f]{12}", card.label)
    words = {"description": "other", "metrics": {"dice": 0.9}, "data": {"films": 3}}
    assert card.model_copy(update=words).label == card.label
    for change in (
        {"sha256": "0" * 64},
        {"thresholds": (0.5, 0.5, 0.5, 0.6)},
        {"temperatures": (1.0, 1.0, 1.0, 1.1)},
        {"peaks": (None, None, None, 0.9)},
        {"classes": {"hips": 1}},
        {"files": {"attachment.onnx": "0" * 64}},
    ):
        assert card.model_copy(update=change).label != card.label


def test_found_by_name_on_the_search_path(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SEARCH_VARIABLE, str(bundle.parent))
    assert find_model("tiny") == bundle
    assert {entry.name: entry.problem for entry in list_models()}["tiny"] is None


def test_found_when_the_search_path_names_the_bundle(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SEARCH_VARIABLE, str(bundle))
    assert find_model("tiny") == bundle


def test_missing_model_says_where_it_looked(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SEARCH_VARIABLE, str(bundle.parent))
    with pytest.raises(ModelError, match=f"no model 'absent'.*{bundle.parent.name}"):
        load_model("absent")


def test_one_changed_byte_is_refused(bundle: Path) -> None:
    path = bundle / "weights.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelError, match="changed or damaged"):
        load_model(bundle)
    assert "changed or damaged" in (verify_model(bundle).problem or "")


def test_a_further_file_is_verified_like_the_weights(bundle: Path) -> None:
    card = add_file(bundle, "closeup.onnx", b"network")
    assert load_model(bundle).files == {"closeup.onnx": b"network"}
    assert read_card(bundle / "card.json") == card
    (bundle / "closeup.onnx").write_bytes(b"other")
    for problem in (verify_model(bundle).problem, _refusal(bundle)):
        assert "closeup.onnx" in str(problem)
        assert "changed or damaged" in str(problem)
    (bundle / "closeup.onnx").unlink()
    assert "cannot be read" in _refusal(bundle)


def test_a_card_names_no_file_outside_its_folder(bundle: Path) -> None:
    edit_card(bundle, files={"../x.onnx": "0" * 64})
    assert "files" in _refusal(bundle)


def _refusal(bundle: Path) -> str:
    with pytest.raises(ModelError) as error:
        load_model(bundle)
    return str(error.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"structures": ["femur", "pelvis", "implant", "ossification"]}, "structures must be"),
        ({"normalisation": "z-score"}, "normalisation must be"),
        ({"spacing_mm": -1}, "spacing_mm = -1"),
        ({"thresholds": [0.5, 0.5]}, "thresholds must have 4"),
        ({"colour": "red"}, "colour = 'red'"),
        ({"format": 2}, "format = 2"),
    ],
)
def test_cards_that_do_not_fit_are_refused(bundle: Path, changes: dict, message: str) -> None:
    edit_card(bundle, **changes)
    with pytest.raises(ModelError, match=message):
        load_model(bundle)


def test_weights_of_another_architecture_are_refused(bundle: Path) -> None:
    edit_card(bundle, options={**OPTIONS, "widths": [8, 8, 24]})
    with pytest.raises(ModelError, match="do not fit architecture"):
        load_model(bundle).network()


def test_card_that_is_not_json(bundle: Path) -> None:
    (bundle / "card.json").write_text("{")
    with pytest.raises(ModelError, match="not JSON"):
        load_model(bundle)


def test_a_pickle_is_not_read(bundle: Path) -> None:
    import hashlib

    torch.save({"x": torch.zeros(2)}, bundle / "weights.safetensors")
    data = (bundle / "weights.safetensors").read_bytes()
    edit_card(bundle, sha256=hashlib.sha256(data).hexdigest())
    with pytest.raises(ModelError, match="not a safetensors file"):
        load_model(bundle)


def test_missing_weights(bundle: Path) -> None:
    (bundle / "weights.safetensors").unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        load_model(bundle)


def test_state_dtypes_survive(tmp_path: Path) -> None:
    card = ModelCard(name="x", spacing_mm=1, architecture="hip_unet", sha256="0" * 64)
    state = {"a": np.arange(3, dtype=np.int64), "b": np.ones((2, 2), np.float32)[:, ::-1]}
    save_model(tmp_path / "x", card, state)
    loaded = load_model(tmp_path / "x").state
    assert loaded["a"].dtype == np.int64
    np.testing.assert_array_equal(loaded["b"], state["b"])
