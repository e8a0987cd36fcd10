"""The only import site for TFLite interpreters: LiteRT (`ai-edge-litert`) and its predecessor `tflite-runtime`.

An interpreter belongs to the thread that runs it: `run` releases the GIL, and nothing else may touch the interpreter
meanwhile.
"""

import importlib
import struct
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from drivers.base import ConfigError

_MODULES = {"litert": "ai_edge_litert.interpreter", "tflite-runtime": "tflite_runtime.interpreter"}
_PACKAGES = {"litert": "ai-edge-litert", "tflite-runtime": "tflite-runtime==2.14.0"}


class Network:
    """One model in one interpreter, its input resized to `height` x `width` where the file has another.

    `runtime` is the name of the one in use. Inputs are quantised by `quantise`; outputs come back as float32 in the
    order of the file. Raises: ConfigError when the file is no model for pictures of that size.
    """

    def __init__(self, model: bytes, *, height: int, width: int, runtime: str, threads: int) -> None:
        self.runtime, module = _choose(runtime)
        # The runtime does not copy what it is given: it lives as long as the interpreter.
        self._model = model
        wanted = (1, height, width, 3)
        try:
            interpreter: Any = module.Interpreter(model_content=self._model, num_threads=threads)
            given = interpreter.get_input_details()[0]
            if tuple(given["shape"].tolist()) != wanted:
                interpreter.resize_tensor_input(given["index"], wanted)
            interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as err:
            last = (str(err).strip().splitlines() or ["no reason given"])[-1]
            hint = "see that input.size of the card is the model's own, and that the file is a TFLite model"
            what = f"{self.runtime} cannot run the model with an input of {wanted}"
            raise ConfigError(f"{what}: {last}", hint=hint) from err
        self._interpreter = interpreter
        given = interpreter.get_input_details()[0]
        self._input: int = given["index"]
        self._dtype = np.dtype(given["dtype"])
        self._input_scale, self._input_zero = given["quantization"]
        self._outputs = [(o["index"], *o["quantization"]) for o in interpreter.get_output_details()]

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        return [tuple(output["shape"].tolist()) for output in self._interpreter.get_output_details()]

    def quantise(self, values: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
        """Real values as the input tensor holds them: float32, or int8 or uint8 of a quantised model."""
        if not self._input_scale:
            return values
        limits = np.iinfo(self._dtype)
        steps = np.round(values / self._input_scale + self._input_zero)
        return np.asarray(np.clip(steps, limits.min, limits.max), self._dtype)

    def run(self, tensor: npt.NDArray[Any]) -> list[npt.NDArray[np.float32]]:
        """`tensor` is (1, height, width, 3) of the dtype `quantise` gives."""
        self._interpreter.set_tensor(self._input, tensor)
        self._interpreter.invoke()
        return [self._output(*output) for output in self._outputs]

    def _output(self, index: int, scale: float, zero: int) -> npt.NDArray[np.float32]:
        values = self._interpreter.get_tensor(index)
        if not scale:
            return np.asarray(values, np.float32)
        return np.asarray((values.astype(np.float32) - zero) * scale, np.float32)


def installed() -> list[str]:
    """The runtimes that can be imported here, the preferred one first."""
    return [name for name in _MODULES if _load(name) is not None]


def cut_to(model: bytes, size: int, strides: Sequence[int], height: int, width: int) -> bytes:
    """The model for another input than its square of `size`.

    Rewrites the constants that name the size of a feature map: RESIZE_BILINEAR takes its target from them. Each is a
    flatbuffer vector of two int32 (length 8, rows, columns) and stands once in the file. A map that is cut off at the
    edge has a cell more, as the padded convolutions before it give.
    """
    if (height, width) == (size, size):
        return model
    cut = bytearray(model)
    for stride in strides:
        old = struct.pack("<iii", 8, -(-size // stride), -(-size // stride))
        if model.count(old) != 1:
            raise ConfigError(
                f"the model has {model.count(old)} feature maps of stride {stride}, not one",
                hint="the file does not fit its card: rebuild both",
            )
        place = model.index(old)  # of the file as it was: cut to half, one map has the size of the next
        cut[place : place + len(old)] = struct.pack("<iii", 8, -(-height // stride), -(-width // stride))
    return bytes(cut)


def _choose(wanted: str) -> tuple[str, ModuleType]:
    if wanted not in ("auto", *_MODULES):
        raise ConfigError(
            f"there is no runtime {wanted}", hint=f"set vision.runtime to one of: auto, {', '.join(_MODULES)}"
        )
    for name in _MODULES if wanted == "auto" else (wanted,):
        module = _load(name)
        if module is not None:
            return name, module
    if wanted == "auto":
        raise ConfigError("no TFLite runtime is installed", hint=f"run: python -m pip install {_PACKAGES['litert']}")
    raise ConfigError(
        f"the runtime {wanted} is asked for and not installed",
        hint=f'run: python -m pip install "{_PACKAGES[wanted]}", or set vision.runtime = "auto"',
    )


def _load(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(_MODULES[name])
    except ImportError:
        return None
