"""Is this a hip radiograph the program may grade? Attributes, then the picture, then its bones.

Each stage returns a ``GateResult``. What is clearly something else is skipped; on what cannot be
trusted the gate abstains; both say why. A stage that does not know lets the image pass to the next.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.imaging.reading import Reading
from hoseg.radiograph import Attributes, Prepared, Radiograph, Structure
from hoseg.reasons import Reason

ADULT_YEARS = 16
"""Below this age growth plates are open, and the model has never seen one."""

_RADIOGRAPHY = {"CR", "DX", "RG", "RF", "XA"}
_ANGIOGRAPHY = {"XA", "DS", "CF", "AS"}
_CAPTURE_MODALITIES = {"OT", "SC", "XC", ""}
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"  # and its multi-frame children
_HIP_WORDS = re.compile(
    r"\bhips?\b|pelvi|acetabul|h[uü]fte|becken|hanche|bassin|cadera|\banca\b|heup|bekken|coxa"
    r"|femoral head|\bthr\b|\btha\b|judet"
)
_OTHER_WORDS = re.compile(
    r"chest|thorax|lung|\brib|skull|head\b(?! of)|brain|neck|spine|cervic|thorac|lumb|sacrum|coccyx"
    r"|abdom|\bkub\b|colon|breast|mamm|teeth|tooth|dental|jaw|sinus|facial|shoulder|clavic|scapul"
    r"|humer|elbow|forearm|wrist|hand\b|finger|thumb|knee|patell|tibia|fibula|lower leg|ankle|foot"
    r"|feet|\btoe|calcan|heel|heart|cardiac|coronary|carotid|vascul|angio|liver|kidney|pancreas"
)
_HUMAN_WORDS = re.compile(r"human|homo sapiens")
_ANIMAL_WORDS = re.compile(
    r"canine|feline|equine|bovine|porcine|murine|veterinar|\b(dog|cat|horse|rabbit|rat|mouse|pig)s?\b"
)

_SMALLEST_PX = 200  # short side of the exposed field, in original pixels
_FEW_PX = 400  # below this, and without honest millimetres, detail is too coarse to trust
_SMALLEST_FIELD_MM = 70.0  # an adult hip joint with trochanter needs more
_FEWEST_LEVELS = 32  # grey levels in the field; drawings and blank frames have fewer
_LEAST_CORRELATION = 0.6  # of neighbouring pixels; noise has less, any film more

_SMALLEST_BONE_MM2 = 600.0  # an adult proximal femur has some 4,000, half a pelvis 8,000
_FARTHEST_JOINT_MM = 15.0  # a femur lies over or beside its socket
_LARGEST_FRAGMENT_SHARE = 0.35  # bone outside its largest parts: the network is guessing
_LARGEST_UNSURE_SHARE = 0.5  # pixels between 0.2 and 0.8, against bone found
_FEMUR_RADIUS_MM = (12.0, 40.0)  # largest circle inside an adult femur: 20 to 28


@dataclass(frozen=True)
class GateResult:
    """What a stage of the gate says.

    reason: None when the image may go on
    sentence: the reason in words, with the value that decided
    """

    reason: Reason | None = None
    sentence: str = ""

    @property
    def ok(self) -> bool:
        """Whether the image may go on."""
        return self.reason is None

    @property
    def status(self) -> str:
        """Return "ok", "skipped" or "abstained"."""
        return "ok" if self.reason is None else self.reason.status


PASS = GateResult()
"""The image may go on."""


def check_attributes(radiograph: Radiograph) -> GateResult:
    """Check what the file says about itself: species, modality, body part, age.

    A word for the hip or the pelvis in body part or description lets unusual objects pass. A
    picture without attributes passes: only its pixels can tell.
    """
    facts = radiograph.attributes
    words = f"{facts.body_part} | {facts.description}".lower().replace("_", " ")
    says_hip = bool(_HIP_WORDS.search(words))
    species = facts.species.lower()
    if (species and not _HUMAN_WORDS.search(species)) or _ANIMAL_WORDS.search(words):
        return GateResult(
            Reason.NOT_HUMAN, f"the patient is an animal ({species or words.strip()})"
        )
    kind = _check_kind(facts, says_hip)
    if not kind.ok:
        return kind
    if "LOCALIZER" in facts.image_type:
        return GateResult(Reason.LOCALISER, "a localiser, not a diagnostic radiograph")
    other = _OTHER_WORDS.search(words)
    if other and not says_hip:
        where = facts.body_part or facts.description
        return GateResult(Reason.OTHER_BODY_PART, f"the attributes say {where[:80]!r}, not the hip")
    years = age_years(facts.patient_age)
    if years is not None and years < ADULT_YEARS:
        text = f"the patient is {years:.0f} years old; the model knows adults only"
        return GateResult(Reason.IMMATURE, text)
    return PASS


def _check_kind(facts: Attributes, says_hip: bool) -> GateResult:
    """Check modality and SOP class."""
    if facts.modality in _ANGIOGRAPHY and not says_hip:
        text = f"modality {facts.modality} without a word on the hip is taken for an angiogram"
        return GateResult(Reason.ANGIOGRAPHY, text)
    captured = facts.sop_class_uid.startswith(_SECONDARY_CAPTURE)
    if facts.modality in _CAPTURE_MODALITIES:
        if (captured or facts.modality) and not says_hip:
            text = "a secondary capture whose attributes do not name the hip; export it as PNG"
            return GateResult(Reason.SECONDARY_CAPTURE, text)
        return PASS
    if facts.modality not in _RADIOGRAPHY:
        return GateResult(Reason.NOT_A_RADIOGRAPH, f"modality {facts.modality} is not radiography")
    return PASS


def check_picture(radiograph: Radiograph, prepared: Prepared) -> GateResult:
    """Check whether there is enough of a picture: size, grey levels, noise, colour.

    Parameters
    ----------
    radiograph: the original
    prepared: from ``hoseg.imaging.prepare.prepare``
    """
    if any(note.code == "colour_picture" for note in radiograph.notes):
        return GateResult(Reason.COLOUR_PICTURE, "a colour picture is not a radiograph")
    height, width = (
        n * step for n, step in zip(prepared.grid.shape, prepared.grid.step_px, strict=True)
    )
    short_px = round(min(height, width))
    if short_px < _SMALLEST_PX:
        text = f"the exposed field is {short_px} pixels wide; at least {_SMALLEST_PX} are needed"
        return GateResult(Reason.TOO_SMALL, text)
    levels = count_levels(radiograph.pixels, _FEWEST_LEVELS)
    if levels <= 2:
        return GateResult(Reason.BLANK, "the picture is one flat grey")
    if levels < _FEWEST_LEVELS:
        text = f"only {levels} grey levels; a radiograph has hundreds"
        return GateResult(Reason.LOW_CONTRAST, text)
    correlation = neighbour_correlation(prepared.pixels)
    if correlation < _LEAST_CORRELATION:
        text = f"neighbouring pixels hardly agree (r = {correlation:.2f}); this is noise"
        return GateResult(Reason.LOW_CONTRAST, text)
    suspect = any(note.code == "spacing_suspect" for note in radiograph.notes)
    if suspect and short_px < _FEW_PX:
        text = f"{short_px} pixels with a made-up spacing of 1.0 mm: scale and detail are unknown"
        return GateResult(Reason.OUTSIDE_EXPERIENCE, text)
    if radiograph.spacing is not None:
        short_mm = min(n * s for n, s in zip((height, width), radiograph.spacing.mm, strict=True))
        if short_mm < _SMALLEST_FIELD_MM:
            text = f"the field is {short_mm:.0f} mm wide; a hip needs {_SMALLEST_FIELD_MM:.0f}"
            return GateResult(Reason.TOO_SMALL, text)
    return PASS


def check_segmentation(reading: Reading) -> GateResult:
    """Check whether the network found the bones of an adult hip.

    Sizes are checked in mm when the film has millimetres, else in the assumed ones, except for the
    size of the femur, which then says nothing.
    """
    prepared, segmentation = reading.prepared, reading.segmentation
    scores = dict(segmentation.scores)
    if (hip := scores.get("hip", 1.0)) < 0.5:
        return GateResult(Reason.NOT_A_HIP, f"the network's hip score is {hip:.2f}")
    mm = prepared.grid.spacing_mm
    pixel_mm2 = mm[0] * mm[1]
    pelvis, femur, implant = (
        segmentation.probability(structure) >= 128
        for structure in (Structure.PELVIS, Structure.FEMUR, Structure.IMPLANT)
    )
    enough = [np.count_nonzero(b) * pixel_mm2 >= _SMALLEST_BONE_MM2 for b in (pelvis, femur)]
    if not any(enough):
        return GateResult(Reason.NOT_A_HIP, "neither pelvis nor femur was found")
    if not enough[0]:
        return GateResult(Reason.NO_PELVIS, "no pelvis was found beside the femur")
    if not enough[1]:
        return GateResult(Reason.NO_FEMUR, "no femur was found beside the pelvis")
    # The femur, or metal: an endoprosthetic socket and its femur need not touch.
    if (apart_mm := _distance_mm(pelvis, femur | implant, mm)) > _FARTHEST_JOINT_MM:
        return GateResult(Reason.NOT_A_HIP, f"pelvis and femur are {apart_mm:.0f} mm apart")
    exposures = 1
    if not prepared.field.all():
        exposures = cv2.connectedComponents(prepared.field.view(np.uint8))[0] - 1
    for name, bone, structure in (
        ("pelvis", pelvis, Structure.PELVIS),
        ("femur", femur, Structure.FEMUR),
    ):
        if (share := fragment_share(bone, 2 * exposures)) > _LARGEST_FRAGMENT_SHARE:
            return GateResult(
                Reason.NOT_A_HIP, f"{share:.0%} of the {name} found lies in fragments"
            )
        unsure = _unsure_share(segmentation.probability(structure))
        if unsure > _LARGEST_UNSURE_SHARE:
            text = f"the network is unsure of {unsure:.0%} of the {name}"
            return GateResult(Reason.OUTSIDE_EXPERIENCE, text)
    if reading.radiograph.spacing is None:
        return PASS
    radius_mm = _inner_radius_mm(femur, mm)
    low, high = _FEMUR_RADIUS_MM
    if not low <= radius_mm <= high:
        text = f"the femur holds a circle of {radius_mm:.0f} mm radius; adults have 20 to 28"
        small = radius_mm < low
        return GateResult(Reason.IMMATURE if small else Reason.IMPLAUSIBLE_SIZE, text)
    return PASS


def age_years(age: str) -> float | None:
    """Return years from a DICOM age string ("034Y", "018M", "006W", "010D"), or None."""
    match = re.fullmatch(r"(\d{1,3})([YMWD])", age.strip().upper())
    if match is None:
        return None
    return int(match[1]) * {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}[match[2]]


def count_levels(pixels: NDArray[np.generic], enough: int = 1 << 32) -> int:
    """Count the grey levels of an even sample of an image (H, W), until there are enough."""
    step = max(1, max(pixels.shape) // 512)
    if (few := _levels_of(pixels[:: 8 * step, :: 8 * step])) >= enough:
        return few
    return _levels_of(pixels[::step, ::step])


def _levels_of(sample: NDArray[np.generic]) -> int:
    if sample.dtype in (np.uint8, np.uint16):
        return int(np.count_nonzero(np.bincount(sample.ravel())))
    return int(np.unique(sample).size)


def neighbour_correlation(pixels: NDArray[np.float32]) -> float:
    """Return the correlation of horizontally neighbouring pixels, on some rows of an image."""
    rows = pixels[:: max(1, len(pixels) // 200)]
    a, b = (part - part.mean(dtype=np.float64) for part in (rows[:, :-1], rows[:, 1:]))
    scale = float(a.std() * b.std())
    return float((a * b).mean()) / scale if scale > 0 else 1.0


def fragment_share(bone: NDArray[np.bool_], parts: int = 2) -> float:
    """Return the share of a mask (h, w) outside its largest parts: two on a film exposed once."""
    tree = cv2.findContours(bone.view(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)[1]
    if tree is None or np.count_nonzero(tree[0, :, 3] < 0) <= parts:
        return 0.0  # outlines count pieces sooner than labels do
    _, _, stats, _ = cv2.connectedComponentsWithStats(bone.view(np.uint8))
    areas = np.sort(stats[1:, cv2.CC_STAT_AREA])[::-1]
    return float(areas[parts:].sum() / areas.sum()) if areas.size else 0.0


def _unsure_share(probability: NDArray[np.uint8]) -> float:
    found = np.count_nonzero(probability >= 128)
    unsure = np.count_nonzero((probability > 51) & (probability < 204))
    return unsure / found if found else 1.0


def _distance_mm(a: NDArray[np.bool_], b: NDArray[np.bool_], mm: tuple[float, float]) -> float:
    """Return the smallest distance between two masks (h, w), in mm."""
    if (a & b).any():
        return 0.0
    away = cv2.distanceTransform((~a).astype(np.uint8), cv2.DIST_L2, 5)
    return float(away[b].min()) * (mm[0] * mm[1]) ** 0.5


def _inner_radius_mm(mask: NDArray[np.bool_], mm: tuple[float, float]) -> float:
    """Return the radius of the largest circle inside a mask (h, w), in mm."""
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    padded = np.pad(mask[top : top + height, left : left + width].view(np.uint8), 1)
    inside = cv2.distanceTransform(padded, cv2.DIST_L2, 5)
    return float(inside.max()) * (mm[0] * mm[1]) ** 0.5
