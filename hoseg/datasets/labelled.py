"""What a labelled film is, whatever file format it came from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hoseg.datasets.places import check_case, writable
from hoseg.dicom import exif
from hoseg.errors import InputError
from hoseg.file_names import as_path
from hoseg.imaging.turn import Turn, Value, turn_of
from hoseg.radiograph import STRUCTURES, Radiograph, Side, Structure, View

ALL_STRUCTURES = 15
"""All bits of ``Structure``."""

_SYNONYMS: dict[Structure, tuple[str, ...]] = {
    Structure.PELVIS: ("pelvis", "hip bone", "hipbone", "innominate", "pelvic bone", "acetabulum"),
    Structure.FEMUR: ("femur", "proximal femur", "thigh bone"),
    Structure.IMPLANT: ("implant", "prosthesis", "metal", "hardware", "arthroplasty"),
    Structure.OSSIFICATION: (
        "ossification", "heterotopic ossification", "ho", "heterotopic bone", "ectopic bone",
    ),
}  # fmt: skip

IGNORED_NAMES = frozenset({"background", "ignore", "don't care", "dont care", "void"})


@dataclass(frozen=True)
class GradedHip:
    """What a reader, or a simulator, says about one hip.

    brooker: class 0-4, or None
    gap_mm: gap between opposing bone surfaces at the plane of the hip
    maturity: "hazy", "mature_discrete", "mature_extensive" or ""
    centre_px: (row, column) of the femoral head, or None
    """

    side: Side
    brooker: int | None = None
    gap_mm: float | None = None
    maturity: str = ""
    centre_px: tuple[float, float] | None = None


class Says(StrEnum):
    """What a reader says of ossification at a hip."""

    NO = "no"
    YES = "yes"
    UNSURE = "unsure"


@dataclass(frozen=True)
class HipReading:
    """What a reader who drew nothing says of one hip; lowest and highest Brooker class, or None."""

    side: Side
    says: Says
    lowest: int | None = None
    highest: int | None = None


@dataclass(frozen=True)
class FilmReading:
    """What a reader who drew nothing says of one film.

    hips: what was said of each; empty = no hip of the film has ossification
    family: of films that come from one place, or ""
    implant: whether the film shows one; None when not known
    view: None when not said
    """

    hips: tuple[HipReading, ...] = ()
    family: str = ""
    implant: bool | None = None
    view: View | None = None


@dataclass(frozen=True, eq=False)
class LabelledImage:
    """One film with its labels.

    masks: (H, W) uint8, bits of ``Structure``, on the grid of ``radiograph``; None = grades alone
    ignore: (H, W) uint8, the same bits where nothing is known; None = everything is known
    hips: grades, where there are any
    split: "train", "val", "test" or "" when the dataset does not say
    notes: what of its labels could not be used
    reading: what was said of it where nothing was drawn; None = masks or grades say it
    dataset: name of the dataset where several are judged together, else ""
    """

    case: str
    patient: str
    radiograph: Radiograph
    masks: NDArray[np.uint8] | None = None
    ignore: NDArray[np.uint8] | None = None
    hips: tuple[GradedHip, ...] = ()
    split: str = ""
    dataset: str = ""
    notes: tuple[str, ...] = ()
    reading: FilmReading | None = None


def upright(image: LabelledImage) -> LabelledImage:
    """The same film turned by quarters until the patient's head is up, as its orientation says."""
    turn = turn_of(image.radiograph)
    if turn.quarters == 0:
        return image
    back = Turn(-turn.quarters % 4, turn.upright_shape)  # what is back for it, is upright for us

    def moved(centre: tuple[float, float] | None) -> tuple[float, float] | None:
        return None if centre is None else back.point_back(centre)

    return replace(
        image,
        radiograph=turn.film(image.radiograph),
        masks=None if image.masks is None else turn.picture(image.masks),
        ignore=None if image.ignore is None else turn.picture(image.ignore),
        hips=tuple(replace(hip, centre_px=moved(hip.centre_px)) for hip in image.hips),
    )


def usual_way_up(image: LabelledImage) -> LabelledImage:
    """Return the same film with the patient's left on the right and the head up.

    Pictures and label files do not say how a film lies: who reads them assumes this. A film whose
    own orientation is assumed stays as it is.
    """
    image = upright(image)
    film = image.radiograph
    if film.orientation.source == "assumed" or film.orientation.columns is not Side.RIGHT:
        return image
    last = film.shape[1] - 1

    def mirrored(pixels: NDArray[Value]) -> NDArray[Value]:
        return np.ascontiguousarray(pixels[:, ::-1])

    def moved(centre: tuple[float, float] | None) -> tuple[float, float] | None:
        return None if centre is None else (centre[0], last - centre[1])

    return replace(
        image,
        radiograph=replace(
            film,
            pixels=mirrored(film.pixels),
            valid=None if film.valid is None else mirrored(film.valid),
            orientation=replace(film.orientation, columns=Side.LEFT),
        ),
        masks=None if image.masks is None else mirrored(image.masks),
        ignore=None if image.ignore is None else mirrored(image.ignore),
        hips=tuple(replace(hip, centre_px=moved(hip.centre_px)) for hip in image.hips),
    )


