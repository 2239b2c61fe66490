"""Settings for researchers' own anatomy: files on disk instead of the built-in shape model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from hoseg.errors import InputError, SettingError
from hoseg.simulate.body.skeleton import AnatomySource
from hoseg.simulate.body.sources import BONES, People, label_map, mesh_folders

NIFTI = (".nii", ".nii.gz")
_NEEDED = tuple(name for name in BONES if name != "sacrum")


@dataclass(frozen=True)
class AnatomySettings:
    """Where people come from. Without files: the LLP26 shape model.

    meshes: folder with the meshes of one person, or with such a folder for each person
    label_map: NIfTI file of a segmented CT
    labels: value of each bone in ``label_map``: pelvis_left, pelvis_right, femur_left,
        femur_right and, if there is one, sacrum
    """

    meshes: str = ""
    label_map: str = ""
    labels: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.meshes and self.label_map:
            raise SettingError("label_map", self.label_map, "meshes or label_map, not both")
        if self.meshes and not Path(self.meshes).is_dir():
            raise SettingError("meshes", self.meshes, "an existing folder")
        if self.labels and not self.label_map:
            raise SettingError("labels", dict(self.labels), "a label_map that they belong to")
        if self.label_map:
            self._check_label_map()

    def _check_label_map(self) -> None:
        path = Path(self.label_map)
        if not path.is_file() or not path.name.lower().endswith(NIFTI):
            raise SettingError(
                "label_map", self.label_map, f"an existing file, {' or '.join(NIFTI)}"
            )
        unknown = sorted(set(self.labels) - set(BONES))
        if unknown:
            raise SettingError(f"labels.{unknown[0]}", self.labels[unknown[0]], ", ".join(BONES))
        missing = [name for name in _NEEDED if name not in self.labels]
        if missing:
            raise SettingError(
                "labels", dict(self.labels), f"a value for each of {', '.join(_NEEDED)}"
            )

    def source(self) -> AnatomySource | None:
        """Where people come from, read once a process; None for the shape model.

        Raises
        ------
        InputError: a file cannot be read, a bone is missing
        SettingError: a surface is open
        """
        if not (self.meshes or self.label_map):
            return None
        return _source(self.meshes, self.label_map, tuple(sorted(self.labels.items())))

    def fingerprint(self) -> str:
        """Hash of the files and settings; empty for the shape model."""
        if not (self.meshes or self.label_map):
            return ""
        digest = hashlib.sha256(repr(sorted(self.labels.items())).encode())
        for path in sorted(Path(self.meshes).rglob("*")) if self.meshes else [Path(self.label_map)]:
            if path.is_file():
                digest.update(path.name.encode() + path.read_bytes())
        return digest.hexdigest()


def parse_labels(text: str) -> dict[str, int]:
    """``"pelvis_left=77,femur_left=75"`` to a mapping."""
    labels = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = entry.partition("=")
        if not value.strip().isdigit():
            raise SettingError(
                "labels", entry, "BONE=NUMBER pairs, such as pelvis_left=77,pelvis_right=78"
            )
        labels[name.strip()] = int(value)
    return labels


@lru_cache(maxsize=4)
def _source(meshes: str, labelled: str, labels: tuple[tuple[str, int], ...]) -> AnatomySource:
    if meshes:
        return People(mesh_folders(Path(meshes)))
    try:
        import nibabel
    except ImportError as error:
        raise InputError(
            labelled, "needs nibabel to be read; install it with: pip install nibabel"
        ) from error
    try:
        image = nibabel.load(labelled)
        values = np.asarray(image.dataobj)  # type: ignore[attr-defined]
        affine = np.asarray(image.affine)  # type: ignore[attr-defined]
    except (OSError, nibabel.filebasedimages.ImageFileError, EOFError, ValueError) as error:
        raise InputError(labelled, f"not a readable NIfTI file ({error})") from error
    if values.ndim != 3:
        raise InputError(labelled, f"has shape {values.shape}; expected a volume of three axes")
    return label_map(values, affine, dict(labels), name=labelled)
