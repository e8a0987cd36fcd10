"""The float32 TFLite file to full int8 (weights, activations, input and output).

    python quantize.py FLOAT32.tflite OUT.tflite PICTURES_FOLDER

Activation ranges come from the first 60 pictures (*.jpg, sorted by name) of the folder, so the result depends on them;
the file we ship was made with the first 60 of COCO128, which we may not pass on.
Runs in an environment of its own (requirements-quantize.txt); `build.sh` does all of it.
"""

import hashlib
import sys
from pathlib import Path

import cv2
import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_quantizer import quantizer, recipe

MEAN = np.array([103.53, 116.28, 123.675], np.float32)
SCALE = np.array([57.375, 57.12, 58.395], np.float32)
SIZE = 416
PICTURES = 60
SIGNATURE = "serving_default"


def main() -> None:
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    source, out, folder = map(Path, sys.argv[1:])
    pictures = sorted(folder.glob("*.jpg"))[:PICTURES]
    if len(pictures) < PICTURES:
        raise SystemExit(f"{folder} has {len(pictures)} pictures (*.jpg), {PICTURES} are needed")
    work = quantizer.Quantizer(with_signature(source.read_bytes()))
    work.load_quantization_recipe(recipe.static_wi8_ai8())
    ranges = work.calibrate({SIGNATURE: [{"in0": read(picture)} for picture in pictures]}, num_threads=1)
    model = bytes(work.quantize(ranges).quantized_model)
    out.write_bytes(model)
    print(f"{hashlib.sha256(model).hexdigest()}  {out}")


def read(picture: Path) -> np.ndarray:
    """(1, SIZE, SIZE, 3) float32 BGR, normalised."""
    return (((cv2.resize(cv2.imread(str(picture)), (SIZE, SIZE)) - MEAN) / SCALE).astype(np.float32))[None]


def with_signature(model: bytes) -> bytes:
    """The quantizer works on signatures; the converter's v1 path writes none."""
    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    graph = tree.subgraphs[0]
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = SIGNATURE, 0
    signature.inputs = [tensor(f"in{i}", t) for i, t in enumerate(graph.inputs)]
    signature.outputs = [tensor(f"out{i}", t) for i, t in enumerate(graph.outputs)]
    tree.signatureDefs = [signature]
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(tree.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def tensor(name: str, index: int) -> schema.TensorMapT:
    made = schema.TensorMapT()
    made.name, made.tensorIndex = name, int(index)
    return made


if __name__ == "__main__":
    main()