class LabelledFilm(Protocol):
    """A film of a dataset, not read yet."""

    @property
    def case(self) -> str:
        """Name, unique in its dataset."""

    @property
    def patient(self) -> str:
        """Whom it shows; films of one patient never land on both sides of a split."""

    @property
    def split(self) -> str:
        """ "train", "val", "test" or "" when the dataset does not say."""

    @property
    def path(self) -> Path:
        """The image file, for messages."""

    def read(self) -> LabelledImage:
        """Decode image and labels; InputError names the file that does not fit."""


@dataclass(frozen=True)
class LazyFilm:
    """A film whose reading is a function; every format of this package makes these."""

    case: str
    patient: str
    path: Path
    reader: Callable[[], LabelledImage]
    split: str = ""

    def __post_init__(self) -> None:
        """Refuse a name that could lead out of the folder it is written to (``unsafe_path``)."""
        for key in ("case", "patient"):
            object.__setattr__(self, key, writable(getattr(self, key)))
        check_case(self.case, self.path)

    def read(self) -> LabelledImage:
        """Decode image and labels, and turn both upright where the image says how it lies."""
        image = masks_as_shown(self.reader())
        check_shapes(image, self.path)
        patient = writable(image.patient)
        return replace(upright(image), case=self.case, patient=patient, split=self.split)


@dataclass(frozen=True)
class Dataset:
    """Films of one folder or file.

    format: name of the format it was read as
    """

    path: Path
    format: str
    films: tuple[LabelledFilm, ...]


def structure_of(name: str) -> int:
    """Bit of a structure named by somebody else's software; 0 for names to be ignored.

    "left femur", "Femur_R" and "HO" are understood.

    Raises KeyError for a name that means no structure.
    """
    words = name.strip().lower().replace("_", " ").replace("-", " ").split()
    plain = " ".join(w for w in words if w not in ("left", "right", "l", "r", "the"))
    if plain in IGNORED_NAMES:
        return 0
    for structure, names in _SYNONYMS.items():
        if plain in names:
            return int(structure)
    raise KeyError(name)


def unknown_label(path: Path, name: object) -> InputError:
    """Error for a label that is none of ours."""
    return InputError(
        str(path),
        f"label {name!r:.80} is none of {', '.join(STRUCTURES)}. Rename it, or remove it.",
        code="unknown_label",
    )


def masks_as_shown(image: LabelledImage) -> LabelledImage:
    """Turn masks that were drawn on a picture as it is stored, where EXIF has it shown turned.

    The size tells: masks of the size of the stored picture lie on that. Where both sizes are the
    same, masks are taken to lie on the picture as it is shown (``hoseg dataset check`` warns).
    """
    if not _shown_turned(image.radiograph):
        return image
    picture = as_path(image.radiograph.source)
    shape, orientation = image.radiograph.shape, exif.orientation_of(picture.read_bytes())

    def shown(mask: NDArray[np.uint8] | None) -> NDArray[np.uint8] | None:
        if mask is None or mask.shape == shape or mask.shape != shape[::-1]:
            return mask
        return exif.as_shown(mask, orientation)

    return replace(image, masks=shown(image.masks), ignore=shown(image.ignore))


def _shown_turned(radiograph: Radiograph) -> bool:
    return any(note.code == exif.APPLIED for note in radiograph.notes)


def check_shapes(image: LabelledImage, path: Path) -> None:
    """InputError when masks do not have the size of the image, or hold unknown bits."""
    for name in ("masks", "ignore"):
        mask = getattr(image, name)
        if mask is not None and mask.shape != image.radiograph.shape:
            raise InputError(
                str(path),
                f"{name} are {mask.shape[0]} x {mask.shape[1]}, the image is "
                f"{image.radiograph.shape[0]} x {image.radiograph.shape[1]} (rows x columns). "
                "Export the mask at the size of the image.",
                code="size_mismatch",
            )
    if image.masks is not None and int(image.masks.max(initial=0)) > ALL_STRUCTURES:
        raise InputError(
            str(path),
            f"mask value {int(image.masks.max())}; expected the OR of 1 pelvis, 2 femur, "
            "4 implant, 8 ossification (0-15)",
            code="unknown_label",
        )


def check_stated_size(shape: tuple[int, int], radiograph: Radiograph, path: Path) -> None:
    """InputError when labels are stated to be for an image of another size (rows, columns).

    Asked before a mask of that size is made: any number can be stated. A picture that EXIF has
    shown turned may be labelled as it is stored (``masks_as_shown``).
    """
    stored = radiograph.shape[::-1] if _shown_turned(radiograph) else radiograph.shape
    if shape not in (radiograph.shape, stored):
        rows, columns = radiograph.shape
        text = f"labels are for {shape[0]} x {shape[1]}, the image is {rows} x {columns}"
        raise InputError(str(path), f"{text} (rows x columns)", code="size_mismatch")


def read_image(path: Path, spacing_mm: float | None) -> Radiograph:
    """Read the one radiograph in a file."""
    from hoseg.dicom.decode import load

    found = load(path, spacing_mm)
    if len(found) != 1:
        raise InputError(str(path), f"holds {len(found)} images; expected one", code="not_one")
    return found[0]
