"""From sources to batches: sample ``i`` of a run depends on (seed, i) and on nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from hoseg.train.augment import make_crop
from hoseg.train.config import TrainConfig
from hoseg.train.sample import TrainingSample

Batch = tuple[Tensor, Tensor, Tensor]
"""(N, 1, S, S) float32 pixels, (N, S, S) uint8 targets, (N, S, S) uint8 ignored bits."""


class SampleSource(Protocol):
    """Where samples come from. The same generator state gives the same sample."""

    def draw(self, index: int, rng: np.random.Generator) -> TrainingSample:
        """Return the sample for running number ``index``."""
        ...


class CropDataset(Dataset[Batch]):
    """Augmented crops by running number, drawn from weighted sources.

    sources: what to draw from
    ratios: relative share of each source
    """

    def __init__(
        self, config: TrainConfig, sources: Sequence[SampleSource], ratios: Sequence[float]
    ) -> None:
        self.config = config
        self.sources = list(sources)
        self.shares = np.cumsum(ratios) / np.sum(ratios)

    def __getitem__(self, index: int) -> Batch:
        rng = np.random.default_rng([self.config.seed, 0, index])
        which = int(np.searchsorted(self.shares, rng.random(), side="right"))
        sample = self.sources[min(which, len(self.sources) - 1)].draw(index, rng)
        pixels, targets, ignore = make_crop(sample, self.config.crop_px, self.config.augment, rng)
        return torch.from_numpy(pixels[None]), torch.from_numpy(targets), torch.from_numpy(ignore)


class StepSampler:
    """Running numbers of the samples of each step, for one of several processes."""

    def __init__(self, first_step: int, steps: int, batch: int, rank: int, world: int) -> None:
        self.first_step, self.steps, self.batch = first_step, steps, batch
        self.rank, self.world = rank, world

    def __iter__(self) -> Iterator[list[int]]:
        for step in range(self.first_step, self.steps):
            start = (step * self.world + self.rank) * self.batch
            yield list(range(start, start + self.batch))

    def __len__(self) -> int:
        return self.steps - self.first_step


def make_loader(dataset: CropDataset, sampler: StepSampler, workers: int) -> DataLoader[Batch]:
    """Batches in the order of their steps, however many workers make them."""
    return DataLoader(
        dataset,
        batch_sampler=sampler,
        num_workers=workers,
        worker_init_fn=_one_thread,
        multiprocessing_context="spawn" if workers else None,
        prefetch_factor=3 if workers else None,
        pin_memory=torch.cuda.is_available(),
    )


def _one_thread(worker: int) -> None:
    """Workers share the cores with the training: one thread each."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
