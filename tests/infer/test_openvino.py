from __future__ import annotations

import numpy as np
import pytest

openvino = pytest.importorskip("openvino")

from hoseg.infer.derived import onnx_file  # noqa: E402
from hoseg.infer.options import RuntimeOptions  # noqa: E402
from hoseg.infer.runtimes import openvino_cpu  # noqa: E402

from .samples import make_film  # noqa: E402


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return make_film((96, 128)).pixels


def run(model, *inputs: np.ndarray) -> np.ndarray:
    """Answers of an OpenVINO graph in float32."""
    config = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(model, "CPU", config)
    return compiled(dict(enumerate(inputs)))[0].copy()


def test_parts_are_a_bfloat16_number_and_the_rest(pixels):
    coarse, rest = openvino_cpu.parts_of(pixels)
    np.testing.assert_array_equal(coarse + rest, pixels)
    assert not (coarse.view(np.uint32) & 0xFFFF).any()
    assert np.abs(rest).max() <= np.abs(pixels).max() * 2**-7


def test_a_graph_that_takes_parts_gives_what_the_graph_gave(model, pixels):
    batch = pixels[None, None]
    graph = openvino.Core().read_model(onnx_file(model))
    before = run(graph, batch)
    graph = openvino_cpu._take_parts(graph)
    assert len(graph.inputs) == 2
    coarse, rest = openvino_cpu.parts_of(batch)
    after = run(graph, coarse, rest)
    assert np.abs(after.astype(int) - before).max() <= 1
    rough = run(graph, coarse, np.zeros_like(rest))
    assert (rough != before).mean() > 3 * (after != before).mean()


def test_only_bfloat16_takes_parts(model):
    path = onnx_file(model)
    for precision, inputs in (("float32", 1), ("bfloat16", 2)):
        network = openvino_cpu.open_file(path, RuntimeOptions("cpu", precision, 1))
        assert len(network._compiled.inputs) == inputs


def test_films_side_by_side_have_a_stream_each(model):
    network = openvino_cpu.open_file(onnx_file(model), RuntimeOptions("cpu", "float32", 1, films=2))
    assert network._compiled.get_property("NUM_STREAMS") == 2
    assert network._compiled.get_property("INFERENCE_NUM_THREADS") == 2


@pytest.mark.parametrize("first", ["relu", "two users"])
def test_a_graph_that_changes_its_input_first_is_left_alone(first):
    ops = openvino.opset13
    start = ops.parameter([1, 1, -1, -1], np.float32)
    kernel = ops.constant(np.ones((1, 1, 3, 3), np.float32))
    inner = ops.relu(start) if first == "relu" else start
    found = ops.convolution(inner, kernel, [1, 1], [1, 1], [1, 1], [1, 1])
    if first == "two users":
        found = ops.add(found, start)
    graph = openvino.Model([found], [start])
    assert openvino_cpu._take_parts(graph) is graph
    assert len(graph.inputs) == 1
