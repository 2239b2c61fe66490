"""Score a model on real films: one with a hand-drawn truth, and films known to show no HO.

    python scripts/evaluate_real.py --model NAME --film RG2_UNC.dcm --truth RG2_truth.png \
        --without-ho FILE_OR_FOLDER... [--out DIR] [--json]

The truth is an 8-bit picture of the film's size or of a whole fraction of it. Its bits: 1 pelvis,
2 femur, 4 metal, 32 not scored for pelvis, 64 not scored for femur, 128 not scored at all or
outside the exposed field. The film is also read cropped and at other scales, because a good
model does not mind: the spread of Dice says how much it does.

Research use only. Not a medical device.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hoseg.datasets.labelled import LabelledImage
from hoseg.dicom.decode import load
from hoseg.errors import InputError
from hoseg.evaluate.gallery import side_by_side
from hoseg.evaluate.lesions import SIZE_FLOOR_MM2
from hoseg.evaluate.score import Prediction, score_case
from hoseg.imaging.prepare import prepare
from hoseg.infer import trial
from hoseg.infer.predictor import Predictor
from hoseg.radiograph import Radiograph, Segmentation, Structure

CROPS = {  # shares cut off at (top, bottom, left, right)
    "whole": (0.0, 0.0, 0.0, 0.0),
    "top cut": (0.12, 0.0, 0.0, 0.0),
    "bottom cut": (0.0, 0.2, 0.0, 0.0),
    "left cut": (0.0, 0.0, 0.12, 0.0),
    "right cut": (0.0, 0.0, 0.0, 0.12),
}
SCALES = (0.85, 1.0, 1.18)
ALL_BITS = 15


@dataclass(frozen=True)
class Variant:
    """One reading of the film with truth."""

    crop: str
    scale: float
    pelvis_dice: float | None
    femur_dice: float | None
    pelvis_nsd: float | None
    femur_nsd: float | None
    false_ho: int
    outside_field_mm2: float


@dataclass(frozen=True)
class Clean:
    """A film without ossification."""

    film: str
    false_ho: int
    false_ho_mm2: float


def read_truth(path: Path, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Bits of the truth (H, W) on the grid of the film."""
    bits = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if bits is None or bits.ndim != 2 or bits.dtype != np.uint8:
        raise InputError(str(path), "is not an 8-bit single-channel picture", code="bad_mask")
    times = shape[0] // bits.shape[0] if bits.shape[0] else 0
    if times < 1 or (bits.shape[0] * times, bits.shape[1] * times) != shape:
        raise InputError(
            str(path),
            f"is {bits.shape}, no whole fraction of the film's {shape}",
            code="mask_shape",
        )
    return np.asarray(np.repeat(np.repeat(bits, times, axis=0), times, axis=1), np.uint8)


