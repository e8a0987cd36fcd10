"""The same network with fewer multiplications: its 3x3 convolutions by Winograd's F(4, 3) along each row.

Four neighbours of a row share the six columns they are made from. The columns are combined first, each combination goes
through a convolution of its own that is one column wide, and sums and differences of these six parts are the four
results: 18 multiplications instead of 36. F(2, 3) makes two of four parts, with 12 instead of 18. (S. Winograd,
Arithmetic Complexity of Computations, 1980; A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks,
2016, whose matrices these are.)

The runtime does not do so itself, so the operations are exchanged in the file's graph before it is loaded.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.graph import Graph, NotAGraph, Tensor


@dataclass(frozen=True, slots=True)
class _Form:
    """So many results at a time, of two columns more; `_results` makes them of the parts."""

    results: int
    columns: npt.NDArray[np.float32]
    """For each part, how the columns of the input are combined."""
    weights: npt.NDArray[np.float32]
    """And how the three columns of weights are."""


_FOUR: Final = _Form(
    4,
    np.array(
        [
            [4, 0, -5, 0, 1, 0],
            [0, -4, -4, 1, 1, 0],
            [0, 4, -4, -1, 1, 0],
            [0, -2, -1, 2, 1, 0],
            [0, 2, -1, -2, 1, 0],
            [0, 4, 0, -5, 0, 1],
        ],
        np.float32,
    ),
    np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]], np.float32) / 24,
)
_TWO: Final = _Form(
    2,
    np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]], np.float32),
    np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]], np.float32) / 2,
)
_FEW_COLUMNS: Final = 16
"""Of a map that takes _TWO: there the weights are most of the memory, and grow by a third instead of doubling."""
_BIASED: Final = 1
"""The part that is in each of the results once, and so may bring the bias."""
_LEAST_CHANNELS: Final = 16.0
"""Half the harmonic mean of channels in and out: the combining costs by their sum, and saves by their product."""
_WITH_BIAS: Final = 3
"""Inputs of a convolution."""
_EDGE: Final = [[0, 0], [1, 1], [1, 1], [0, 0]]


@dataclass(frozen=True, slots=True)
class _Convolution:
    """3x3, a step of one, zeros around it; of (1, rows, columns, ...) both ways."""

    source: Tensor
    weights: Tensor
    bias: Tensor
    result: Tensor
    rows: int
    columns: int


def fewer_multiplications(model: bytes, size: int, height: int, width: int) -> bytes:
    """A model whose file is for a square of `size` and whose input will be `height` x `width`.

    Its results differ by what a second rounding of the weights to float16 makes, a ten-thousandth of a score. A model
    without such convolutions, one whose file does not say the size of its maps, and one that cannot be read here come
    back as they are.
    """
    try:
        graph = Graph(model)
    except NotAGraph:
        return model
    if [graph.shape(each) for each in graph.inputs] != [(1, size, size, 3)]:
        return model
    stored, graph.operations = graph.operations, []
    found = False
    for operation in stored:
        convolution = _convolution(graph, operation)
        # Where the cells of a map do not divide the square evenly, its stride is not known.
        if convolution is None or size % convolution.rows or size % convolution.columns:
            graph.operations.append(operation)
        else:
            tall, wide = size // convolution.rows, size // convolution.columns
            _exchange(graph, replace(convolution, rows=-(-height // tall), columns=-(-width // wide)))
            found = True
    return graph.packed() if found else model


def _convolution(graph: Graph, operation: Any) -> _Convolution | None:
    """What the operation is, if it is such a convolution and exchanging it pays; its maps are those of the file."""
    if not graph.is_a(operation, "CONV_2D") or len(operation.inputs) != _WITH_BIAS:
        return None
    source, weights, bias = map(int, operation.inputs)
    outputs, tall, wide, inputs = graph.shape(weights)
    options = operation.builtinOptions
    forms = (tall, wide, options.strideH, options.strideW, options.dilationHFactor, options.dilationWFactor)
    if forms != (3, 3, 1, 1, 1, 1) or options.fusedActivationFunction or graph.values(weights) is None:
        return None
    if inputs * outputs < _LEAST_CHANNELS * (inputs + outputs):
        return None
    if options.padding != graph.schema.Padding.SAME:
        pad = graph.maker(source)
        edge = graph.values(int(pad.inputs[1])) if pad is not None and graph.is_a(pad, "PAD") else None
        if pad is None or edge is None or edge.tolist() != _EDGE:
            return None
        source = int(pad.inputs[0])
    result = int(operation.outputs[0])
    _, rows, columns, _ = graph.shape(result)
    return _Convolution(source, weights, bias, result, rows, columns)


def _exchange(graph: Graph, found: _Convolution) -> None:
    """Append what has the same result."""
    form = _TWO if found.columns < _FEW_COLUMNS else _FOUR
    weights = np.asarray(graph.values(found.weights), np.float32)
    outputs, _, _, inputs = weights.shape
    tiles = -(-found.columns // form.results)
    edge = np.array(_EDGE, np.int32)
    edge[2, 1] += tiles * form.results - found.columns
    wide = (1, found.rows + 2, tiles * form.results + 2, inputs)
    padded = graph.add("PAD", [found.source, graph.constant(edge)], wide)
    unbiased_in, unbiased_out = (graph.constant(np.zeros(channels, np.float32)) for channels in (inputs, outputs))
    steps = {"padding": graph.schema.Padding.VALID, "strideH": 1}
    parts = []
    for place, (columns, narrowing) in enumerate(zip(form.columns, form.weights, strict=True)):
        combining = graph.constant(np.repeat(columns[np.newaxis, np.newaxis, :, np.newaxis], inputs, axis=3))
        shape = (1, found.rows + 2, tiles, inputs)
        given = [padded, combining, unbiased_in]
        combined = graph.add("DEPTHWISE_CONV_2D", given, shape, strideW=form.results, depthMultiplier=1, **steps)
        narrow = np.einsum("x,oyxi->oyi", narrowing, weights)[:, :, np.newaxis]
        half = graph.constant(narrow.astype(np.float16))  # as the file has them: in float32 they took twice the memory
        bias = found.bias if place == _BIASED else unbiased_out
        given = [combined, graph.add("DEQUANTIZE", [half], narrow.shape), bias]
        parts.append(graph.add("CONV_2D", given, (1, found.rows, tiles, outputs), strideW=1, **steps))
    _join(graph, found, _results(graph, parts))


def _results(graph: Graph, parts: Sequence[Tensor]) -> list[Tensor]:
    """Of the parts of _FOUR: a + b + c + d + e, b - c + 2 (d - e), b + c + 4 (d + e), b - c + 8 (d - e) + f.
    Of those of _TWO: a + b + c, b - c - d.
    """
    shape = graph.shape(parts[0])

    def plus(one: Tensor, other: Tensor) -> Tensor:
        return graph.add("ADD", [one, other], shape)

    def minus(one: Tensor, other: Tensor) -> Tensor:
        return graph.add("SUB", [one, other], shape)

    def times(factor: float, one: Tensor) -> Tensor:
        return graph.add("MUL", [one, graph.constant(np.array(factor, np.float32))], shape)

    a, b, c, d, *more = parts
    ones, odd_ones = plus(b, c), minus(b, c)
    if not more:
        return [plus(a, ones), minus(odd_ones, d)]
    e, f = more
    twos, odd_twos = plus(d, e), times(2, minus(d, e))
    last = plus(odd_ones, plus(times(4, odd_twos), f))
    return [plus(a, plus(ones, twos)), plus(odd_ones, odd_twos), plus(ones, times(4, twos)), last]


def _join(graph: Graph, found: _Convolution, results: Sequence[Tensor]) -> None:
    """The results of each tile, side by side, in the row they belong to; what is beyond its end is cut off."""
    _, rows, tiles, channels = graph.shape(results[0])
    joined = graph.add("CONCATENATION", results, (1, rows, tiles, len(results) * channels), axis=3)
    columns = tiles * len(results)
    whole = columns == found.columns
    row = np.array((1, rows, columns, channels), np.int32)
    into = found.result if whole else None
    joined = graph.add("RESHAPE", [joined, graph.constant(row)], row.tolist(), into, newShape=row)
    if not whole:
        kept = (1, rows, found.columns, channels)
        begin, end, step = (graph.constant(np.array(each, np.int32)) for each in ([0] * 4, kept, [1] * 4))
        graph.add("STRIDED_SLICE", [joined, begin, end, step], kept, found.result)
