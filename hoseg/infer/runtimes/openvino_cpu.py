"""OpenVINO on the CPU. The precision is always stated: left alone it picks bfloat16 silently."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoseg.infer.derived import onnx_file
from hoseg.infer.options import RuntimeOptions
from hoseg.segment.weights import Model

_HINTS = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}

_MOVES = frozenset({"Convert", "Unsqueeze", "Squeeze", "Reshape", "Transpose", "SpaceToDepth"})
"""Operations that move pixels about without changing them (Convert: of float32 to itself)."""

_UPPER_HALF = np.uint32(0xFFFF0000)  # of a float32: a bfloat16


class OpenVinoCpu:
    """A compiled model and its idle requests, each with buffers of its own.

    Requests outlive the threads that call: making one takes as long as half a film.
    """

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled
        self._in_parts = len(compiled.inputs) == 2
        self._idle: list[Any] = []

    def __call__(self, pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Map (h, w) pixels to (C, h, w) probabilities x 255."""
        try:
            request = self._idle.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        batch = np.ascontiguousarray(pixels)[None, None]
        inputs = dict(enumerate(parts_of(batch) if self._in_parts else (batch,)))
        found = request.infer(inputs, share_inputs=True, share_outputs=True)[0]
        answer = np.array(found[0], np.uint8)  # a copy: the request reuses its output
        self._idle.append(request)
        return answer


def open_network(model: Model, options: RuntimeOptions) -> OpenVinoCpu:
    """Compile the ONNX file that belongs to the weights."""
    return open_file(onnx_file(model), options)


def open_file(path: Path, options: RuntimeOptions) -> OpenVinoCpu:
    """Compile an ONNX file or an OpenVINO one (.xml).

    Without ENABLE_CPU_PINNING=False two processes on one machine share cores and each slows the
    other by half.
    """
    core: Any = import_module("openvino").Core()
    config = {
        "INFERENCE_PRECISION_HINT": _HINTS[options.precision],
        "INFERENCE_NUM_THREADS": options.threads * options.films,
        "NUM_STREAMS": options.films,  # with one, films of several threads wait for each other
        "ENABLE_CPU_PINNING": False,
        "PERFORMANCE_HINT": "LATENCY",
    }
    model = core.read_model(path)
    model.reshape([1, 1, -1, -1])  # a film at a time: what is known beforehand can be fused
    if options.precision == "bfloat16":
        model = _take_parts(model)
    return OpenVinoCpu(core.compile_model(model, "CPU", config))


def parts_of(pixels: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Split pixels into a bfloat16 number each and what is left, which sum to them exactly."""
    coarse = (pixels.view(np.uint32) & _UPPER_HALF).view(np.float32)
    return coarse, pixels - coarse


def _take_parts(model: Any) -> Any:
    """Let the first convolution add up two inputs, the parts of the pixels.

    OpenVINO rounds the pixels to bfloat16 before the first convolution, whatever it is told of
    single layers, and on films rich in contrast that alone changes more pixels of the masks than
    all other rounding together. Convolved with the same kernel, the two parts give what the
    unrounded pixels would. A network that does not begin with a convolution is left as it is.
    """
    convolution = _first_convolution(model)
    if convolution is None:
        return model
    ops = import_module("openvino").opset13
    twin = model.clone()
    pixels = ops.concat(
        [convolution.input_value(0), _first_convolution(twin).input_value(0)], axis=1
    )
    kernel = ops.concat([convolution.input_value(1)] * 2, axis=1)
    both = ops.convolution(
        pixels,
        kernel,
        convolution.get_strides(),
        convolution.get_pads_begin(),
        convolution.get_pads_end(),
        convolution.get_dilations(),
        convolution.get_auto_pad(),
    )
    convolution.output(0).replace(both.output(0))
    inputs = [*model.get_parameters(), *twin.get_parameters()]
    return import_module("openvino").Model(model.get_results(), inputs)


def _first_convolution(model: Any) -> Any:
    """Convolution that alone takes the input, moved about at most; None if there is none."""
    parameters = model.get_parameters()
    node = parameters[0] if len(parameters) == 1 else None
    while node is not None:
        users = list(node.output(0).get_target_inputs())
        node = users[0].get_node() if len(users) == 1 and users[0].get_index() == 0 else None
        if node is None or node.get_type_name() not in _MOVES:
            break
    return node if node is not None and node.get_type_name() == "Convolution" else None
