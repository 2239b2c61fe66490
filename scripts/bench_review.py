"""Time to open the gallery of a run of many images from disk in Chromium.

    python scripts/bench_review.py [--images 2000] [--repeats 5]

Writes a page with made-up rows and thumbnails to a temporary folder; needs Playwright and Chromium.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
from pathlib import Path

import cv2
import numpy as np
from playwright.sync_api import sync_playwright

from hoseg.grade import HipFinding
from hoseg.radiograph import Side, View
from hoseg.report.schema import ResultFile, SourceImage
from hoseg.review import PAGE, write_page

DRAWN = """() => new Promise((done) => requestAnimationFrame(() => setTimeout(() => {
  const [page] = performance.getEntriesByType('navigation');
  done([page.domContentLoadedEventEnd, performance.now()]);
}, 0)))"""
PICTURES = """() => [...document.querySelectorAll('.card')]
  .filter((card) => card.getBoundingClientRect().top < innerHeight)
  .every((card) => card.querySelector('img').naturalWidth)"""


def write_gallery(run: Path, count: int) -> None:
    """A page of ``count`` images, each with a thumbnail of the usual size."""
    rng = np.random.default_rng(0)
    noise = cv2.GaussianBlur(
        rng.normal(128, 60, (320, 260, 3)).astype(np.float32), (0, 0), 1.5
    ).clip(0, 255)
    images = []
    for number in range(count):
        folder = f"studies/1.2.826.0.1.3680043.10.{number // 2}/1.2.826.0.1.{number}"
        (run / folder).mkdir(parents=True)
        thumb = run / folder / "thumb.jpg"
        if number:
            os.link(run / images[0].folder / "thumb.jpg", thumb)
        else:
            cv2.imwrite(str(thumb), noise.astype(np.uint8))
        image = SourceImage(
            rows=2000,
            columns=1600,
            side=Side.UNKNOWN,
            view=View.AP_PELVIS,
            columns_to=Side.LEFT,
            patient_id=f"P-{number // 4}",
            study_date="20200131",
        )
        hips = []
        for side in (Side.RIGHT, Side.LEFT):
            chances = rng.dirichlet(np.full(5, 0.3))
            hips.append(
                HipFinding(
                    side=side,
                    classes={"brooker": int(chances.argmax())},
                    class_probabilities={"brooker": tuple(chances.round(4).tolist())},
                )
            )
        source = f"{folder}.dcm"
        images.append(
            ResultFile(source=source, folder=folder, status="graded", image=image, hips=tuple(hips))
        )
    write_page(run, images)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as player:
        run = Path(name)
        write_gallery(run, options.images)
        browser = player.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        times = []
        for _ in range(options.repeats):
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.goto((run / PAGE).as_uri(), wait_until="domcontentloaded")
            ready, drawn = page.evaluate(DRAWN)
            page.wait_for_function(PICTURES)
            times.append((ready, drawn, page.evaluate("performance.now()")))
            page.close()
        browser.close()
        size = (run / PAGE).stat().st_size / 1e6
    print(f"{options.images} images, page of {size:.2f} MB, medians of {options.repeats} (range):")
    for label, values in zip(
        ("list ready", "first frame", "pictures in view"), zip(*times, strict=True), strict=True
    ):
        middle = statistics.median(values)
        print(f"  {label:17} {middle:6.0f} ms ({min(values):.0f}-{max(values):.0f})")


if __name__ == "__main__":
    main()
