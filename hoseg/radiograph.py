"""The nouns every stage shares: the image, its millimetres, its side and view, its masks.

Data flows one way (``dicom`` -> ``imaging`` -> ``segment`` -> ``grade`` -> ``report``) and
every arrow carries a type defined here or in the package it leaves.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntFlag, StrEnum

import numpy as np
from numpy.typing import NDArray

from hoseg.errors import SettingError


class Structure(IntFlag):
    """Bits of a mask pixel. Structures overlap, because a radiograph is a projection."""

    PELVIS = 1
    FEMUR = 2
    IMPLANT = 4
    OSSIFICATION = 8

    @property
    def channel(self) -> int:
        """Channel of a network that answers for this structure."""
        return int(self).bit_length() - 1


STRUCTURES: tuple[str, ...] = ("pelvis", "femur", "implant", "ossification")
"""Names in bit order: channel ``c`` of a network is bit ``1 << c`` of a mask."""


class Side(StrEnum):
    """The PATIENT's side. Mirroring an image swaps left and right."""

    LEFT = "left"
    RIGHT = "right"
    UNKNOWN = "unknown"

    @property
    def opposite(self) -> Side:
        """The other side; unknown stays unknown."""
        return {Side.LEFT: Side.RIGHT, Side.RIGHT: Side.LEFT}.get(self, self)


class View(StrEnum):
    """Radiographic projection of the hip."""

    AP_PELVIS = "ap_pelvis"
    AP_HIP = "ap_hip"
    FROG_LEG = "frog_leg"
    CROSS_TABLE = "cross_table"
    JUDET = "judet"
    OTHER = "other"
    UNKNOWN = "unknown"

    @property
    def is_ap(self) -> bool:
        """Whether the Brooker classes are defined on this view."""
        return self in (View.AP_PELVIS, View.AP_HIP)


class SpacingSource(StrEnum):
    """Where millimetres come from, in the order in which one is taken before the next.

    DICOM PS3.3 C.7.6.3.1.3, 10.7.1.3. ``USER_OVERRIDE``: in place of what the file carries;
    ``USER``: stated for a file that carries none.
    """

    USER_OVERRIDE = "user_override"
    FIDUCIAL = "fiducial"
    IMPLANT_HEAD = "implant_head"
    GEOMETRY = "geometry"
    MAGNIFICATION = "magnification"
    ASSUMED_MAGNIFICATION = "assumed_magnification"
    UNTYPED = "untyped"
    USER = "user"


