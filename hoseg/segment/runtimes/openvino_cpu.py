"""OpenVINO on the CPU. The precision is always stated: left alone it picks bfloat16 silently."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoseg.segment.runtimes.derived import onnx_file
from hoseg.segment.runtimes.spec import Wish
from hoseg.segment.weights import Model

_HINTS = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}


class OpenVinoCpu:
    """A compiled model and its idle requests, each with buffers of its own.

    Requests outlive the threads that call: making one takes as long as half a film.
    """

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled
        self._idle: list[Any] = []

    def __call__(self, pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Map (h, w) pixels to (C, h, w) probabilities x 255."""
        try:
            request = self._idle.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        batch = np.ascontiguousarray(pixels)[None, None]
        found = request.infer({0: batch}, share_inputs=True, share_outputs=True)[0]
        answer = np.array(found[0], np.uint8)  # a copy: the request reuses its output
        self._idle.append(request)
        return answer


def open_network(model: Model, wish: Wish) -> OpenVinoCpu:
    """Compile the ONNX file that belongs to the weights."""
    return open_file(onnx_file(model), wish)


def open_file(path: Path, wish: Wish) -> OpenVinoCpu:
    """Compile an ONNX file or an OpenVINO one (.xml).

    Without ENABLE_CPU_PINNING=False two processes on one machine share cores and each slows the
    other by half.
    """
    core: Any = import_module("openvino").Core()
    config = {
        "INFERENCE_PRECISION_HINT": _HINTS[wish.precision],
        "INFERENCE_NUM_THREADS": wish.threads,
        "ENABLE_CPU_PINNING": False,
        "PERFORMANCE_HINT": "LATENCY",
    }
    return OpenVinoCpu(core.compile_model(core.read_model(path), "CPU", config))
