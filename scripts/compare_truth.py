"""Compare the class that grading reads from simulated films with the class built in 3D.

    hoseg simulate --out DIR --count 500 --seed 1
    python scripts/compare_truth.py DIR

Prints the agreement by 3D class, and counts why the two differ: a radiograph is a projection, so
superimposition comes first.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

import cv2
import numpy as np

from hoseg.grade import grade_masks
from hoseg.radiograph import Geometry, Orientation, Side, Spacing, SpacingSource
from hoseg.words import BROOKER

Chances = list[tuple[int, list[float]]]
"""Class in 3D and probability of each class, hip by hip."""


def findings_of(folder: Path, truth: dict) -> dict[str, dict]:
    """Side -> finding (as JSON) of one film, graded afresh from its masks."""
    masks = cv2.imread(str(folder / "masks.png"), cv2.IMREAD_UNCHANGED)
    spacing = np.broadcast_to(truth["spacing_mm"], 2)
    shown = truth["orientation"]
    geometry = Geometry(
        Spacing(float(spacing[0]), float(spacing[1]), 0.0, SpacingSource.USER),
        side=Side(truth.get("side", "unknown")),
        orientation=Orientation(Side(shown["columns"]), shown["rows_to_feet"], "attribute"),
    )
    found = grade_masks(masks, geometry)
    return {finding.side.value: finding.model_dump(mode="json") for finding in found}


def cause(built: int, hip: dict, finding: dict) -> str:
    """The first cause that explains why a finding differs from the class built in 3D."""
    found = finding["classes"]["brooker"]
    components = [item for item in finding["components"] if item["graded"]]
    gap_3d, gap_2d = hip.get("gap_3d_mm"), finding["gap_mm"]
    if built > 0 and not components:
        return "nothing visible over the size floor"
    if built == 0:
        return "an ossification of the other hip or outside the hip"
    over = any(item["overlap_pelvis"] > 0.02 or item["overlap_femur"] > 0.02 for item in components)
    if found > built and (found == 4 or (built == 1 and found >= 2)):
        return "superimposition: contact only in projection" if over else "contact within tolerance"
    if found < built and built == 4:
        return "bridge not seen whole: faint, or cut by the field"
    if found < built and found == 1:
        return "attachment not visible: faint root"
    if built in (2, 3) and found in (2, 3) and gap_3d is not None and gap_2d is not None:
        return (
            "gap in projection shorter than in 3D"
            if gap_2d < gap_3d
            else ("gap in projection longer: faint tip, or magnification")
        )
    return "other"


def kappa(table: np.ndarray) -> float:
    """Quadratic weighted kappa of a (5, 5) table."""
    weights = np.subtract.outer(np.arange(5), np.arange(5)) ** 2
    chance = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    return float(1 - (weights * table).sum() / (weights * chance).sum())


def auc(severe: np.ndarray, score: np.ndarray) -> float:
    """Chance that a severe hip scores above another; ties count half."""
    apart = score[severe][:, None] - score[~severe][None]
    return float((apart > 0).mean() + 0.5 * (apart == 0).mean()) if apart.size else float("nan")


def show_ceiling(table: np.ndarray, chances: Chances) -> None:
    """What grading reaches from the true masks: no network can be expected to do better."""
    severe = np.array([built >= 3 for built, _ in chances])
    p = np.array([values for _, values in chances])
    print(f"quadratic kappa: {kappa(table):.3f}")
    print(f"severe AUC by P(III) + P(IV): {auc(severe, p[:, 3:].sum(axis=1)):.3f}")
    print(f"severe AUC by the expected class: {auc(severe, p @ np.arange(5)):.3f}")


def compare(root: Path) -> tuple[np.ndarray, Counter, Counter, list[float], Chances]:
    """(5, 5) counts 3D by 2D, abstentions, causes, gap differences (mm), class and P(class)."""
    chances: Chances = []
    table = np.zeros((5, 5), int)
    abstained: Counter = Counter()
    causes: Counter = Counter()
    gaps: list[float] = []
    for path in sorted(root.rglob("truth.json")):
        truth = json.loads(path.read_text())
        findings = findings_of(path.parent, truth)
        for hip in truth["hips"]:
            finding = findings.get(hip["side"])
            if not hip.get("on_film", True):
                continue
            if finding is None or finding["abstained"] is not None:
                abstained["hip not found" if finding is None else finding["abstained"]] += 1
                continue
            built, found = int(hip["brooker_3d"]), int(finding["classes"]["brooker"])
            table[built, found] += 1
            chances.append((built, finding["class_probabilities"]["brooker"]))
            if built != found:
                causes[cause(built, hip, finding)] += 1
            elif found in (2, 3) and hip.get("gap_3d_mm") is not None:
                gaps.append(finding["gap_mm"] - hip["gap_3d_mm"])
    return table, abstained, causes, gaps, chances


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="output of hoseg simulate")
    folder = parser.parse_args().folder
    table, abstained, causes, gaps, chances = compare(folder)
    if not table.sum() and not abstained:
        print(
            f"{folder}: no truth.json below it; make films with hoseg simulate --out",
            file=sys.stderr,
        )
        return 1
    print("3D \\ 2D " + "".join(f"{name:>7}" for name in BROOKER) + "  agreement")
    for built, row in enumerate(table):
        share = f"{100 * row[built] / row.sum():.0f} %" if row.sum() else "-"
        print(f"{BROOKER[built]:>7} " + "".join(f"{n:>7}" for n in row) + f"  {share:>8}")
    if table.sum():
        print(
            f"agreement of {table.sum()} graded hips: {100 * np.trace(table) / table.sum():.1f} %"
        )
        show_ceiling(table, chances)
    print("not graded:", dict(abstained.most_common()))
    print("causes of disagreement:")
    for text, count in causes.most_common():
        print(f"  {count:5} {text}")
    if gaps:
        low, middle, high = np.percentile(gaps, (5, 50, 95))
        print(
            f"gap 2D - 3D where the class agrees: median {middle:.1f} mm ({low:.1f} to {high:.1f})"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
