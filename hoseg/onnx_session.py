"""ONNX Runtime on the CPU, for every network that runs there."""

from __future__ import annotations

import onnxruntime

from hoseg.errors import ModelError


def open_session(onnx: bytes, where: str, threads: int = 1) -> onnxruntime.InferenceSession:
    """Make a network ready; ``run`` of the session may be called from several threads.

    onnx: contents of the file
    where: the file, for messages
    threads: inside one run; 0 = as many as there are cores

    Raises ModelError when ONNX Runtime cannot open it.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Films differ in shape: a memory pattern per shape would grow with the archive.
    options.enable_mem_pattern = False
    try:
        return onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no other base in common
        raise ModelError(
            f"{where}: ONNX Runtime {onnxruntime.__version__} cannot open it: {error}"
        ) from error
