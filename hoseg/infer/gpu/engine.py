"""Batches of films through a GPU, with copies and arithmetic of different batches overlapping.

One batch: films go up on their own stream into a tensor of a fixed shape, pass the network as one
captured graph, and come down as masks of bits. This thread only queues work; it waits for nothing
but the oldest batch, when two more are under way.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hoseg.errors import DeviceError
from hoseg.imaging.resample import grid_window
from hoseg.infer.deploy import Deployed
from hoseg.infer.engine import Deployment
from hoseg.infer.gpu import film_ops
from hoseg.infer.gpu.device import Device, Event, Replay
from hoseg.infer.windows import PAD_VALUE, field_window, overlap
from hoseg.radiograph import Prepared, Segmentation
from hoseg.segment.peaks import byte_level

IN_FLIGHT = 2
"""Batches queued while an older one is still awaited: the GPU never runs dry."""

MAX_LANES = 16
"""Window shapes kept captured; the one unused for longest makes way."""


@dataclass(frozen=True, eq=False)
class _Lane:
    """A captured network for one shape of batch.

    pixels: (B, 1, h, w) float32, written before each run
    found: (B, planes, h, w) uint8, overwritten by each run
    """

    pixels: Tensor
    found: Tensor
    run: Replay


@dataclass(frozen=True, eq=False)
class Ticket:
    """A batch on its way. Holds every tensor of it until the GPU is through.

    films: what was sent
    answers: (network's answer, masks of the window) in host memory, valid after ``done``
    """

    films: tuple[Prepared, ...]
    held: list[Tensor]
    answers: list[tuple[Tensor, Tensor]]
    done: Event


class GpuEngine:
    """Films through one GPU.

    networks: an ensemble, already on the device
    device: streams, graphs and memory
    deployment: thresholds, window step and options

    A batch always has the same number of places, whatever the number of films in it: the same
    kernels run, so a film's masks do not depend on its company.
    """

    def __init__(
        self, networks: Sequence[Deployed], device: Device, deployment: Deployment
    ) -> None:
        self._networks = tuple(networks)
        self.device = device
        self._deployment = deployment
        self._lanes: OrderedDict[tuple[int, int], _Lane] = OrderedDict()
        self._lock = threading.Lock()
        self.batch = deployment.options.batch
        levels = [byte_level(threshold) for threshold in deployment.thresholds]
        self._levels = torch.tensor(levels, device=device.torch_device)

    def segment(self, films: Iterable[Prepared]) -> Iterator[Segmentation]:
        """Predict a stream of films in order. One caller at a time; others wait.

        A film's pixels must stay as they are until its segmentation has come out.
        """
        with self._lock:
            yield from _Stream(self).run(films)

    def shape_of(self, film: Prepared) -> tuple[int, int]:
        """Shape of the window a film needs: films of one shape can share a batch."""
        step = self._deployment.step
        return field_window(film.field, step, step).shape

    def submit(self, films: Sequence[Prepared]) -> Ticket:
        """Queue one batch of films of one window shape; returns at once.

        Raises torch.OutOfMemoryError; nothing of the batch is then under way.
        """
        device = self.device
        with torch.inference_mode():
            with device.stream("up"):
                sent = [self._send(film) for film in films]
            device.wait("compute", device.record("up"))
            with device.stream("compute"):
                lane = self._lane(self.shape_of(films[0]))
                lane.pixels[len(films) :].fill_(PAD_VALUE)
                for place, film, (pixels, _) in zip(lane.pixels, films, sent, strict=False):
                    self._fill(place[0], film, pixels)
                lane.run()
                found = [
                    self._restore(answer, film, field)
                    for answer, film, (_, field) in zip(lane.found, films, sent, strict=False)
                ]
            device.wait("down", device.record("compute"))
            with device.stream("down"):
                answers = [(self._fetch(a), self._fetch(b)) for a, b in found]
            done = device.record("down")
        held = [t for group in (*sent, *found) for t in group if t is not None]
        return Ticket(tuple(films), held, answers, done)

    def collect(self, ticket: Ticket) -> list[Segmentation]:
        """Wait for a batch and copy its answers out."""
        ticket.done.synchronize()
        return [
            self._segmentation(film, answer, masks)
            for film, (answer, masks) in zip(ticket.films, ticket.answers, strict=True)
        ]

    def shrink(self, shape: tuple[int, int]) -> None:
        """Halve the batch after running out of memory.

        Raises DeviceError when a batch of one film was already too much.
        """
        self._lanes.clear()
        self.device.release_memory()
        if self.batch == 1:
            raise DeviceError(
                f"{self.device.torch_device} ran out of memory with one film of {shape[0]} x "
                f"{shape[1]} pixels in a batch; close other programs on it, use a model with a "
                "coarser spacing, or --device cpu"
            )
        self.batch //= 2

    def _send(self, film: Prepared) -> tuple[Tensor, Tensor | None]:
        """Queue the upload of a film's pixels, and of its field unless it is everywhere."""
        field = None if film.field.all() else self._upload(film.field)
        return self._upload(film.pixels), field

    def _upload(self, array: np.ndarray) -> Tensor:
        host = torch.from_numpy(np.ascontiguousarray(array))
        return host.to(self.device.torch_device, non_blocking=True)

    def _fetch(self, tensor: Tensor) -> Tensor:
        host = self.device.pinned(tuple(tensor.shape), tensor.dtype)
        return host.copy_(tensor, non_blocking=True)

    def _fill(self, place: Tensor, film: Prepared, pixels: Tensor) -> None:
        """Write a film into its place (h, w) of the batch."""
        step = self._deployment.step
        source, target = overlap(film.field.shape, field_window(film.field, step, step))
        place.fill_(PAD_VALUE)
        place[target].copy_(pixels[source])

    def _restore(
        self, answer: Tensor, film: Prepared, field: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """All planes on the film's grid, and masks on its window of original pixels."""
        step = self._deployment.step
        target, source = overlap(film.field.shape, field_window(film.field, step, step))
        planes = torch.zeros(
            (answer.shape[0], *film.field.shape), dtype=torch.uint8, device=answer.device
        )
        planes[(slice(None), *target)] = answer[(slice(None), *source)]
        if field is not None:
            planes *= field
        shape = grid_window(film.grid).shape
        return planes, film_ops.restore(planes[: len(self._levels)], shape, self._levels)

    def _segmentation(self, film: Prepared, answer: Tensor, masks: Tensor) -> Segmentation:
        full = np.zeros(film.original_shape, np.uint8)
        full[grid_window(film.grid).slices] = masks.numpy()
        return self._deployment.conclude(answer.numpy().copy(), full, film)

    def _lane(self, shape: tuple[int, int]) -> _Lane:
        """Captured network for a window shape; made on first use."""
        lane = self._lanes.get(shape)
        if lane is None:
            while len(self._lanes) >= MAX_LANES:
                self._lanes.popitem(last=False)
            lane = self._lanes[shape] = self._capture(shape)
        self._lanes.move_to_end(shape)
        return lane

    def _capture(self, shape: tuple[int, int]) -> _Lane:
        place = (self.batch, 1, *shape)
        pixels = torch.full(place, PAD_VALUE, device=self.device.torch_device)
        found = torch.zeros(
            (self.batch, self._deployment.planes, *shape), dtype=torch.uint8, device=pixels.device
        )

        def work() -> None:
            found.copy_(self._forward(pixels))

        return _Lane(pixels, found, self.device.capture(work))

    def _forward(self, pixels: Tensor) -> Tensor:
        """Mean over the ensemble, and over the mirror image if asked for."""
        batch = pixels.contiguous(memory_format=torch.channels_last)
        answers = []
        for network in self._networks:
            views = [network(batch)]
            if self._deployment.options.flips:
                views.append(network(batch.flip(-1)).flip(-1))
            answers.append(film_ops.mean_of(views))
        return film_ops.mean_of(answers)


class _Stream:
    """Groups a stream of films by shape, keeps batches under way, gives answers in order."""

    def __init__(self, engine: GpuEngine) -> None:
        self._engine = engine
        self._groups: OrderedDict[tuple[int, int], list[tuple[int, Prepared]]] = OrderedDict()
        self._flying: deque[tuple[list[int], Ticket]] = deque()
        self._done: dict[int, Segmentation] = {}
        self._next = 0

    def run(self, films: Iterable[Prepared]) -> Iterator[Segmentation]:
        """Predict films, holding back at most four batches of them."""
        held = 0
        for position, film in enumerate(films):
            shape = self._engine.shape_of(film)
            group = self._groups.setdefault(shape, [])
            group.append((position, film))
            held += 1
            if len(group) >= self._engine.batch:
                held -= self._send(shape)
            elif held >= 4 * self._engine.batch:
                held -= self._send(min(self._groups, key=lambda s: self._groups[s][0][0]))
            yield from self._ready(IN_FLIGHT)
        while self._groups:
            self._send(next(iter(self._groups)))
            yield from self._ready(IN_FLIGHT)
        yield from self._ready(0)

    def _send(self, shape: tuple[int, int]) -> int:
        """Submit all films of a shape; smaller batches if memory runs out. Returns how many."""
        group = self._groups.pop(shape)
        waiting = deque(group)
        while waiting:
            part = [waiting.popleft() for _ in range(min(self._engine.batch, len(waiting)))]
            try:
                ticket = self._engine.submit([film for _, film in part])
            except torch.OutOfMemoryError:
                waiting.extendleft(reversed(part))
                self._land(0)
                self._engine.shrink(shape)
                continue
            self._flying.append(([position for position, _ in part], ticket))
        return len(group)

    def _land(self, in_flight: int) -> None:
        """Collect the oldest batches until only so many are under way."""
        while len(self._flying) > in_flight:
            positions, ticket = self._flying.popleft()
            self._done.update(zip(positions, self._engine.collect(ticket), strict=True))

    def _ready(self, in_flight: int) -> Iterator[Segmentation]:
        """Answers that can be given in order."""
        self._land(in_flight)
        while self._next in self._done:
            yield self._done.pop(self._next)
            self._next += 1
