"""A GPU that is the CPU: runs what is queued at once, and checks that it was queued in order."""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager

import torch


class HostEvent:
    def __init__(self, device: HostDevice, stream: str) -> None:
        self.device, self.stream, self.waited = device, stream, False

    def synchronize(self) -> None:
        self.waited = True
        self.device.log.append(("synchronize", self.stream))


class HostDevice:
    """Stands for ``CudaDevice``. ``fits`` is the largest batch it has memory for."""

    def __init__(self, fits: int | None = None) -> None:
        self.torch_device = torch.device("cpu")
        self.log: list[tuple[str, str]] = []
        self.fits = fits
        self.captured = 0

    def stream(self, name: str) -> AbstractContextManager[None]:
        @contextmanager
        def inside():
            self.log.append(("enter", name))
            yield

        return inside()

    def record(self, name: str) -> HostEvent:
        self.log.append(("record", name))
        return HostEvent(self, name)

    def wait(self, name: str, event: HostEvent) -> None:
        self.log.append(("wait", f"{name} for {event.stream}"))

    def capture(self, work):
        self.captured += 1
        if self.fits is not None and work.__closure__ is not None:
            batches = [
                cell.cell_contents.shape[0]
                for cell in work.__closure__
                if isinstance(cell.cell_contents, torch.Tensor)
            ]
            if max(batches) > self.fits:
                raise torch.OutOfMemoryError("fake card is full")
        return work

    def pinned(self, shape, dtype) -> torch.Tensor:
        return torch.full(shape, 77, dtype=dtype)

    def pin(self, memory) -> bool:
        return True

    def release_memory(self) -> None:
        self.log.append(("release", "memory"))
