"""The network as the product runs it against the device's measured copy and matrix rates."""

from __future__ import annotations

import json
import sys
import time

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

NETWORK_TYPES = {"cuda": torch.float16, "cpu": torch.float32}
_VIEWS = ("view", "reshape", "permute", "detach", "alias", "expand", "slice", "select", "t.default")


def _seconds(work, device: str, repeats: int = 20) -> float:
    """Median time of one call until the device is through."""
    for _ in range(3):
        work()
    times = []
    for _ in range(repeats):
        _wait(device)
        start = time.perf_counter()
        work()
        _wait(device)
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2]


def _wait(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize(device)


def ceilings(device: str) -> dict[str, float]:
    """Copy rate (bytes read and written a second) and matrix rate (operations a second).

    On a card large blocks, in half precision; on a CPU small ones, in float32 on one thread.
    """
    kind = device.partition(":")[0]
    size, side = (2**31, 8192) if kind == "cuda" else (2**26, 1024)
    source = torch.zeros(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    copy = 2 * size / _seconds(lambda: target.copy_(source), device)
    a, b = (torch.randn(side, side, device=device, dtype=NETWORK_TYPES[kind]) for _ in range(2))
    return {"copy_bytes_s": copy, "matrix_flop_s": 2 * side**3 / _seconds(lambda: a @ b, device)}


class _Bytes(TorchDispatchMode):
    """Counts the bytes that every operation reads and writes; views move nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.moved = 0
        self.operations = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        if not any(name in str(func) for name in _VIEWS):
            tensors = [t for t in tree_leaves((args, kwargs, found)) if torch.is_tensor(t)]
            self.moved += sum(t.numel() * t.element_size() for t in tensors)
            self.operations += 1
        return found


def network_work(network: torch.nn.Module, batch: torch.Tensor) -> dict[str, float]:
    """Operations of a pass; bytes if each of its steps reads its inputs and writes its output."""
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network(batch)
    with torch.inference_mode(), _Bytes() as counted:
        network(batch)
    return {
        "flop": counter.get_total_flops(),
        "bytes": counted.moved,
        "steps": counted.operations,
    }


def window_shape(model, films: int = 2) -> tuple[int, int]:
    """Window of the films of the bench, as the product cuts it."""
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from hoseg.cli.bench import write_films
    from hoseg.dicom import Source, decode
    from hoseg.imaging.prepare import prepare
    from hoseg.infer.windows import field_window

    with TemporaryDirectory() as folder:
        path = write_films(Path(folder), films, "explicit")[0]
        film = prepare(decode(Source(path, str(path)))[0], model.card.spacing_mm)
    step = model.card.pad_multiple
    return field_window(film.field, step, step).shape


def roofline(model_name: str, device: str) -> dict:
    """Time of the network on the true window against the larger of its two floors."""
    from hoseg.infer.deploy import deploy
    from hoseg.segment.weights import load_model

    model = load_model(model_name)
    network = deploy(model).lower_precision(NETWORK_TYPES[device.partition(":")[0]]).to(device)
    network = network.to(memory_format=torch.channels_last)
    limits, shape, rows = ceilings(device), window_shape(model), []
    # The product sends one film; the others say what batches would gain.
    for films in (1, 2) if device == "cpu" else (1, 2, 4, 8):
        batch = torch.randn(films, 1, *shape, device=device)
        batch = batch.contiguous(memory_format=torch.channels_last)
        work = network_work(network, batch)
        with torch.inference_mode():
            measured = _seconds(lambda batch=batch: network(batch), device, 5)
        floors = work["flop"] / limits["matrix_flop_s"], work["bytes"] / limits["copy_bytes_s"]
        rows.append(
            work
            | {
                "films": films,
                "ms": 1000 * measured,
                "arithmetic_floor_ms": 1000 * floors[0],
                "memory_floor_ms": 1000 * floors[1],
                "share_of_roofline": max(floors) / measured,
                "films_s": films / measured,
            }
        )
    return {"device": device, "window": shape, "limits": limits, "rows": rows}


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: bench_roofline.py MODEL [cuda | cuda:N | cpu]")
    torch.set_num_threads(1)
    print(json.dumps(roofline(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "cuda"), indent=2))
