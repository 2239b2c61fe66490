"""Fit the network that finds what was written into a film (``hoseg/deidentify/text.onnx``).

Simulated films without any word are rendered, random texts are planted on crops of them
(``planted_texts.py``), and a small network learns to tell where. No real film takes part, and the
fonts of ``bench_burned_in.py`` are others: both stay for judging. One command makes the file that
is shipped, up to the order in which a machine adds numbers:

    python scripts/fit_burned_in.py --out hoseg/deidentify/text.onnx --seed 500
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from planted_texts import plant, spoiled, through_jpeg
from torch import Tensor, nn
from torch.nn import functional
from wordless_films import wordless_film

from hoseg.deidentify.text_model import CHANNELS, STRIDE, text_features
from hoseg.radiograph import Structure

WIDTHS = (24, 32, 40, 48)  # channels at 1/2, 1/4, 1/8 and 1/16 of the film
CROP_PX = 144
PART_PX = 112  # of a crop, in one step of the fit
WINDOW_PX = 640  # in which a text is planted before the crop is cut
CROPS_A_FILM = 40
METAL_CROPS_A_FILM = 16  # without text: what metal looks like
BATCH = 32
RATE = 3e-3
TALLEST_SHARE = 0.05  # of the longer side of the film
PLANTED_SHARE = 0.65  # of the crops

Array = NDArray[Any]


class TextNetwork(nn.Module):
    """A small U-Net: (N, 4, H, W) to logits (N, 1, H / 2, W / 2).

    It works on squares of 2 x 2 pixels from the start, which keeps every pixel and costs a
    quarter.
    """

    def __init__(self) -> None:
        super().__init__()
        self.first = _convolution(CHANNELS * STRIDE**2, WIDTHS[0])
        self.down = nn.ModuleList(
            nn.Sequential(_convolution(a, b, 2), _convolution(b, b)) for a, b in pairwise(WIDTHS)
        )
        self.up = nn.ModuleList(_convolution(a + b, b) for a, b in pairwise(WIDTHS[::-1]))
        self.last = nn.Conv2d(WIDTHS[0], 1, 1)

    def forward(self, film: Tensor) -> Tensor:
        """Logits at half the resolution."""
        seen = [self.first(functional.pixel_unshuffle(film, STRIDE))]
        for down in self.down:
            seen.append(down(seen[-1]))
        x = seen.pop()
        for up in self.up:
            x = up(torch.cat([functional.interpolate(x, scale_factor=2.0), seen.pop()], dim=1))
        return self.last(x)


def _convolution(channels: int, out: int, stride: int = 1) -> nn.Module:
    layer = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(out), nn.ReLU(inplace=True))


def main() -> None:
    """Render, plant, fit, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--films", type=int, default=240)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=500)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--crops", type=Path, help="keep crops here: a second run goes on")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    start = perf_counter()
    with ProcessPoolExecutor(args.workers, get_context("spawn")) as pool:
        job = partial(film_crops, args.seed, folder=args.crops)
        made = list(pool.map(job, range(args.films)))
    inputs = torch.from_numpy(np.concatenate([crops for crops, _ in made]))
    targets = torch.from_numpy(np.concatenate([where for _, where in made]))
    print(f"{len(inputs)} crops after {perf_counter() - start:.0f} s", flush=True)
    network = fit(inputs, targets, args.epochs, args.seed)
    write(network, args.out)
    print(f"{args.out} after {perf_counter() - start:.0f} s")


def film_crops(seed: int, index: int, folder: Path | None = None) -> tuple[Array, Array]:
    """Crops of one film: inputs (N, 4, H, W) float16, text (N, H / 2, W / 2) uint8."""
    kept = folder / f"{seed}-{index}.npz" if folder else None
    if kept and kept.exists():
        with np.load(kept) as arrays:
            return arrays["x"], arrays["y"]
    cv2.setNumThreads(1)
    film, structures, _ = wordless_film(seed, index)
    rng = np.random.default_rng([seed, index, 1])
    made = [_crop(film, PLANTED_SHARE, rng) for _ in range(CROPS_A_FILM)]
    rng = np.random.default_rng([seed, index, 2])
    made += [_crop(_metal(film, structures, rng), 0.0, rng) for _ in range(METAL_CROPS_A_FILM)]
    inputs, text = (np.stack(arrays) for arrays in zip(*made, strict=True))
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.savez(kept, x=inputs, y=text)
    return inputs, text


def _metal(film: Array, structures: Array, rng: np.random.Generator) -> Array:
    """The surroundings of a point of an implant, or of a bone where there is none."""
    implant = (structures & np.uint8(Structure.IMPLANT)) > 0
    points = np.argwhere(implant if implant.any() else structures > 0)
    if not len(points):
        return film
    row, column = (int(n) for n in points[rng.integers(len(points))])
    half = WINDOW_PX // 4
    part = film[max(row - half, 0) : row + half, max(column - half, 0) : column + half]
    return np.ascontiguousarray(part)


