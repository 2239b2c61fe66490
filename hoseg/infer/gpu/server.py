"""One process owns the GPU; worker processes send it films through shared memory.

A worker prepares a film, lays its pixels into memory it shares with the server, and waits. The
server has that memory page-locked, so the GPU fetches the pixels itself. Films of all workers
share batches: while one batch is on the GPU, the next one gathers. Several GPUs: a server each, in
a process each (``hoseg.infer.gpu.crew``).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Client, Connection, Listener, wait
from multiprocessing.shared_memory import SharedMemory
from secrets import token_bytes
from types import TracebackType
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from hoseg.errors import DeviceError
from hoseg.imaging.burnt_out import Outlines
from hoseg.infer.gpu.engine import IN_FLIGHT, GpuEngine, Ticket
from hoseg.radiograph import Grid, Prepared, Segmentation

SLOT_BYTES = 96 * 2**20
"""Shared with each worker: a prepared film, and then its probabilities and masks, which are a byte
for each pixel of the film as it was read."""


@dataclass(frozen=True)
class Address:
    """Where a worker finds its server. Picklable.

    place: socket or pipe name
    key: both sides prove they have it
    label, spacing_mm: of the model
    door: there is no server there, but the address of one (``hoseg.infer.gpu.crew``)
    """

    place: Any
    key: bytes
    label: str
    spacing_mm: float
    door: bool = False


@dataclass(frozen=True)
class _Request:
    """A film without its arrays, which lie in the slot: pixels first, field behind them."""

    grid: Grid
    original_shape: tuple[int, int]
    burnt_out: Outlines


class RemotePredictor:
    """Stands for a ``Predictor`` in a worker process. For one thread.

    Raises DeviceError when there is no server at the address any more.
    """

    def __init__(self, address: Address) -> None:
        self.label, self.spacing_mm = address.label, address.spacing_mm
        if address.door:
            address = _ask(address)
        try:
            self._pipe = Client(address.place, authkey=address.key)
        except (EOFError, OSError) as error:
            raise DeviceError("the process that owns the GPU has ended") from error
        self._slot = SharedMemory(create=True, size=SLOT_BYTES)
        self._pipe.send(self._slot.name)

    def predict(self, films: Sequence[Prepared]) -> list[Segmentation]:
        """Predict films one after another; batches form with those of other workers.

        Raises DeviceError when the server has ended or ran out of memory.
        """
        return [self._predict(film) for film in films]

    def _predict(self, film: Prepared) -> Segmentation:
        pixels = film.pixels
        memory = np.ndarray((self._slot.size,), np.uint8, buffer=self._slot.buf)
        _view(memory, 0, pixels.shape, np.dtype(np.float32))[:] = pixels
        _view(memory, pixels.nbytes, film.field.shape, np.dtype(bool))[:] = film.field
        request = _Request(film.grid, film.original_shape, film.burnt_out)
        try:
            self._pipe.send(request)
            answer = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise DeviceError("the process that owns the GPU has ended") from error
        if isinstance(answer, str):
            raise DeviceError(answer)
        probabilities = _view(memory, 0, answer, np.dtype(np.uint8)).copy()
        size = probabilities.nbytes
        masks = _view(memory, size, film.original_shape, np.dtype(np.uint8)).copy()
        return Segmentation(masks, probabilities, film.grid, self.label)


def _ask(door: Address) -> Address:
    """Which of several servers this worker belongs to.

    Raises DeviceError when they have ended.
    """
    try:
        with Client(door.place, authkey=door.key) as pipe:
            address: Address = pipe.recv()
    except (EOFError, OSError) as error:
        raise DeviceError("the processes that own the GPUs have ended") from error
    return address


@dataclass(eq=False)
class _Seat:
    """One connected worker."""

    pipe: Connection
    slot: SharedMemory
    memory: NDArray[np.uint8]


class GpuServer:
    """Serves worker processes from a thread of this one, until closed.

    engine: of one GPU
    label, spacing_mm: of its model
    """

    def __init__(self, engine: GpuEngine, label: str, spacing_mm: float) -> None:
        self._engine = engine
        key = token_bytes(32)
        self._listener = Listener(authkey=key)
        self.address = Address(self._listener.address, key, label, spacing_mm)
        self._new: deque[Connection] = deque()
        self._seats: dict[Connection, _Seat] = {}
        self._flying: deque[tuple[list[_Seat], Ticket]] = deque()
        self._closing = threading.Event()
        self._threads = [
            threading.Thread(target=target, daemon=True) for target in (self._accept, self._serve)
        ]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> GpuServer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up on every worker and end."""
        self._closing.set()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while not self._closing.is_set():
            with suppress(OSError, EOFError):
                self._new.append(self._listener.accept())

    def _serve(self) -> None:
        """Serve until told to close. Whatever ends this thread, no worker waits for it for ever."""
        try:
            while not self._closing.is_set():
                while self._new:
                    self._welcome(self._new.popleft())
                requests = self._gather(0.0 if self._flying else 0.02)
                if requests:
                    self._submit(requests)
                elif self._flying:
                    self._land(len(self._flying) - 1)
        finally:
            self._closing.set()
            with suppress(OSError, EOFError):
                Client(self.address.place, authkey=self.address.key).close()  # wakes ``accept``
            self._threads[0].join()
            self._listener.close()
            for seat in list(self._seats.values()):
                self._leave(seat)
            while self._new:
                self._new.popleft().close()

    def _welcome(self, pipe: Connection) -> None:
        """Attach a worker's memory and page-lock it."""
        try:
            slot = SharedMemory(pipe.recv())
        except (EOFError, OSError):
            pipe.close()
            return
        memory = np.ndarray((slot.size,), np.uint8, buffer=slot.buf)
        self._engine.device.pin(memory)  # where refused, copies go the slower way by themselves
        self._seats[pipe] = _Seat(pipe, slot, memory)

    def _gather(self, timeout_s: float) -> list[tuple[_Seat, Prepared]]:
        """Take every request that is waiting now."""
        if not self._seats:
            self._closing.wait(timeout_s)
            return []
        requests = []
        for pipe in wait(list(self._seats), timeout_s):
            seat = self._seats[cast(Connection, pipe)]
            try:
                requests.append((seat, _film(seat.pipe.recv(), seat.memory)))
            except (EOFError, OSError):
                self._leave(seat)
        return requests

    def _submit(self, requests: list[tuple[_Seat, Prepared]]) -> None:
        """Queue requests in batches of one window shape."""
        groups: dict[tuple[int, int], list[tuple[_Seat, Prepared]]] = {}
        for seat, film in requests:
            groups.setdefault(self._engine.shape_of(film), []).append((seat, film))
        for shape, group in groups.items():
            waiting = deque(group)
            while waiting:
                part = [waiting.popleft() for _ in range(min(self._engine.batch, len(waiting)))]
                self._land(IN_FLIGHT)
                try:
                    ticket = self._engine.submit([film for _, film in part])
                except torch.OutOfMemoryError:
                    waiting.extendleft(reversed(part))
                    self._land(0)
                    if not self._shrink(shape, list(waiting)):
                        break
                    continue
                self._flying.append(([seat for seat, _ in part], ticket))

    def _shrink(self, shape: tuple[int, int], waiting: list[tuple[_Seat, Prepared]]) -> bool:
        """Halve the batch; where that is impossible the workers are told."""
        try:
            self._engine.shrink(shape)
        except DeviceError as error:
            for seat, _ in waiting:
                self._answer(seat, str(error))
            return False
        return True

    def _land(self, in_flight: int) -> None:
        """Hand out the oldest batches until only so many are under way."""
        while len(self._flying) > in_flight:
            seats, ticket = self._flying.popleft()
            for seat, found in zip(seats, self._engine.collect(ticket), strict=True):
                probabilities, masks = found.probabilities, found.masks
                _view(seat.memory, 0, probabilities.shape, probabilities.dtype)[:] = probabilities
                _view(seat.memory, probabilities.nbytes, masks.shape, masks.dtype)[:] = masks
                self._answer(seat, probabilities.shape)

    def _answer(self, seat: _Seat, answer: object) -> None:
        try:
            seat.pipe.send(answer)
        except OSError:
            self._leave(seat)

    def _leave(self, seat: _Seat) -> None:
        """Forget a worker that has ended."""
        if self._seats.pop(seat.pipe, None) is None:
            return
        seat.pipe.close()
        with suppress(FileNotFoundError):
            seat.slot.unlink()


def _film(request: _Request, memory: NDArray[np.uint8]) -> Prepared:
    """Put a film together from a request and the slot it lies in."""
    pixels = _view(memory, 0, request.grid.shape, np.dtype(np.float32))
    field = _view(memory, pixels.nbytes, request.grid.shape, np.dtype(bool))
    shape = request.original_shape
    return Prepared(pixels, field, request.grid, shape, burnt_out=request.burnt_out)


def _view(
    memory: NDArray[np.uint8], start: int, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> NDArray[Any]:
    """Array of a shape and type that lies at a place in memory."""
    size = int(np.prod(shape)) * dtype.itemsize
    return memory[start : start + size].view(dtype).reshape(shape)
