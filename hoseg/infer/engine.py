"""Films through a network: windows, tiles, flips and ensembles, whatever the runtime."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice
from math import lcm

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from hoseg.errors import SettingError
from hoseg.imaging.burnt_out import erase
from hoseg.imaging.prepare import restore
from hoseg.infer.components import drop_weak, tidy_bones
from hoseg.infer.options import Forward, Options
from hoseg.infer.windows import cut, field_window, paste, predict_tiled
from hoseg.radiograph import STRUCTURES, Prepared, Segmentation
from hoseg.segment.peaks import PeakRule, peak_rules
from hoseg.segment.weights import Model

_BONES = tuple(STRUCTURES.index(name) for name in ("pelvis", "femur"))


@dataclass(frozen=True)
class Deployment:
    """What an ensemble needs besides its networks.

    label: "name@fingerprint-prefix" of the model, stated in every result
    thresholds: in bit order
    step: both sides of a window are multiples of this
    rules: which components are kept by their peak
    """

    label: str
    thresholds: tuple[float, ...]
    step: int
    options: Options
    rules: tuple[PeakRule, ...] = ()

    @property
    def planes(self) -> int:
        """Planes of a network's answer: structures, and the fine scale of those with a peak."""
        return len(self.thresholds) + len(self.rules)

    def conclude(
        self, answer: NDArray[np.uint8], masks: NDArray[np.uint8], film: Prepared
    ) -> Segmentation:
        """Make a segmentation of a network's answer: the last step.

        answer: (planes, h, w) uint8; changed
        masks: (H, W) uint8 bits, where the answer reaches the thresholds; changed
        film: what was segmented
        """
        grid = film.grid
        erase(answer, film.burnt_out, grid.origin_px, grid.step_px)
        erase(masks, film.burnt_out)
        drop_weak(answer, masks, grid, self.rules)
        tidy_bones(answer, masks, grid, {c: self.thresholds[c] for c in _BONES})
        return Segmentation(masks, answer[: len(STRUCTURES)], grid, self.label)


class Engine:
    """Films in, segmentations out, in the same order, whatever runs the networks.

    One film at a time through each network, several films side by side on threads.

    Whole films in parallel with one thread each beat one film with all threads by half: nothing
    waits, and decoding and writing overlap with the network. A film is a batch of its own, so
    its answer cannot depend on its neighbours.
    """

    def __init__(self, forwards: tuple[Forward, ...], deployment: Deployment) -> None:
        self._forwards = forwards
        self._deployment = deployment

    def segment(self, films: Iterable[Prepared]) -> Iterator[Segmentation]:
        """Predict a stream of films, at most two for each thread in flight."""
        parallel = self._deployment.options.parallel_films
        source = iter(films)
        first = list(islice(source, 2))
        if parallel == 1 or len(first) == 1:
            yield from map(self.film, chain(first, source))
            return
        source = chain(first, source)
        with ThreadPoolExecutor(parallel, thread_name_prefix="film") as pool:
            waiting: deque[Future[Segmentation]] = deque()
            try:
                for film in islice(source, 2 * parallel):
                    waiting.append(pool.submit(self.film, film))
                while waiting:
                    yield waiting.popleft().result()
                    for film in islice(source, 1):
                        waiting.append(pool.submit(self.film, film))
            finally:
                for future in waiting:
                    future.cancel()

    def film(self, prepared: Prepared) -> Segmentation:
        """Predict one film in the calling thread."""
        return self.conclude(self.answer(prepared), prepared)

    def answer(self, prepared: Prepared) -> NDArray[np.uint8]:
        """(planes, h, w) uint8 of the networks for one film: forward passes and nothing else."""
        return mean_of([self._answer(forward, prepared) for forward in self._forwards])

    def conclude(self, answer: NDArray[np.uint8], prepared: Prepared) -> Segmentation:
        """Masks on the film's own pixels of what the networks answer; changes ``answer``."""
        masks = restore(answer[: len(STRUCTURES)], prepared, self._deployment.thresholds)
        return self._deployment.conclude(answer, masks, prepared)

    def _answer(self, forward: Forward, prepared: Prepared) -> NDArray[np.uint8]:
        """(planes, h, w) uint8 of one network, zero outside the field."""
        options = self._deployment.options
        step = self._deployment.step

        def predict(pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
            straight = forward(pixels)
            if not options.flips:
                return straight
            mirrored = forward(np.ascontiguousarray(pixels[:, ::-1]))
            return mean_of([straight, mirrored[..., ::-1]])

        window = field_window(prepared.field, step, step)
        if options.tile is None:
            found = predict(cut(prepared.pixels, window))
        else:
            found = predict_tiled(
                cut(prepared.pixels, window), options.tile, options.overlap, predict
            )
        return paste(found, window, prepared.field)


def mean_of(answers: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Mean of equally shaped uint8 arrays, halves rounded up."""
    if len(answers) == 1:
        return answers[0]
    total = np.zeros(answers[0].shape, np.uint16)
    for answer in answers:
        total += answer
    return ((total + len(answers) // 2) // len(answers)).astype(np.uint8)


def deployment_of(models: tuple[Model, ...], options: Options) -> Deployment:
    """Thresholds (mean), peaks (mean of logits) and window step of one model or several.

    Raises SettingError when some models keep components by their peak and others do not: their
    answers have different planes.
    """
    cards = [model.card for model in models]
    if len({card.peaked for card in cards}) > 1:
        wanted = "models that all have peaks for the same structures, or none"
        raise SettingError("model", [card.name for card in cards], wanted)
    columns = zip(*(card.thresholds for card in cards), strict=True)
    thresholds = tuple(sum(column) / len(cards) for column in columns)
    peaks = zip(*(card.peaks or () for card in cards), strict=True)
    rules = peak_rules(thresholds, [_mean_peak(column) for column in peaks])
    step = lcm(*(card.pad_multiple for card in cards))
    return Deployment(joint_label(models), thresholds, step, options, rules)


def joint_label(models: tuple[Model, ...]) -> str:
    """Return what results cite: every label of an ensemble."""
    return "+".join(model.card.label for model in models)


def _mean_peak(peaks: tuple[float | None, ...]) -> float | None:
    logits = [logit(peak) for peak in peaks if peak is not None]
    return float(expit(sum(logits) / len(logits))) if logits else None
