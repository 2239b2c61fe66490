"""Files derived from a model's weights: the ONNX graph and the parity reference.

They lie beside the weights of a released model, or in the user's cache once they have been made
there. ``derived.json`` names the weights they come from and the hash of each; a file that does
not fit is not used.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

from hoseg.errors import DeviceError, OutputError
from hoseg.extras import require
from hoseg.files import write_whole, written_whole
from hoseg.segment.weights import Model

ONNX = "model.onnx"
REFERENCE = "parity.npz"
CACHE_VARIABLE = "HOSEG_CACHE"

OPSET = 17
"""Of ONNX: read by ONNX Runtime 1.21, the first to unfold bytes, OpenVINO 2023.0 and newer ones."""

_INDEX = "derived.json"


def onnx_file(model: Model) -> Path:
    """Return the ONNX file of a model, made now (needs torch and onnx) if there is none yet.

    Raises DeviceError or MissingExtra when it has to be made and cannot.
    """
    return derived_file(model, ONNX, export_onnx)


def derived_file(model: Model, name: str, make: Callable[[Model, Path], None]) -> Path:
    """Find one derived file, or make it in the cache.

    make: writes the file for a model at a path
    """
    for folder in (model.path, cache_folder(model)):
        if is_derived(folder, name, model):
            return folder / name
    folder = cache_folder(model)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        add_derived(folder, name, model, make)
    except (OSError, OutputError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise DeviceError(
            f"cannot write {folder / name} ({why}); set {CACHE_VARIABLE} to a folder that can be "
            "written"
        ) from error
    return folder / name


def add_derived(folder: Path, name: str, model: Model, make: Callable[[Model, Path], None]) -> None:
    """Make one derived file in a folder and enter it in the index; never seen half-written."""
    with written_whole(folder / name) as part:
        make(model, part)
        digest = hashlib.sha256(part.read_bytes()).hexdigest()
    files = _read_index(folder, model) | {name: digest}
    text = json.dumps({"source": source_key(model), "files": files}, indent=2)
    write_whole(folder / _INDEX, text + "\n")


def is_derived(folder: Path, name: str, model: Model) -> bool:
    """Whether a folder holds this file, unharmed, from these weights."""
    digest = _read_index(folder, model).get(name)
    if digest is None or not (folder / name).is_file():
        return False
    return hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


def source_key(model: Model) -> str:
    """Hash of all that shapes the deployed graph and its masks."""
    card = model.card
    facts: list[object] = [card.sha256, card.architecture, card.options]
    facts += [card.temperatures, card.thresholds, card.peaks]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def cache_folder(model: Model) -> Path:
    """Where files derived from this model are cached."""
    return cache_root() / "derived" / f"{model.card.name}-{source_key(model)[:16]}"


def cache_root() -> Path:
    """Return the user's cache folder of hoseg (the variable HOSEG_CACHE moves it)."""
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData/Local")) / "hoseg"
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/hoseg"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hoseg"


def _read_index(folder: Path, model: Model) -> dict[str, str]:
    """File name to sha256, of the files derived from this model."""
    try:
        index = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
        files = dict(index["files"]) if index["source"] == source_key(model) else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return files


def export_onnx(model: Model, path: Path) -> None:
    """Write the deployed network: ``pixels`` (n, 1, h, w) float32 in, uint8 probabilities out.

    Raises MissingExtra when torch or onnx is not installed.
    """
    require("export", "torch", "onnx", purpose=f"to make model.onnx for {model.path}, hoseg")
    import torch

    from hoseg.infer.deploy import deploy

    side = 4 * model.card.pad_multiple
    shape = {0: "n", 2: "h", 3: "w"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            deploy(model),
            (torch.zeros(1, 1, side, side),),
            str(path),
            input_names=["pixels"],
            output_names=["probabilities"],
            dynamic_axes={"pixels": shape, "probabilities": shape},
            opset_version=OPSET,
            dynamo=False,  # needs no onnxscript, and keeps heights and widths free
        )
