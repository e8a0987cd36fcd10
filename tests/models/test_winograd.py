"""The changed network against the one in the file, in both runtimes."""

from collections.abc import Callable

import numpy as np
import pytest

from models import runtime
from models.card import load, read_model
from models.graph import Graph
from models.runtime import Network, cut_to
from models.winograd import fewer_multiplications
from tests.conftest import need

SIZE, STRIDES = 416, (8, 16, 32)


def multiplications(model: bytes) -> int:
    graph = Graph(model)
    total = 0
    for operation in graph.operations:
        if graph.is_a(operation, "CONV_2D") or graph.is_a(operation, "DEPTHWISE_CONV_2D"):
            _, rows, columns, channels = graph.shape(int(operation.outputs[0]))
            _, tall, wide, inputs = graph.shape(int(operation.inputs[1]))
            total += rows * columns * channels * tall * wide * (inputs if graph.is_a(operation, "CONV_2D") else 1)
    return total


@pytest.mark.parametrize("name", ["litert", "tflite-runtime"])
@pytest.mark.parametrize(("height", "width"), [(240, 320), (192, 416), (416, 304)])
def test_the_results_are_those_of_the_file(name: str, height: int, width: int) -> None:
    need(name in runtime.installed(), name)
    model = cut_to(read_model(load("nanodet-416-fp16")), SIZE, STRIDES, height, width)
    changed = fewer_multiplications(model, SIZE, height, width)
    assert changed != model
    picture = np.random.default_rng(4).normal(0, 1, (1, height, width, 3)).astype(np.float32)
    as_filed, now = (
        Network(content, height=height, width=width, runtime=name, threads=1).run(picture)
        for content in (model, changed)
    )
    for scores, other in zip(as_filed[:3], now[:3], strict=True):
        np.testing.assert_allclose(other, scores, atol=1e-3)
    for distances, other in zip(as_filed[3:], now[3:], strict=True):
        np.testing.assert_allclose(other, distances, atol=2e-2)


def alike_in_weights(graph: Graph) -> list[int]:
    """The first two convolutions that are exchanged and whose weights have one shape: their places."""
    seen: dict[tuple[int, ...], int] = {}
    for place, operation in enumerate(graph.operations):
        shape = graph.shape(int(operation.inputs[1])) if graph.is_a(operation, "CONV_2D") else ()
        if shape[1:3] == (3, 3) and operation.builtinOptions.strideH == 1:
            if shape in seen:
                return [seen[shape], place]
            seen[shape] = place
    raise AssertionError("there are none")


def with_shared_weights(graph: Graph) -> None:
    """What two convolutions share is stored once, and one of them stays as it is."""
    one, other = (graph.operations[place] for place in alike_in_weights(graph))
    tensors = graph.tree.subgraphs[0].tensors
    stored = [tensors[int(maker.inputs[0])] for maker in map(graph.maker, (one.inputs[1], other.inputs[1])) if maker]
    stored[1].buffer = stored[0].buffer
    other.builtinOptions.fusedActivationFunction = graph.schema.ActivationFunctionType.RELU


def with_float32_weights(graph: Graph) -> None:
    for place in alike_in_weights(graph):
        operation = graph.operations[place]
        source, stored, bias = operation.inputs
        weights = graph.values(int(stored))
        assert weights is not None
        operation.inputs = np.array([source, graph.constant(weights.astype(np.float32)), bias], np.int32)


@pytest.mark.parametrize("change", [with_shared_weights, with_float32_weights])
@pytest.mark.parametrize("name", ["litert", "tflite-runtime"])
def test_other_files_of_its_kind_have_their_results_too(change: Callable[[Graph], None], name: str) -> None:
    need(name in runtime.installed(), name)
    height, width = 240, 320
    graph = Graph(cut_to(read_model(load("nanodet-416-fp16")), SIZE, STRIDES, height, width))
    change(graph)
    model = graph.packed()
    changed = fewer_multiplications(model, SIZE, height, width)
    assert multiplications(changed) < 0.75 * multiplications(model)
    picture = np.random.default_rng(4).normal(0, 1, (1, height, width, 3)).astype(np.float32)
    as_filed, now = (
        Network(content, height=height, width=width, runtime=name, threads=1).run(picture)
        for content in (model, changed)
    )
    for values, other in zip(as_filed, now, strict=True):
        np.testing.assert_allclose(other, values, atol=2e-2)


def test_three_tenths_of_the_multiplications_are_saved() -> None:
    model = read_model(load("nanodet-416-fp16"))
    assert multiplications(fewer_multiplications(model, SIZE, SIZE, SIZE)) < 0.7 * multiplications(model)


def test_what_has_no_such_convolutions_and_what_is_no_model_stay_as_they_are() -> None:
    quantised = read_model(load("nanodet-416-int8"))
    astray = quantised[:64] + b"\xff" * 4 + quantised[68:]  # an offset that leads out of the file
    for content in (quantised, quantised[:5000], astray, b"no model", b""):
        assert fewer_multiplications(content, SIZE, SIZE, SIZE) == content


def test_a_file_that_does_not_say_the_size_of_its_maps_stays_as_it_is() -> None:
    model = read_model(load("nanodet-416-fp16"))
    of_320 = cut_to(model, SIZE, STRIDES, 320, 320)
    assert fewer_multiplications(of_320, 320, 320, 320) == of_320


def test_a_convolution_without_bias_is_left_for_the_runtime_to_judge() -> None:
    graph = Graph(read_model(load("nanodet-416-fp16")))
    for place in alike_in_weights(graph):
        graph.operations[place].inputs = graph.operations[place].inputs[:2]
    changed = Graph(fewer_multiplications(graph.packed(), SIZE, SIZE, SIZE))
    assert [len(each.inputs) for each in changed.operations if changed.is_a(each, "CONV_2D")].count(2) == 2
