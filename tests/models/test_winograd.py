"""The changed network against the one in the file, in both runtimes."""

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


def test_three_tenths_of_the_multiplications_are_saved() -> None:
    model = read_model(load("nanodet-416-fp16"))
    assert multiplications(fewer_multiplications(model, SIZE, SIZE, SIZE)) < 0.7 * multiplications(model)


def test_what_has_no_such_convolutions_and_what_is_no_model_stay_as_they_are() -> None:
    quantised = read_model(load("nanodet-416-int8"))
    for content in (quantised, quantised[:5000], b"no model", b""):
        assert fewer_multiplications(content, SIZE, SIZE, SIZE) == content
