"""Researchers' own anatomy: a folder of closed meshes, or a label map made from a CT.

Patient axes, mm: +x patient left, +y posterior, +z up, as in DICOM; the person lies straight, with
shafts about vertical. The femoral heads and the sockets are found here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from skimage.measure import marching_cubes

from hoseg.errors import InputError, SettingError
from hoseg.simulate.body.mesh_files import SUFFIXES, read_mesh
from hoseg.simulate.body.meshes import Mesh, Points
from hoseg.simulate.body.projector import check_closed
from hoseg.simulate.body.skeleton import SIDES, AnatomySource, Sphere, Surfaces, fit_sphere

HEAD_RADIUS_MM = (17.0, 33.0)
_TRIES, _TOLERANCE_MM = 400, 0.8
_BONES = ("pelvis_right", "pelvis_left", "femur_right", "femur_left")
BONES = (*_BONES, "sacrum")
"""Names of meshes and labels; the sacrum may be missing."""
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
    import nibabel

    try:
        image = nibabel.load(labelled)
        values = np.asarray(image.dataobj)  # type: ignore[attr-defined]
        affine = np.asarray(image.affine)  # type: ignore[attr-defined]
    except (OSError, nibabel.filebasedimages.ImageFileError, EOFError, ValueError) as error:
        raise InputError(labelled, f"not a readable NIfTI file ({error})") from error
    if values.ndim != 3:
        raise InputError(labelled, f"has shape {values.shape}; expected a volume of three axes")
    return label_map(values, affine, dict(labels), name=labelled)


@dataclass(frozen=True, eq=False)
class FixedPerson:
    """One person, the same in every sample but for size: what surfaces alone can give.

    size_sd: standard deviation of the size, as a share
    """

    surfaces: Surfaces
    size_sd: float = 0.05

    def sample(self, rng: np.random.Generator) -> Surfaces:
        """The person, at a random size."""
        size = float(np.clip(rng.normal(1, self.size_sd), 0.8, 1.2))

        def scaled(mesh: Mesh) -> Mesh:
            return mesh.moved(size * mesh.vertices)

        own = self.surfaces
        return Surfaces(
            {side: scaled(mesh) for side, mesh in own.pelvis.items()},
            {side: scaled(mesh) for side, mesh in own.femora.items()},
            None if own.sacrum is None else scaled(own.sacrum),
            {
                side: (size * centre, size * radius)
                for side, (centre, radius) in own.sockets.items()
            },
            {side: (size * centre, size * radius) for side, (centre, radius) in own.heads.items()},
        )


@dataclass(frozen=True)
class People:
    """Several people, each as often as the others."""

    everyone: tuple[FixedPerson, ...]

    def sample(self, rng: np.random.Generator) -> Surfaces:
        """One of them, at a random size."""
        return self.everyone[int(rng.integers(len(self.everyone)))].sample(rng)


def mesh_folders(folder: Path) -> tuple[FixedPerson, ...]:
    """The people of a folder: one whose meshes lie in it, or one for each folder below it.

    Raises
    ------
    InputError: no meshes, a bone is missing or cannot be read
    SettingError: a surface is open
    """
    people = [folder, *sorted(path for path in folder.iterdir() if path.is_dir())]
    people = [path for path in people if _mesh_files(path)]
    if not people:
        raise InputError(
            str(folder),
            f"holds no {', '.join(f'{name}.stl' for name in _BONES)} "
            f"(or {', '.join(SUFFIXES[1:])}), and no folder below it does",
        )
    return tuple(mesh_folder(path) for path in people)


def _mesh_files(folder: Path) -> dict[str, Path]:
    found = {p.stem.lower(): p for p in sorted(folder.glob("*")) if p.suffix.lower() in SUFFIXES}
    return {name: path for name, path in found.items() if name in BONES}


def mesh_folder(folder: Path) -> FixedPerson:
    """A person from ``pelvis_left``, ``pelvis_right``, ``femur_left``, ``femur_right`` meshes.

    A missing femur is the mirror image of the other one; ``sacrum`` is optional. STL, OBJ or PLY.

    Raises
    ------
    InputError: a bone is missing or cannot be read
    SettingError: a surface is open
    """
    meshes = {name: read_mesh(path) for name, path in _mesh_files(folder).items()}
    return FixedPerson(surfaces(meshes, str(folder)))


def label_map(
    labels: NDArray[np.integer],
    affine: NDArray[np.float64],
    values: dict[str, int],
    smoothing_mm: float = 1.0,
    name: str = "label map",
) -> FixedPerson:
    """A person from a labelled CT.

    Parameters
    ----------
    labels: (I, J, K) one integer a voxel
    affine: (4, 4) from voxel index to mm towards right, anterior, superior (NIfTI)
    values: label of ``pelvis_left``, ``pelvis_right``, ``femur_left``, ``femur_right`` and, if
        there is one, ``sacrum``
    smoothing_mm: standard deviation of the smoothing before the surface is drawn
    name: what errors call it

    Raises
    ------
    InputError: a label does not occur
    """
    voxel_mm = np.linalg.norm(np.asarray(affine)[:3, :3], axis=0)
    meshes = {}
    for bone, value in values.items():
        inside = labels == value
        if not inside.any():
            there = ", ".join(str(v) for v in np.unique(labels)[:40])
            raise InputError(name, f"no voxel has label {value} ({bone}); it holds {there}")
        meshes[bone] = _label_surface(inside, np.asarray(affine, float), smoothing_mm / voxel_mm)
        check_closed(meshes[bone].faces, bone)
    return FixedPerson(surfaces(meshes, name))


def _label_surface(
    inside: NDArray[np.bool_], affine: NDArray[np.float64], sigma: NDArray[np.float64]
) -> Mesh:
    soft = gaussian_filter(np.pad(inside.astype(np.float32), 3), sigma)
    soft = np.pad(soft, 1)  # a bone at the border of the scan is closed there
    points, faces, _, _ = marching_cubes(soft, 0.5)
    mm = (points - 4) @ affine[:3, :3].T + affine[:3, 3]
    mesh = Mesh(mm * (-1, -1, 1), np.ascontiguousarray(faces, np.int32))
    return mesh if mesh.volume_mm3 > 0 else Mesh(mesh.vertices, mesh.faces[:, ::-1].copy())


def surfaces(meshes: dict[str, Mesh], source: str) -> Surfaces:
    """Find heads and sockets on bones named as in ``mesh_folder``."""
    for left, right in (("femur_left", "femur_right"), ("femur_right", "femur_left")):
        if left in meshes and right not in meshes:
            meshes = {**meshes, right: _mirrored(meshes[left], meshes)}
    missing = [name for name in _BONES if name not in meshes]
    if missing:
        raise InputError(source, f"no {' and no '.join(missing)}; these bones are needed")
    pelvis = {side: meshes[f"pelvis_{side.value}"] for side in SIDES}
    femora = {side: meshes[f"femur_{side.value}"] for side in SIDES}
    heads = {side: _head(femora[side].vertices, source) for side in SIDES}
    sockets = {side: _socket(pelvis[side].vertices, heads[side]) for side in SIDES}
    return Surfaces(pelvis, femora, meshes.get("sacrum"), sockets, heads)


def _mirrored(mesh: Mesh, meshes: dict[str, Mesh]) -> Mesh:
    """Mirror image across the plane between the hemipelves."""
    halves = [meshes[name].vertices for name in _BONES[:2] if name in meshes]
    middle = float(np.mean([half[:, 0].mean() for half in halves])) if halves else 0.0
    points = mesh.vertices * (-1, 1, 1) + (2 * middle, 0, 0)
    return Mesh(points, mesh.faces[:, ::-1].copy())


def _head(points: Points, source: str) -> Sphere:
    """The sphere that most points of the top of a femur agree on (RANSAC, Fischler 1981)."""
    rng = np.random.default_rng(0)
    top = points[points[:, 2] > points[:, 2].max() - 75]
    best = np.zeros(len(top), bool)
    for _ in range(_TRIES):
        centre, radius = fit_sphere(top[rng.choice(len(top), 5, replace=False)])
        if HEAD_RADIUS_MM[0] < radius < HEAD_RADIUS_MM[1]:
            near = np.abs(np.linalg.norm(top - centre, axis=1) - radius) < _TOLERANCE_MM
            best = near if near.sum() > best.sum() else best
    if best.sum() < 20:
        raise InputError(source, "no femoral head found: expected a sphere of 17 to 33 mm radius")
    return fit_sphere(top[best])


def _socket(points: Points, head: Sphere) -> Sphere:
    """The sphere of the acetabulum about a head."""
    centre, radius = head
    for _ in range(4):
        distance = np.linalg.norm(points - centre, axis=1)
        near = points[(distance > radius - 4) & (distance < radius + 7)]
        if len(near) < 12:
            return head[0], head[1] + 3.0
        centre, fitted = fit_sphere(near)
        if not head[1] - 2 < fitted < head[1] + 9 or np.linalg.norm(centre - head[0]) > 12:
            return head[0], head[1] + 3.0
    return centre, fitted
