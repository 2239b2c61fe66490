"""Time of grading one hip at 1500 x 1500 on one core, by parts.

python scripts/bench_grade.py
"""

from __future__ import annotations

import argparse
import statistics
import time

import cv2
import numpy as np

from hoseg.grade import grade, grade_masks
from hoseg.imaging.reading import Reading
from hoseg.radiograph import Grid, Prepared, Radiograph, Segmentation, Spacing, SpacingSource

SPACING_MM = 0.2


def film(size: int = 1500) -> np.ndarray:
    """A left hip of ellipses with two opposing spurs and an island, ``size`` pixels square."""
    k = size / 1500
    masks = np.zeros((size, size), np.uint8)

    def ellipse(bit, x, y, a, b, angle=0.0):
        layer = np.zeros_like(masks)
        centre = (round(x * k), round(y * k))
        cv2.ellipse(layer, centre, (round(a * k), round(b * k)), angle, 0, 360, bit, -1)
        np.bitwise_or(masks, layer, out=masks)

    def line(bit, x0, y0, x1, y1, width):
        layer = np.zeros_like(masks)
        ends = [(round(x * k), round(y * k)) for x, y in ((x0, y0), (x1, y1))]
        cv2.line(layer, *ends, bit, round(width * k))
        np.bitwise_or(masks, layer, out=masks)

    ellipse(1, 630, 690, 125, 135)
    ellipse(1, 560, 280, 240, 190)
    line(1, 600, 620, 570, 380, 190)
    ellipse(1, 440, 900, 120, 160, 15)
    ellipse(2, 650, 700, 120, 120)
    line(2, 650, 700, 890, 960, 150)
    line(2, 905, 820, 890, 1000, 130)
    line(2, 880, 950, 830, 1499, 150)
    ellipse(2, 780, 1060, 45, 60, 10)
    line(8, 760, 400, 860, 580, 40)
    line(8, 905, 770, 890, 670, 40)
    ellipse(8, 1120, 640, 50, 25)
    return masks


def timed(call, repeats: int) -> tuple[float, float]:
    """(median, 90th percentile) of processor time in ms, after one warm-up."""
    call()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        times.append(1e3 * (time.process_time() - start))
    return statistics.median(times), float(np.percentile(times, 90))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=30)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    masks = film()
    bare = masks & 7
    spacing = Spacing(SPACING_MM, SPACING_MM, 0.036, SpacingSource.FIDUCIAL)
    step = 0.4 / SPACING_MM
    shape = (int(1500 / step), int(1500 / step))
    soft = cv2.GaussianBlur(masks // 8 * 255, (0, 0), 2.0)
    small = cv2.resize(soft, shape[::-1], interpolation=cv2.INTER_AREA)
    values = np.stack([small] * 4)
    grid = Grid(shape, (0.5, 0.5), (step, step), (0.4, 0.4))
    image = np.where(masks > 0, 3000, 1000).astype(np.uint16)
    reading = Reading(
        Radiograph(image, "phantom", spacing),
        Prepared(np.zeros(shape, np.float32), np.ones(shape, bool), grid, masks.shape),
        Segmentation(masks, values, grid, "phantom"),
    )
    geometry = reading.radiograph.geometry
    cases = {
        "no ossification, no draws": lambda: grade_masks(bare, geometry, draws=0),
        "two spurs and an island, no draws": lambda: grade_masks(masks, geometry, draws=0),
        "the same with maturity": lambda: grade_masks(masks, geometry, image=image, draws=0),
        "the same, 200 draws of the spacing": lambda: grade_masks(masks, geometry),
        "the same, 200 draws with probabilities": lambda: grade(reading),
    }
    print(f"1500 x 1500 at {SPACING_MM} mm, one core, processor time, {options.repeats} repeats")
    for name, call in cases.items():
        median, slow = timed(call, options.repeats)
        print(f"{name:40} {median:7.1f} ms median {slow:7.1f} ms 90th percentile")
    finding = grade(reading)[0]
    print(f"finding: {finding.summary}")


if __name__ == "__main__":
    main()