@dataclass(frozen=True)
class Spacing:
    """Distance between pixel centres in mm AT THE PLANE OF THE HIP, with its uncertainty.

    row_mm: distance between adjacent rows (mm)
    column_mm: distance between adjacent columns (mm)
    relative_sd: standard deviation as a fraction of the value (0.04 = 4 %)
    source: provenance, stated in every result
    """

    row_mm: float
    column_mm: float
    relative_sd: float
    source: SpacingSource

    def __post_init__(self) -> None:
        for name in ("row_mm", "column_mm"):
            value = getattr(self, name)
            if not (np.isfinite(value) and 0 < value < 100):
                raise SettingError(name, value, "a finite number of mm in (0, 100)")
        if not 0 <= self.relative_sd < 0.5:
            raise SettingError("relative_sd", self.relative_sd, "a fraction in [0, 0.5)")

    @property
    def mm(self) -> tuple[float, float]:
        """(row, column) spacing in mm."""
        return (self.row_mm, self.column_mm)

    @property
    def mean_mm(self) -> float:
        """Geometric mean of the row and column spacing (mm)."""
        return float(np.sqrt(self.row_mm * self.column_mm))

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the scale factor, about 1.0."""
        return (1 - 1.96 * self.relative_sd, 1 + 1.96 * self.relative_sd)


@dataclass(frozen=True)
class Note:
    """Something a reader should know: a stable code and a sentence."""

    code: str
    text: str


@dataclass(frozen=True)
class Orientation:
    """Patient directions along the image axes (DICOM PS3.3 C.7.6.1.1.1, Patient Orientation).

    columns: patient side towards which the column index grows (left on a standard AP film)
    rows_to_feet: whether the row index grows towards the feet
    source: "attribute", "presentation", "picture", "marker", "user" or "assumed"
    transposed: the film lies on its side: ``columns`` is then the side towards which the ROW index
        grows, and ``rows_to_feet`` whether the COLUMN index grows towards the feet
    """

    columns: Side = Side.LEFT
    rows_to_feet: bool = True
    source: str = "assumed"
    transposed: bool = False

    def after_quarters(self, quarters: int) -> Orientation:
        """Directions after that many quarter turns of the picture counterclockwise."""
        turned = self
        for _ in range(quarters % 4):
            if turned.transposed:  # new rows run against the old columns, columns along the rows
                turned = replace(turned, transposed=False, rows_to_feet=not turned.rows_to_feet)
            else:
                turned = replace(turned, transposed=True, columns=turned.columns.opposite)
        return turned


@dataclass(frozen=True)
class Geometry:
    """How a film shows the patient, as far as that is known.

    spacing: mm at the plane of the hip, or None when nothing is known
    side: stated for the image
    view: radiographic projection
    orientation: patient directions along the image axes
    """

    spacing: Spacing | None = None
    side: Side = Side.UNKNOWN
    view: View = View.UNKNOWN
    orientation: Orientation = field(default_factory=Orientation)


@dataclass(frozen=True, eq=False)
class Display:
    """How stored values become grey levels (DICOM PS3.3 C.11.2 and C.11.6).

    window: (centre, width) in pixel units, or None
    function: "LINEAR", "LINEAR_EXACT" or "SIGMOID"
    lut: (N,) VOI LUT output, normalised to [0, 1], or None
    lut_first: first pixel value mapped by ``lut``
    inverted: small values are shown bright (MONOCHROME1 or Presentation LUT Shape INVERSE)
    """

    window: tuple[float, float] | None = None
    function: str = "LINEAR"
    lut: NDArray[np.float32] | None = None
    lut_first: int = 0
    inverted: bool = False

    @property
    def small_is_bright(self) -> bool:
        """Whether small values are shown bright, be it by ``inverted`` or by a falling LUT."""
        if self.lut is None:
            return self.inverted
        half = len(self.lut) // 2
        falls = bool(self.lut[:half].mean() > self.lut[half:].mean())
        return self.inverted != falls


@dataclass(frozen=True)
class Attributes:
    """Identity and acquisition facts that later stages and the outputs need.

    Empty string = absent. Dates are DICOM DA strings. ``image_type`` is backslash-joined.
    intensity_sign: -1 when larger stored values mean denser, 1 when thinner, 0 when not stated
    (DICOM PS3.3 C.8.11.3.1.2, Pixel Intensity Relationship Sign)
    """

    patient_id: str = ""
    study_uid: str = ""
    series_uid: str = ""
    sop_uid: str = ""
    sop_class_uid: str = ""
    modality: str = ""
    body_part: str = ""
    description: str = ""
    study_date: str = ""
    patient_age: str = ""
    patient_sex: str = ""
    transfer_syntax_uid: str = ""
    photometric: str = ""
    frame: int = 0
    species: str = ""
    image_type: str = ""
    intensity_sign: int = 0


@dataclass(frozen=True, eq=False)
class Radiograph:
    """One decoded image, on its original pixel grid.

    pixels: (H, W) real numbers after the modality LUT, before any window; integer types kept
    valid: (H, W) bool, False under pixel padding and display shutters; None when all valid
    spacing: mm at the hip plane, or None when nothing is known
    aspect: row spacing over column spacing where ``spacing`` is None (PS3.3 C.7.6.3.1.7)
    source: the path as the user gave it ("archive.zip!inner/name" inside an archive)
    """

    pixels: NDArray[np.generic]
    source: str
    spacing: Spacing | None = None
    side: Side = Side.UNKNOWN
    view: View = View.UNKNOWN
    orientation: Orientation = field(default_factory=Orientation)
    display: Display = field(default_factory=Display)
    attributes: Attributes = field(default_factory=Attributes)
    valid: NDArray[np.bool_] | None = None
    notes: tuple[Note, ...] = ()
    aspect: float = 1.0

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return (int(self.pixels.shape[0]), int(self.pixels.shape[1]))

    @property
    def geometry(self) -> Geometry:
        """How it shows the patient."""
        return Geometry(self.spacing, self.side, self.view, self.orientation)


@dataclass(frozen=True)
class Grid:
    """Where the pixels of a resampled image lie on the original one.

    The centre of resampled pixel (i, j) is original pixel ``origin_px + step_px * (i, j)``.

    shape: (h, w) of the resampled image
    origin_px: (row, column) of the centre of pixel (0, 0), in original pixels
    step_px: (row, column) distance between resampled centres, in original pixels
    spacing_mm: (row, column) of the resampled image
    """

    shape: tuple[int, int]
    origin_px: tuple[float, float]
    step_px: tuple[float, float]
    spacing_mm: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Prepared:
    """A radiograph as the network sees it.

    pixels: (h, w) float32, bright = dense, robustly normalised to about zero mean, unit spread
    field: (h, w) bool, True inside the exposed field (collimation, shutters, padding excluded)
    grid: where these pixels lie on the original image
    original_shape: (H, W) of the radiograph
    inverted: grey levels were flipped, so that dense is bright
    notes: what was assumed on the way (scale, polarity, field)
    burnt_out: outlines (N, 2) int32, (column, row) in original pixels, of what is plain black
        within the field: nothing is seen there
    """

    pixels: NDArray[np.float32]
    field: NDArray[np.bool_]
    grid: Grid
    original_shape: tuple[int, int]
    inverted: bool = False
    notes: tuple[Note, ...] = ()
    burnt_out: tuple[NDArray[np.int32], ...] = ()


@dataclass(frozen=True, eq=False)
class Segmentation:
    """What the network found.

    masks: (H, W) uint8 on the ORIGINAL grid, OR of the bits of ``Structure``
    probabilities: (4, h, w) uint8, probability x 255 on the network grid, in bit order
    grid: where the probabilities lie on the original image
    model: "name@fingerprint-prefix" of the model
    scores: image-level outputs of the network as (name, value), e.g. ("hip", 0.98)
    """

    masks: NDArray[np.uint8]
    probabilities: NDArray[np.uint8]
    grid: Grid
    model: str
    scores: tuple[tuple[str, float], ...] = ()

    def probability(self, structure: Structure) -> NDArray[np.uint8]:
        """(h, w) uint8, probability x 255 of one structure."""
        return np.asarray(self.probabilities[structure.channel])


@dataclass(frozen=True, eq=False)
class Layer:
    """One structure of a mask image, on the part of the image where it is.

    mask: (h, w) uint8, non-zero inside
    corner: (row, column) of the image at which the mask begins
    """

    mask: NDArray[np.uint8]
    corner: tuple[int, int] = (0, 0)


MaskLayers = dict[Structure, Layer]

_ROWS_AT_ONCE = 128  # what the cache holds is read once


def split_layers(masks: NDArray[np.uint8]) -> MaskLayers:
    """Each structure of a mask image, on the box that holds it; an empty one on one pixel.

    masks: (H, W) uint8, OR of the bits of ``Structure``
    """
    rows, columns = np.empty(masks.shape[0], np.uint8), np.zeros(masks.shape[1], np.uint8)
    for first in range(0, len(masks), _ROWS_AT_ONCE):
        strip = masks[first : first + _ROWS_AT_ONCE]
        np.bitwise_or.reduce(strip, axis=1, out=rows[first : first + _ROWS_AT_ONCE])
        columns |= np.bitwise_or.reduce(strip, axis=0)
    layers = {}
    for structure in Structure:
        bit = np.uint8(structure)
        row, column = np.flatnonzero(rows & bit), np.flatnonzero(columns & bit)
        if not len(row):
            layers[structure] = Layer(np.zeros((1, 1), np.uint8))
            continue
        corner = (int(row[0]), int(column[0]))
        window = masks[corner[0] : int(row[-1]) + 1, corner[1] : int(column[-1]) + 1]
        layers[structure] = Layer(np.asarray(np.bitwise_and(window, bit)), corner)
    return layers
