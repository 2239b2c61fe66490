"""One film that was read but not outlined: what the model says of each hip the reader judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hoseg.datasets.labelled import FilmReading, HipReading, LabelledImage, Says
from hoseg.evaluate.film_places import pieces, place_of, stray_bones
from hoseg.evaluate.hips import TrueHip, match
from hoseg.grade import HipFinding
from hoseg.radiograph import Grid, Segmentation, Side, Structure

STRAY_FLOOR_MM2 = 100.0
"""1 cm2: from here on a piece of bone apart from its main bone is counted."""
METAL_FLOOR_MM2 = 5.0
"""A clip has this much; less is a few pixels of a coarse film."""
RESOLUTIONS = ("under 0.3 mm", "0.3 to 0.7 mm", "0.7 mm and more", "not stated")
_RESOLUTION_LIMITS_MM = (0.3, 0.7)


@dataclass(frozen=True)
class ReadHip:
    """One hip that a reader judged, beside what was found there.

    lowest, highest: the reader's Brooker class or range; None when not given
    predicted: class 0-4; None when abstained or not found
    abstained: reason code; None when graded
    chance: P(class >= I) of the classes that were given; None without probabilities
    healthy_chance: P(class 0); None without probabilities
    places: where each ossification that the class takes into account lies
    box_px: (row, column, row, column) worth looking at
    picture: file name of its crop below the output folder, or empty
    """

    side: Side
    says: Says
    lowest: int | None = None
    highest: int | None = None
    predicted: int | None = None
    abstained: str | None = None
    chance: float | None = None
    healthy_chance: float | None = None
    places: tuple[str, ...] = ()
    box_px: tuple[int, int, int, int] | None = None
    picture: str = ""

    @property
    def false(self) -> bool:
        """Read as healthy, above class 0."""
        return self.says is Says.NO and (self.predicted or 0) > 0

    @property
    def missed(self) -> bool:
        """Read as ossified, class 0."""
        return self.says is Says.YES and self.predicted == 0


@dataclass(frozen=True)
class ReadFilm:
    """One film that a reader judged by eye.

    implant: as read; None when not known
    resolution: one of ``RESOLUTIONS``
    stray_bones: pieces over 1 cm2 apart from the main bone of their name
    metal_pieces: implant pieces of at least 5 mm2
    """

    family: str
    implant: bool | None
    resolution: str
    hips: tuple[ReadHip, ...]
    stray_bones: int
    metal_pieces: int


def read_film(
    truth: LabelledImage, reading: FilmReading, found: Segmentation, hips: Sequence[HipFinding],
    refused: str,
) -> ReadFilm:  # fmt: skip
    """Set what the model says beside what the reader says.

    A film read as ``none`` counts the hips that the model found on it, and one that it did not
    find where there is none. Areas use the film's own spacing, or the one it was prepared with.
    """
    spoken = reading.hips
    if not spoken:
        sides = [hip.side for hip in hips] or [Side.UNKNOWN]
        spoken = tuple(HipReading(side, Says.NO, 0, 0) for side in sides)
        pairs: list[HipFinding | None] = [*hips] if hips else [None]
    else:
        pairs = [*match([TrueHip(hip.side) for hip in spoken], hips)]
    pixel_mm2 = _pixel_mm2(truth, found.grid)
    spacing = truth.radiograph.spacing
    return ReadFilm(
        reading.family,
        reading.implant,
        _resolution(None if spacing is None else spacing.mean_mm),
        tuple(
            _read_hip(said, finding, refused, found.masks.shape)
            for said, finding in zip(spoken, pairs, strict=True)
        ),
        len(stray_bones(found.masks, hips, STRAY_FLOOR_MM2 / pixel_mm2)),
        pieces(found.masks, Structure.IMPLANT, METAL_FLOOR_MM2 / pixel_mm2),
    )


def _pixel_mm2(truth: LabelledImage, grid: Grid) -> float:
    """Area of a pixel of the film: as stated, else as the film was prepared for the network."""
    spacing = truth.radiograph.spacing
    rows, columns = (
        spacing.mm
        if spacing is not None
        else (grid.spacing_mm[0] / grid.step_px[0], grid.spacing_mm[1] / grid.step_px[1])
    )
    return float(rows * columns)


def _resolution(mm: float | None) -> str:
    return RESOLUTIONS[3 if mm is None else int(np.digitize(mm, _RESOLUTION_LIMITS_MM))]


def _read_hip(
    said: HipReading, finding: HipFinding | None, refused: str, shape: tuple[int, ...]
) -> ReadHip:
    if finding is None:
        reason = refused or "hip_not_found"
        return ReadHip(said.side, said.says, said.lowest, said.highest, abstained=reason)
    grade = None if finding.abstained else finding.brooker
    chances = finding.brooker_probabilities
    total = sum(chances)
    healthy = chances[0] / total if total > 0 else None
    counted = finding.ossifications
    side = finding.side if said.side is Side.UNKNOWN else said.side
    centres = [c.centroid_px for c in counted if c.centroid_px is not None]
    return ReadHip(
        side, said.says, said.lowest, said.highest, grade,
        finding.abstained or ("undecided" if grade is None else None),
        None if healthy is None else 1 - healthy, healthy,
        tuple(place_of(point, finding.landmarks, side) for point in centres),
        _box(finding, shape),
    )  # fmt: skip


def _box(finding: HipFinding, shape: tuple[int, ...]) -> tuple[int, int, int, int] | None:
    """What a person must see of a hip: its head with four radii round it, and every piece."""
    boxes = [c.bbox_px for c in finding.ossifications if c.bbox_px is not None]
    head, radius = finding.landmarks.head_px, finding.landmarks.head_radius_px
    low, high = [b[:2] for b in boxes], [b[2:] for b in boxes]
    if head is not None and radius:
        low.append((int(head[0] - 4 * radius), int(head[1] - 4 * radius)))
        high.append((int(head[0] + 4 * radius), int(head[1] + 4 * radius)))
    if not low:
        return None
    first = np.clip(np.min(low, axis=0), 0, None)
    last = np.minimum(np.max(high, axis=0), shape[:2])
    return int(first[0]), int(first[1]), int(last[0]), int(last[1])
