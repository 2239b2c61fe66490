"""Model bundles: a folder with ``weights.safetensors``, ``card.json`` and ``MODELCARD.md``.

Weights are safetensors and the card is JSON: nothing is ever unpickled. The hash in the card is
checked on every load, and a file that does not fit is refused.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as parse_safetensors
from safetensors.numpy import save as dump_safetensors

import hoseg
from hoseg.errors import ModelError
from hoseg.extras import require
from hoseg.files import write_whole
from hoseg.segment.card import CARD, ModelCard, read_card
from hoseg.segment.card_text import write_card

if TYPE_CHECKING:
    from torch import nn

DEFAULT_MODEL = "hip-sim-1"
SEARCH_VARIABLE = "HOSEG_MODELS"
ENTRY_POINT_GROUP = "hoseg.models"

_WEIGHTS = "weights.safetensors"


@dataclass(frozen=True, eq=False)
class Model:
    """A verified model: its card and its weights.

    state: parameter name to array, as ``torch.nn.Module.state_dict`` names them
    files: contents of the other files that its card names
    """

    card: ModelCard
    path: Path
    state: Mapping[str, NDArray[np.generic]]
    files: Mapping[str, bytes] = field(default_factory=dict)

    def network(self) -> nn.Module:
        """Build the network in float32 and evaluation mode with these weights."""
        require("gpu", "torch", purpose=f"the network of {self.path}")
        import torch

        from hoseg.segment.network import build_network

        network = build_network(self.card.architecture, self.card.options)
        state = {name: torch.from_numpy(np.array(array)) for name, array in self.state.items()}
        try:
            network.load_state_dict(state)
        except RuntimeError as error:
            raise ModelError(
                f"{self.path}: the weights do not fit architecture {self.card.architecture!r} "
                f"with options {self.card.options}: {str(error).splitlines()[-1].strip()}. "
                "Use the card that was written with these weights."
            ) from error
        return network.eval()


@dataclass(frozen=True)
class ModelEntry:
    """One folder on the search path: a card that verifies, or the reason why it does not."""

    name: str
    path: Path
    card: ModelCard | None
    problem: str | None


def load_model(name_or_path: str | Path | None = None) -> Model:
    """Find, verify and load a model.

    name_or_path: a folder, or the name of a model on the search path; None = the default model

    Raises ModelError when it is missing, tampered with or made for another version.
    """
    folder = find_model(name_or_path)
    card = read_card(folder / CARD)
    data = _verified_bytes(folder / _WEIGHTS, card.sha256)
    files = {name: _verified_bytes(folder / name, sha) for name, sha in card.files.items()}
    try:
        state = parse_safetensors(data)
    except (SafetensorError, ValueError) as error:
        raise ModelError(
            f"{folder / _WEIGHTS}: not a safetensors file ({error}). Copy the model folder again."
        ) from error
    return Model(card=card, path=folder, state=state, files=files)


def find_model(name_or_path: str | Path | None = None) -> Path:
    """Folder of a model, given its name, its path, or nothing for the default."""
    wanted = DEFAULT_MODEL if name_or_path is None else str(name_or_path)
    if name_or_path is not None and (Path(wanted) / CARD).is_file():
        return Path(wanted)
    roots = list(search_path())
    for root in roots:
        for folder in (root / wanted, root):
            if folder.name == wanted and (folder / CARD).is_file():
                return folder
    looked = ", ".join(str(root) for root in roots) or "nowhere"
    raise ModelError(
        f"no model {wanted!r} (looked in {looked}). Give a folder with {CARD}, or add the folder "
        f"that holds it to {SEARCH_VARIABLE}; 'hoseg models' lists what is there."
    )


def list_models() -> list[ModelEntry]:
    """Every model on the search path with its hash checked; the first of a name wins."""
    entries: dict[str, ModelEntry] = {}
    for root in search_path():
        for folder in _bundles_in(root):
            entries.setdefault(folder.name, verify_model(folder))
    return list(entries.values())


def verify_model(folder: Path) -> ModelEntry:
    """Check the card and the hashes of one folder without raising."""
    try:
        card = read_card(folder / CARD)
        for name, sha256 in ({_WEIGHTS: card.sha256} | card.files).items():
            _verified_bytes(folder / name, sha256)
    except ModelError as error:
        return ModelEntry(folder.name, folder, None, str(error))
    return ModelEntry(folder.name, folder, card, None)


def save_model(
    folder: Path, card: ModelCard, state: Mapping[str, NDArray[np.generic]]
) -> ModelCard:
    """Write a bundle: weights first, then the card with their hash and size, which is returned.

    card: its ``sha256`` and ``parameters`` are replaced
    state: parameter name to array
    """
    data = dump_safetensors({name: np.array(a, order="C") for name, a in state.items()})
    card = card.model_copy(
        update={
            "sha256": hashlib.sha256(data).hexdigest(),
            "parameters": sum(int(array.size) for array in state.values()),
        }
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / _WEIGHTS, data, remedy="free space or choose another folder")
    write_card(card, folder)
    return card


def add_file(folder: Path, name: str, data: bytes) -> ModelCard:
    """Put one more file into a bundle, and its hash into the card, which is returned."""
    card = read_card(folder / CARD)
    files = card.files | {name: hashlib.sha256(data).hexdigest()}
    write_whole(folder / name, data, remedy="free space or choose another folder")
    card = card.model_copy(update={"files": files})
    write_card(card, folder)
    return card


def search_path() -> Iterator[Path]:
    """Folders that hold models: the user's, those of plug-ins, the released ones."""
    for part in os.environ.get(SEARCH_VARIABLE, "").split(os.pathsep):
        if part:
            yield Path(part)
    for point in entry_points(group=ENTRY_POINT_GROUP):
        found = point.load()
        yield Path(found() if callable(found) else found)
    package = Path(hoseg.__file__).parent
    for folder in (package / "_models", package.parent / "models"):
        if folder.is_dir():
            yield folder


def _bundles_in(root: Path) -> list[Path]:
    """Bundle folders: the root itself, or those directly inside it."""
    if (root / CARD).is_file():
        return [root]
    if not root.is_dir():
        return []
    return sorted(child for child in root.iterdir() if (child / CARD).is_file())


def _verified_bytes(path: Path, sha256: str) -> bytes:
    """Content of a file, or ModelError when its hash is not the card's."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"{path}: cannot be read ({error.strerror}). Copy the model folder again."
        ) from error
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise ModelError(
            f"{path}: sha256 is {found[:16]}..., its card says {sha256[:16]}... "
            "The file was changed or damaged: copy the model folder again."
        )
    return data
