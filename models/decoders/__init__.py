"""From a model's outputs to boxes: one file for each form that detectors end in; the card selects it."""

from typing import assert_never

import numpy as np
import numpy.typing as npt

from models.card import Faces, NanoDet, OutputSpec, SsdAnchors, SsdPostprocess, Yolo
from models.decoders.faces import FacesDecoder
from models.decoders.found import Decoder, Found
from models.decoders.nanodet import NanoDetDecoder
from models.decoders.ssd_anchors import SsdAnchorsDecoder
from models.decoders.ssd_postprocess import SsdPostprocessDecoder
from models.decoders.yolo import YoloDecoder

__all__ = ["Decoder", "Found", "decoder_of"]


def decoder_of(spec: OutputSpec, height: int, width: int, classes: npt.NDArray[np.int_]) -> Decoder:
    """For an input of `height` x `width`; `classes` are those that are wanted."""
    match spec:
        case NanoDet():
            return NanoDetDecoder(spec, height, width, classes)
        case SsdAnchors():
            return SsdAnchorsDecoder(spec, height, width, classes)
        case SsdPostprocess():
            return SsdPostprocessDecoder(spec, height, width, classes)
        case Yolo():
            return YoloDecoder(spec, height, width, classes)
        case Faces():
            return FacesDecoder(spec, height, width)
        case _:
            assert_never(spec)
