"""The table of runtimes: which network engine runs where, in which precision, best guess first.

``--device auto`` walks down the rows for its device; a row is used only if it passes the parity
gate (``hoseg.infer.parity``). Half precisions on a CPU are far faster where the processor has
the instructions, and change masks more than the gate allows on some networks: the gate decides.
"""

from __future__ import annotations

from hoseg.infer.options import Runtime
from hoseg.infer.runtimes import obstacles

RUNTIMES: tuple[Runtime, ...] = (
    Runtime("torch", "cuda", "float16", "torch", "gpu", "torch_cuda", obstacles.cuda),
    Runtime("torch", "cuda", "bfloat16", "torch", "gpu", "torch_cuda", obstacles.cuda_bfloat16),
    Runtime("torch", "cuda", "float32", "torch", "gpu", "torch_cuda", obstacles.cuda),
    Runtime(
        "openvino", "cpu", "bfloat16", "openvino", "export", "openvino_cpu",
        obstacles.cpu_bfloat16,
    ),
    Runtime("onnx", "cpu", "float32", "onnxruntime", "", "onnx_cpu", obstacles.none),
    Runtime(
        "openvino", "cpu", "float32", "openvino", "export", "openvino_cpu", obstacles.none,
    ),
    Runtime("torch", "cpu", "bfloat16", "torch", "gpu", "torch_cpu", obstacles.cpu_bfloat16),
    Runtime("torch", "cpu", "float32", "torch", "gpu", "torch_cpu", obstacles.none),
)  # fmt: skip

NAMES = ("torch", "onnx", "openvino")
REFERENCE = RUNTIMES[-1]
"""What every other row is compared with."""
