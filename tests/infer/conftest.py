from __future__ import annotations

from pathlib import Path

import pytest

from hoseg.segment.weights import Model

from .samples import make_model


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch) -> Path:
    """A cache of its own for every test: nothing is read from or left in the user's."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("HOSEG_CACHE", str(folder))
    return folder


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> Model:
    return make_model(tmp_path_factory.mktemp("model") / "small-0")
