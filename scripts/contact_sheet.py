"""Simulated films beside real ones, shuffled or labelled, for a person to judge.

    python scripts/contact_sheet.py OUT.png [--real FOLDER] [--seed 0] [--count 12] [--masks]

FOLDER holds radiographs (by default ``../shared/data/dicom``: RG2 and the infant pelves).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import pydicom

from hoseg.simulate.folder import FolderSettings, simulate_film

TILE = 512
COLOURS = {1: (255, 140, 60), 2: (80, 200, 80), 4: (220, 60, 220), 8: (50, 50, 255)}  # BGR


def to_tile(pixels: np.ndarray) -> np.ndarray:
    """Any grey image as a square 8-bit tile, its proportions kept."""
    image = pixels.astype(np.float32)
    low, high = np.percentile(image, [0.2, 99.8])
    image = np.clip((image - low) / max(high - low, 1e-6), 0, 1)
    scale = TILE / max(image.shape)
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    tile = np.zeros((TILE, TILE), np.uint8)
    tile[: size[1], : size[0]] = (small * 255).astype(np.uint8)
    return cv2.cvtColor(tile, cv2.COLOR_GRAY2BGR)


def outlined(tile: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Mask outlines on a tile."""
    scale = TILE / max(masks.shape)
    size = (round(masks.shape[1] * scale), round(masks.shape[0] * scale))
    small = cv2.resize(masks, size, interpolation=cv2.INTER_NEAREST)
    drawn = tile.copy()
    for bit, colour in COLOURS.items():
        edges, _ = cv2.findContours(
            (small & bit > 0).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE
        )
        cv2.drawContours(drawn, edges, -1, colour, 1)
    return drawn


def real_films(folder: Path) -> list[np.ndarray]:
    """RG2 and up to three infant pelves as tiles."""
    paths = sorted(folder.glob("wg04/RG2_JPLL*")) or sorted(folder.glob("wg04/RG2*.dcm"))
    tiles = []
    for path in [*paths[:1], *sorted(folder.glob("infant-pelvis/*.dcm"))[:3]]:
        pixels = pydicom.dcmread(path).pixel_array
        tiles.append(to_tile(pixels[..., 0] if pixels.ndim == 3 else pixels))
    return tiles


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument(
        "--real", type=Path, default=Path(__file__).parents[2] / "shared/data/dicom"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--masks", action="store_true", help="outline the masks")
    parser.add_argument("--columns", type=int, default=4)
    arguments = parser.parse_args()
    settings = FolderSettings(count=arguments.count, seed=arguments.seed, spacing_mm=0.4)
    tiles = real_films(arguments.real) if arguments.real.is_dir() else []
    for index in range(arguments.count):
        film = simulate_film(index, settings).film
        tile = to_tile(film.pixels)
        tiles.append(outlined(tile, film.masks) if arguments.masks else tile)
    blank = np.zeros_like(tiles[0])
    tiles += [blank] * (-len(tiles) % arguments.columns)
    rows = [
        np.hstack(tiles[k : k + arguments.columns]) for k in range(0, len(tiles), arguments.columns)
    ]
    cv2.imwrite(str(arguments.out), np.vstack(rows))


if __name__ == "__main__":
    main()