def _crop(film: Array, planted_share: float, rng: np.random.Generator) -> tuple[Array, Array]:
    film = (
        _resized(film, float(np.exp(rng.uniform(np.log(0.35), 0)))) if rng.random() < 0.3 else film
    )
    row, column = (int(rng.integers(max(n - WINDOW_PX, 0) + 1)) for n in film.shape)
    window = np.ascontiguousarray(film[row : row + WINDOW_PX, column : column + WINDOW_PX])
    window, _ = spoiled(window, rng)
    region = np.zeros(window.shape, bool)
    tallest = TALLEST_SHARE * max(film.shape)
    for _ in range(int(rng.integers(1, 4)) if rng.random() < planted_share else 0):
        centre = tuple(int(rng.integers(n)) for n in window.shape)
        planted = plant(window, (centre[0], centre[1]), tallest, rng, fitted=True)
        if planted is not None:
            window = planted.pixels
            region |= _region(planted.marked, planted.kind.height_px)
    top = _corner(region, rng)
    cut = np.s_[top[0] : top[0] + CROP_PX + 64, top[1] : top[1] + CROP_PX + 64]
    part, where = window[cut], region[cut]
    if rng.random() < 0.12:  # scaled after it was written
        factor = float(rng.uniform(0.76, 1.4))
        part, where = _resized(part, factor), _resized(where.astype(np.uint8), factor) > 0
    if rng.random() < 0.3:
        span = max(float(np.ptp(part)), 1.0)
        part = ((part - part.min()) * (255 / span)).round().astype(np.uint8)
        part = through_jpeg(part, int(rng.integers(45, 96)))
    if rng.random() < 0.5:
        part = part.max() - part
    return _fixed(part, where, rng)


def _fixed(part: Array, where: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Inputs and text of one crop, of one size, turned at random."""
    size = ((0, max(CROP_PX - part.shape[0], 0)), (0, max(CROP_PX - part.shape[1], 0)))
    part, where = np.pad(part, size, "edge"), np.pad(where, size, "edge")
    row, column = (int(rng.integers(n - CROP_PX + 1)) for n in part.shape)
    cut = np.s_[row : row + CROP_PX, column : column + CROP_PX]
    values = part.astype(np.float32)
    low, high = float(values.min()), float(values.max())
    inputs = text_features(values, low, max(high, low + 1))[(slice(None), *cut)]
    target = where[cut].reshape(CROP_PX // STRIDE, STRIDE, -1, STRIDE).max(axis=(1, 3))
    turns, flip = int(rng.integers(4)), rng.random() < 0.5
    inputs, target = np.rot90(inputs, turns, (1, 2)), np.rot90(target, turns)
    if flip:
        inputs, target = inputs[:, :, ::-1], target[:, ::-1]
    return inputs.astype(np.float16), target.astype(np.uint8)


def _resized(film: Array, factor: float) -> Array:
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(film, None, fx=factor, fy=factor, interpolation=how))


def _region(marked: Array, height_px: int) -> Array:
    """Words without the shapes of their letters: gaps closed, holes filled."""
    size = 2 * round(0.3 * height_px) + 3
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    x, y, width, height = cv2.boundingRect(marked.astype(np.uint8))
    there = np.s_[y : y + height, x : x + width]
    around = np.pad(marked[there].astype(np.uint8), size)
    out = np.zeros(marked.shape, np.uint8)
    out[there] = cv2.morphologyEx(around, cv2.MORPH_CLOSE, disc)[size:-size, size:-size]
    return cv2.dilate(out, np.ones((3, 3), np.uint8)) > 0


def _corner(region: Array, rng: np.random.Generator) -> tuple[int, int]:
    """First row and column of a crop that shows some of the text when there is any."""
    room = [max(n - CROP_PX - 64, 0) for n in region.shape]
    rows, columns = np.nonzero(region)
    if not len(rows):
        return int(rng.integers(room[0] + 1)), int(rng.integers(room[1] + 1))
    k = int(rng.integers(len(rows)))
    at = (rows[k] - rng.integers(CROP_PX), columns[k] - rng.integers(CROP_PX))
    return int(np.clip(at[0], 0, room[0])), int(np.clip(at[1], 0, room[1]))


def fit(inputs: Tensor, targets: Tensor, epochs: int, seed: int) -> TextNetwork:
    """Train with Adam, the rate falling as a cosine."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    network = TextNetwork().to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(network.parameters(), RATE)
    steps = epochs * (len(inputs) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, steps, pct_start=0.1)
    for epoch in range(epochs):
        losses = []
        for batch in torch.randperm(len(inputs))[: len(inputs) // BATCH * BATCH].split(BATCH):
            film, text = _part(inputs[batch], targets[batch])
            with torch.autocast("cpu", torch.bfloat16):
                logits = network(film)
            loss = _loss(logits[:, 0].float(), text)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            losses.append(float(loss.detach()))
        print(f"epoch {epoch + 1}: loss {np.mean(losses):.4f}", flush=True)
    return network.eval()


def _part(inputs: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
    """A random window of the crops, turned at random: no epoch sees the same."""
    row, column = (STRIDE * int(k) for k in torch.randint((CROP_PX - PART_PX) // STRIDE + 1, (2,)))
    inputs = inputs[:, :, row : row + PART_PX, column : column + PART_PX]
    row, column, size = row // STRIDE, column // STRIDE, PART_PX // STRIDE
    text = text[:, row : row + size, column : column + size]
    turns = int(torch.randint(4, ()))
    film = torch.rot90(inputs, turns, (2, 3)).float().contiguous(memory_format=torch.channels_last)
    return film, torch.rot90(text, turns, (1, 2)).float()


def _loss(logits: Tensor, text: Tensor) -> Tensor:
    """Cross entropy, and the share of the text of the batch that is missed or made up."""
    entropy = functional.binary_cross_entropy_with_logits(logits, text)
    found = torch.sigmoid(logits)
    shared = 2 * (found * text).sum() / (found.sum() + text.sum() + 1)
    return entropy + 0.2 * (1 - shared)


def write(network: TextNetwork, path: Path) -> None:
    """Export to ONNX with free heights and widths."""
    free = {2: "h", 3: "w"}
    torch.onnx.export(
        network.to(memory_format=torch.contiguous_format), (torch.zeros(1, CHANNELS, 64, 64),),
        str(path), input_names=["film"], output_names=["text"],
        dynamic_axes={"film": free, "text": free}, opset_version=17, dynamo=False,
    )  # fmt: skip


if __name__ == "__main__":
    main()
