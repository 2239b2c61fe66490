"""ONNX Runtime on the CPU: fast in float32, and imported in a tenth of the time of torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnxruntime import InferenceSession

from hoseg.infer.derived import onnx_file
from hoseg.infer.options import RuntimeOptions
from hoseg.onnx_session import open_session
from hoseg.segment.weights import Model


class OnnxCpu:
    """One session; ``run`` may be called from several threads."""

    def __init__(self, session: InferenceSession) -> None:
        self._session = session
        self._input = session.get_inputs()[0].name

    def __call__(self, pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Map (h, w) pixels to (C, h, w) probabilities x 255."""
        batch = np.ascontiguousarray(pixels)[None, None]
        found = self._session.run(None, {self._input: batch})[0]
        return np.asarray(found)[0]


def open_network(model: Model, options: RuntimeOptions) -> OnnxCpu:
    """Open the ONNX file that belongs to the weights; it is derived from them if need be."""
    return open_file(onnx_file(model), options)


def open_file(path: Path, options: RuntimeOptions) -> OnnxCpu:
    """Open a file that ``export_onnx`` wrote."""
    return OnnxCpu(open_session(path.read_bytes(), str(path), options.threads))
