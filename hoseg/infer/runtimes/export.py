"""A model's network as an ONNX graph, for ONNX Runtime and OpenVINO."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from pathlib import Path

from hoseg.errors import DeviceError
from hoseg.segment.weights import Model

OPSET = 17
"""Read by ONNX Runtime 1.21, the first to unfold bytes, OpenVINO 2023.0 and everything newer."""


def export_onnx(model: Model, path: Path) -> None:
    """Write the deployed network: ``pixels`` (n, 1, h, w) float32 in, uint8 probabilities out.

    Raises DeviceError when torch or onnx is not installed.
    """
    missing = [name for name in ("torch", "onnx") if find_spec(name) is None]
    if missing:
        raise DeviceError(
            f"{model.path}: has no model.onnx and one cannot be made without "
            f"{' and '.join(missing)}; install hoseg[export]"
        )
    import torch

    from hoseg.infer.runtimes.deploy import deploy

    side = 4 * model.card.pad_multiple
    shape = {0: "n", 2: "h", 3: "w"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            deploy(model),
            (torch.zeros(1, 1, side, side),),
            str(path),
            input_names=["pixels"],
            output_names=["probabilities"],
            dynamic_axes={"pixels": shape, "probabilities": shape},
            opset_version=OPSET,
            dynamo=False,  # needs no onnxscript, and keeps heights and widths free
        )