def ignored(bits: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Bits of ``Structure`` not scored at each pixel."""
    nothing = ((bits & 128) > 0) * np.uint8(ALL_BITS)
    pelvis = ((bits & 32) > 0) * np.uint8(Structure.PELVIS)
    femur = ((bits & 64) > 0) * np.uint8(Structure.FEMUR)
    return (nothing | pelvis | femur).astype(np.uint8)


def outside(bits: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The unscored region that touches the edge of the film: beyond the collimator."""
    _, labels = cv2.connectedComponents(((bits & 128) > 0).astype(np.uint8), connectivity=4)
    edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    return np.asarray(np.isin(labels, np.setdiff1d(edge, [0])))


def segment(predictor: Predictor, radiograph: Radiograph) -> Segmentation:
    """Run the network on one film, whatever the quality gate would say."""
    prepared = prepare(radiograph, predictor.spacing_mm)
    return trial.segment(predictor, radiograph, prepared)[1]


def variants(
    predictor: Predictor, radiograph: Radiograph, bits: NDArray[np.uint8]
) -> list[tuple[Variant, LabelledImage, Segmentation]]:
    """The film whole, cropped and at other scales."""
    rows, columns = radiograph.shape
    if radiograph.spacing is None:
        raise InputError(radiograph.source, "has no pixel spacing", code="no_spacing")
    beyond = outside(bits)
    read = []
    for name, (top, bottom, left, right) in CROPS.items():
        window = np.s_[
            round(top * rows) : rows - round(bottom * rows),
            round(left * columns) : columns - round(right * columns),
        ]
        for scale in SCALES if name == "whole" else (1.0,):
            spacing = replace(
                radiograph.spacing,
                row_mm=radiograph.spacing.row_mm * scale,
                column_mm=radiograph.spacing.column_mm * scale,
            )
            valid = None if radiograph.valid is None else radiograph.valid[window]
            film = replace(
                radiograph, pixels=radiograph.pixels[window], valid=valid, spacing=spacing
            )
            true = bits[window]
            image = LabelledImage(name, "film", film, true & np.uint8(7), ignored(true))
            found = segment(predictor, film)
            read.append((_variant(name, scale, image, found, beyond[window]), image, found))
    return read


def _variant(
    name: str,
    scale: float,
    image: LabelledImage,
    found: Segmentation,
    beyond: NDArray[np.bool_],
) -> Variant:
    case = score_case(image, Prediction(found))
    pelvis, femur = case.overlaps[:2]
    spacing = image.radiograph.spacing
    pixel_mm2 = spacing.row_mm * spacing.column_mm if spacing else 0.0
    return Variant(
        name,
        scale,
        pelvis.dice,
        femur.dice,
        pelvis.nsd,
        femur.nsd,
        len(case.false_lesions),
        float(((found.masks > 0) & beyond).sum() * pixel_mm2),
    )


def clean_film(radiograph: Radiograph, found: Segmentation) -> Clean:
    """Count what was taken for ossification on a film that has none."""
    grid = found.grid  # without honest millimetres, those the network was given
    as_seen = (grid.spacing_mm[0] / grid.step_px[0], grid.spacing_mm[1] / grid.step_px[1])
    mm = radiograph.spacing.mm if radiograph.spacing else as_seen
    plane = ((found.masks & Structure.OSSIFICATION) > 0).astype(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(plane, connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA] * mm[0] * mm[1]
    large = areas[areas >= SIZE_FLOOR_MM2]
    return Clean(Path(radiograph.source).name, len(large), float(large.sum()))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", default=None)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--film", type=Path)
    parser.add_argument("--truth", type=Path)
    parser.add_argument("--without-ho", type=Path, nargs="*", default=[])
    parser.add_argument("--out", type=Path, help="folder for pictures, truth left")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    if (chosen.film is None) != (chosen.truth is None):
        parser.error("--film and --truth go together")
    if chosen.film is None and not chosen.without_ho:
        parser.error("nothing to score: give --film and --truth, or --without-ho")
    return chosen


def main() -> None:
    chosen = arguments()
    predictor = Predictor(chosen.model, chosen.device)
    if chosen.out:
        chosen.out.mkdir(parents=True, exist_ok=True)
    rows: list[Variant] = []
    if chosen.film:
        (radiograph,) = load(chosen.film)
        bits = read_truth(chosen.truth, radiograph.shape)
        for row, image, found in variants(predictor, radiograph, bits):
            rows.append(row)
            if chosen.out:
                name = f"{chosen.film.stem} {row.crop} {row.scale:g}.jpg".replace(" ", "_")
                draw(chosen.out / name, image.radiograph, image.masks, found)
    clean: list[Clean] = []
    for path in chosen.without_ho:
        for radiograph in load(path):
            found = segment(predictor, radiograph)
            clean.append(clean_film(radiograph, found))
            if chosen.out:
                name = Path(radiograph.source).stem + "_without_ho.jpg"
                draw(chosen.out / name, radiograph, None, found)
    if chosen.json:
        result = {"model": predictor.label, "variants": rows, "clean": clean}
        print(json.dumps(result, default=asdict, indent=1))
        return
    show(predictor.label, rows, clean)


def draw(
    path: Path, radiograph: Radiograph, truth: NDArray[np.uint8] | None, found: Segmentation
) -> None:
    path.write_bytes(side_by_side(radiograph, truth, found.masks, height_px=1000))


def show(label: str, rows: list[Variant], clean: list[Clean]) -> None:
    print(f"model {label}. Research use only. Not a medical device.")
    if rows:
        print(f"\n{'film':12} {'scale':>5}  pelvis Dice  femur Dice  false HO  outside field (mm2)")
    for r in rows:
        print(
            f"{r.crop:12} {r.scale:5.2f}  {r.pelvis_dice or 0:11.3f}  {r.femur_dice or 0:10.3f}"
            f"  {r.false_ho:8d}  {r.outside_field_mm2:19.1f}"
        )
    if rows:
        for name in ("pelvis_dice", "femur_dice"):
            values = [getattr(r, name) or 0.0 for r in rows]
            print(f"{name}: {min(values):.3f} to {max(values):.3f} over crops and scales")
    if clean:
        print(f"\n{'film without HO':32} false HO  area (mm2)")
        for c in clean:
            print(f"{c.film:32} {c.false_ho:8d}  {c.false_ho_mm2:10.1f}")
        print(f"{sum(c.false_ho for c in clean) / len(clean):.2f} false HO components a film")


if __name__ == "__main__":
    main()
