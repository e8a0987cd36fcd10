"""A TFLite file as a tree whose operations can be exchanged; the schema comes with LiteRT."""

import struct
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Tensor = int
"""Its place in the list of tensors."""

MARK: Final = b"TFL3"
"""At byte 4 of every TFLite file, and what a new one is given."""
_BUILDER_BYTES = 1 << 20
_DAMAGED = (struct.error, TypeError, ValueError, IndexError, AttributeError)
"""What LiteRT's schema raises where an offset in the file leads astray."""


class NotAGraph(ValueError):
    """The bytes are no TFLite file of one graph, or LiteRT's schema is not there to read them by."""


class Graph:
    """The graph of a model that has only one. Raises: NotAGraph.

    What an operation puts out has the shape it is given here; the runtime computes its own from the input's.
    """

    def __init__(self, model: bytes) -> None:
        try:
            from ai_edge_litert import schema_py_generated as schema
        except ImportError as err:
            raise NotAGraph(str(err)) from err
        if model[4:8] != MARK:
            raise NotAGraph("no TFLite file")
        try:
            self.tree: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
            (self._graph,) = self.tree.subgraphs
            self.operations: list[Any] = list(self._graph.operators)
            self._makers = {int(tensor): each for each in self.operations for tensor in each.outputs}
        except _DAMAGED as err:
            raise NotAGraph(str(err)) from err
        self.schema: Any = schema
        self._codes = {_code(each): place for place, each in enumerate(self.tree.operatorCodes)}
        self._numbers: dict[np.dtype[Any], int] = {
            np.dtype(np.float32): schema.TensorType.FLOAT32,
            np.dtype(np.float16): schema.TensorType.FLOAT16,
            np.dtype(np.int32): schema.TensorType.INT32,
        }

    @property
    def inputs(self) -> list[Tensor]:
        return [int(tensor) for tensor in self._graph.inputs]

    def is_a(self, operation: Any, name: str) -> bool:
        """`name` is one of the schema's BuiltinOperator."""
        number = _code(self.tree.operatorCodes[operation.opcodeIndex])
        return bool(number == getattr(self.schema.BuiltinOperator, name))

    def maker(self, tensor: Tensor) -> Any | None:
        """The operation that puts it out; None for an input or a constant."""
        return self._makers.get(int(tensor))

    def shape(self, tensor: Tensor) -> tuple[int, ...]:
        return tuple(int(side) for side in self._graph.tensors[tensor].shape)

    def values(self, tensor: Tensor) -> npt.NDArray[Any] | None:
        """Of a constant, or of float16 constants that a DEQUANTIZE makes float32; None for anything else."""
        maker = self.maker(tensor)
        if maker is not None:
            return self.values(int(maker.inputs[0])) if self.is_a(maker, "DEQUANTIZE") else None
        stored = self._graph.tensors[tensor]
        data = self.tree.buffers[stored.buffer].data
        for dtype, number in self._numbers.items():
            if number == stored.type and data is not None:
                return np.frombuffer(np.asarray(data, np.uint8).tobytes(), dtype).reshape(self.shape(tensor))
        return None

    def constant(self, values: npt.NDArray[Any]) -> Tensor:
        buffer = self.schema.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        self.tree.buffers.append(buffer)
        return self._tensor(values.shape, self._numbers[values.dtype], len(self.tree.buffers) - 1)

    def add(
        self, name: str, inputs: Sequence[Tensor], shape: Sequence[int], into: Tensor | None = None, **options: object
    ) -> Tensor:
        """Append an operation that puts out a new tensor of float32, or the one that another put out so far.

        Operations run in the order of `operations`.
        """
        output = self._tensor(shape, self.schema.TensorType.FLOAT32, 0) if into is None else into
        operation = self.schema.OperatorT()
        operation.opcodeIndex = self._opcode(name)
        operation.inputs, operation.outputs = np.array(inputs, np.int32), np.array([output], np.int32)
        kind = _OPTIONS.get(name)
        if kind is not None:
            operation.builtinOptionsType = getattr(self.schema.BuiltinOptions, kind)
            operation.builtinOptions = getattr(self.schema, f"{kind}T")()
            for key, value in options.items():
                setattr(operation.builtinOptions, key, value)
        self.operations.append(operation)
        return output

    def packed(self) -> bytes:
        """The file, without the operations and constants that nothing needs any more."""
        import flatbuffers

        needed = {int(tensor) for tensor in self._graph.outputs}
        kept = []
        for operation in reversed(self.operations):
            if needed.intersection(operation.outputs.tolist()):
                needed.update(operation.inputs.tolist())
                kept.append(operation)
        self._graph.operators = kept[::-1]
        # Two tensors may share what is stored once.
        stored = {int(tensor.buffer) for place, tensor in enumerate(self._graph.tensors) if place in needed}
        for tensor in self._graph.tensors:
            if tensor.buffer not in stored:
                self.tree.buffers[tensor.buffer].data = None
        builder = flatbuffers.Builder(_BUILDER_BYTES)
        builder.Finish(self.tree.Pack(builder), MARK)
        return bytes(builder.Output())

    def _tensor(self, shape: Sequence[int], number: int, buffer: int) -> Tensor:
        made = self.schema.TensorT()
        made.shape, made.type, made.buffer = np.array(shape, np.int32), number, buffer
        self._graph.tensors.append(made)
        return len(self._graph.tensors) - 1

    def _opcode(self, name: str) -> int:
        number = getattr(self.schema.BuiltinOperator, name)
        if number not in self._codes:
            made = self.schema.OperatorCodeT()
            made.builtinCode, made.deprecatedBuiltinCode, made.version = number, number, 1
            self.tree.operatorCodes.append(made)
            self._codes[number] = len(self.tree.operatorCodes) - 1
        return self._codes[number]


_OPTIONS: Final = {
    "ADD": "AddOptions",
    "CONCATENATION": "ConcatenationOptions",
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "MUL": "MulOptions",
    "PAD": "PadOptions",
    "RESHAPE": "ReshapeOptions",
    "STRIDED_SLICE": "StridedSliceOptions",
    "SUB": "SubOptions",
}
"""What the options of an operation are called in the schema; those that have none are left out."""


def _code(stored: Any) -> int:
    """Old files have the number in one field, new ones in both."""
    return max(int(stored.builtinCode), int(stored.deprecatedBuiltinCode))
