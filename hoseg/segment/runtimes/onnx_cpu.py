"""ONNX Runtime on the CPU: fast in float32, and imported in a tenth of the time of torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from hoseg.errors import ModelError
from hoseg.segment.runtimes.derived import onnx_file
from hoseg.segment.runtimes.spec import Wish
from hoseg.segment.weights import Model


class OnnxCpu:
    """One session; ``run`` may be called from several threads."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session
        self._input = session.get_inputs()[0].name

    def __call__(self, pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Map (h, w) pixels to (C, h, w) probabilities x 255."""
        batch = np.ascontiguousarray(pixels)[None, None]
        found = self._session.run(None, {self._input: batch})[0]
        return np.asarray(found)[0]


def open_network(model: Model, wish: Wish) -> OnnxCpu:
    """Open the ONNX file that belongs to the weights; it is derived from them if need be."""
    return open_file(onnx_file(model), wish)


def open_file(path: Path, wish: Wish) -> OnnxCpu:
    """Open a file that ``export_onnx`` wrote."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = wish.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Films differ in shape: a memory pattern per shape would grow with the archive.
    options.enable_mem_pattern = False
    try:
        session = onnxruntime.InferenceSession(
            path.read_bytes(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # its errors have no other base in common
        raise ModelError(
            f"{path}: ONNX Runtime {onnxruntime.__version__} cannot open it: {error}"
        ) from error
    return OnnxCpu(session)
