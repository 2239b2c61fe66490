"""The thin layer between the engine and CUDA: streams, events, graphs, memory.

Everything the engine asks of a GPU goes through ``Device``, so that its logic runs on a CPU in
tests (``tests/segment/host_device.py``) and only this file needs a card.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Replay = Callable[[], None]


class Event(Protocol):
    """A point in a stream."""

    def synchronize(self) -> None:
        """Block this thread until the stream has come to the point."""
        ...


class Device(Protocol):
    """Three streams of one GPU: up, compute and down."""

    torch_device: torch.device

    def stream(self, name: str) -> AbstractContextManager[Any]:
        """Queue what is inside on one stream: "up", "compute" or "down"."""
        ...

    def record(self, name: str) -> Event:
        """Mark the present end of a stream."""
        ...

    def wait(self, name: str, event: Event) -> None:
        """Let a stream wait for a point of another one, without blocking this thread."""
        ...

    def capture(self, work: Callable[[], None]) -> Replay:
        """Record work on fixed tensors once; the result runs it again with one launch.

        Falls back to running ``work`` eagerly where it cannot be recorded.
        """
        ...

    def pinned(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Host memory the GPU can copy to and from by itself."""
        ...

    def pin(self, memory: NDArray[np.uint8]) -> bool:
        """Register existing host memory for such copies; False where that is refused."""
        ...

    def release_memory(self) -> None:
        """Give cached memory back after running out of it."""
        ...


class CudaDevice:
    """One CUDA card."""

    def __init__(self, name: str) -> None:
        self.torch_device = torch.device(name)
        self._streams = {
            key: torch.cuda.Stream(self.torch_device) for key in ("up", "compute", "down")
        }
        self._pool: Any = None

    def stream(self, name: str) -> AbstractContextManager[Any]:
        """Queue what is inside on one stream."""
        return torch.cuda.stream(self._streams[name])

    def record(self, name: str) -> Event:
        """Mark the present end of a stream."""
        event = torch.cuda.Event()
        event.record(self._streams[name])
        return event

    def wait(self, name: str, event: Any) -> None:
        """Let a stream wait for an event."""
        self._streams[name].wait_event(event)

    def capture(self, work: Callable[[], None]) -> Replay:
        """Capture a CUDA graph after warming up on the compute stream.

        All graphs share one memory pool: they never run at the same time.
        """
        with self.stream("compute"):
            for _ in range(3):
                work()
        self._streams["compute"].synchronize()
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(
                graph, self._pool, self._streams["compute"], capture_error_mode="thread_local"
            ):
                work()
        except torch.OutOfMemoryError:
            raise
        except RuntimeError:  # an operation that cannot be captured: launch it each time
            return work
        self._pool = graph.pool()
        return graph.replay

    def pinned(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Page-locked host memory."""
        return torch.empty(shape, dtype=dtype, pin_memory=True)

    def pin(self, memory: NDArray[np.uint8]) -> bool:
        """Page-lock memory that exists, for example shared with other processes."""
        status = torch.cuda.cudart().cudaHostRegister(memory.ctypes.data, memory.nbytes, 0)
        return int(status) == 0

    def release_memory(self) -> None:
        """Drop graphs' memory and the allocator's cache."""
        self._pool = None
        torch.cuda.empty_cache()
