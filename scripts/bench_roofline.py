"""The network's bytes and operations against the card's measured copy and matrix rates."""

from __future__ import annotations

import json
import sys

import torch
from torch.utils.flop_counter import FlopCounterMode


def _seconds(work, repeats: int = 20) -> float:
    """Median device time of one call."""
    for _ in range(3):
        work()
    times = []
    for _ in range(repeats):
        start = torch.cuda.Event(enable_timing=True)
        stop = torch.cuda.Event(enable_timing=True)
        start.record()
        work()
        stop.record()
        stop.synchronize()
        times.append(start.elapsed_time(stop) / 1000)
    return sorted(times)[len(times) // 2]


def ceilings(device: str) -> dict[str, float]:
    """Copy rate (bytes read and written a second) and float16 matrix rate (operations a second)."""
    source = torch.randint(0, 255, (2**31,), dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    copy = 2 * source.numel() / _seconds(lambda: target.copy_(source))
    a, b = (torch.randn(8192, 8192, device=device, dtype=torch.float16) for _ in range(2))
    return {"copy_bytes_s": copy, "matrix_flop_s": 2 * 8192**3 / _seconds(lambda: a @ b)}


def network_work(network: torch.nn.Module, batch: torch.Tensor) -> dict[str, float]:
    """Operations of a pass, and bytes if every layer reads its input and writes its output once."""
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(batch)
    moved = 0
    handles = []

    def count(module, inputs, output) -> None:
        nonlocal moved
        tensors = [t for t in (*inputs, output) if isinstance(t, torch.Tensor)]
        moved += sum(t.numel() * t.element_size() for t in tensors)
        moved += sum(p.numel() * p.element_size() for p in module.parameters(recurse=False))

    for module in network.modules():
        if not list(module.children()):
            handles.append(module.register_forward_hook(count))
    with torch.inference_mode():
        network(batch)
    for handle in handles:
        handle.remove()
    return {"flop": counter.get_total_flops(), "bytes": moved}


def roofline(model_name: str, device: str, shape: tuple[int, int] = (864, 704)) -> dict:
    """Time of the captured network against the larger of its two floors."""
    from hoseg.infer.deploy import deploy
    from hoseg.infer.gpu.device import CudaDevice
    from hoseg.segment.weights import load_model

    network = deploy(load_model(model_name)).lower_precision(torch.float16).to(device)
    network = network.to(memory_format=torch.channels_last)
    layer = CudaDevice(device)
    limits = ceilings(device)
    rows = []
    for batch_size in (1, 4, 8, 16):
        batch = torch.randn(batch_size, 1, *shape, device=device)
        work = network_work(network, batch)
        with torch.inference_mode():
            replay = layer.capture(lambda batch=batch: network(batch))
            measured = _seconds(replay)
            eager = _seconds(lambda batch=batch: network(batch))
        floors = work["flop"] / limits["matrix_flop_s"], work["bytes"] / limits["copy_bytes_s"]
        rows.append(
            {
                "batch": batch_size,
                "flop": work["flop"],
                "bytes": work["bytes"],
                "captured_ms": 1000 * measured,
                "eager_ms": 1000 * eager,
                "arithmetic_floor_ms": 1000 * floors[0],
                "memory_floor_ms": 1000 * floors[1],
                "share_of_roofline": max(floors) / measured,
                "films_s": batch_size / measured,
            }
        )
    return {"limits": limits, "rows": rows}


if __name__ == "__main__":
    print(json.dumps(roofline(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "cuda"), indent=2))
