"""Fixtures that several packages use."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

# Speed is measured by the benchmarks; a slow or busy machine must not fail a test.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Development radiographs that do not ship with the project."""
    if not SHARED.is_dir():
        pytest.skip("the development radiographs are not beside this checkout")
    return SHARED


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a small network with random weights: the machinery without the knowledge."""
    import torch

    from hoseg.segment.card import ModelCard
    from hoseg.segment.network import build_network
    from hoseg.segment.weights import save_model

    torch.manual_seed(0)
    options = {"widths": (4, 8, 8), "deep_levels": ()}
    network = build_network("hip_unet", options).eval()
    state = {name: value.numpy() for name, value in network.state_dict().items()}
    card = ModelCard(
        name="tiny", spacing_mm=1.2, architecture="hip_unet", options=options, sha256="0" * 64
    )
    folder = tmp_path_factory.mktemp("models") / "tiny"
    save_model(folder, card, state)
    return folder
