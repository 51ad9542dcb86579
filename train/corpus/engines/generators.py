"""HiFi-GAN generators out of PyTorch files, as ONNX graphs, without PyTorch.

Reads the two forms that packages carry: a TorchScript archive, and the older form of `torch.save` (one pickle after another,
then the storages). Nothing in a file is run: only what names tensors, lists and dictionaries is taken.
"""

import io
import pickle
import zipfile
from collections import OrderedDict

import numpy as np
from onnx import TensorProto, helper, numpy_helper

NAMES = {"FloatStorage": np.float32, "LongStorage": np.int64, "HalfStorage": np.float16}


class Module(dict):
    """A TorchScript module: its attributes by name."""

    def __setstate__(self, state):
        self.update(state)


class Reader(pickle.Unpickler):
    """Tensors come out as (storage's key, offset, shape)."""

    def persistent_load(self, pid):
        kind, storage, key = pid[0], pid[1], pid[2]
        if kind != "storage":
            raise pickle.UnpicklingError(f"expected a storage, found {kind!r}")
        return key, NAMES[storage]

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, *_: (storage, offset, tuple(shape))
        if module == "torch" and name in NAMES:
            return name
        if module.startswith("__torch__."):
            return Module
        raise pickle.UnpicklingError(f"expected tensors only, found {module}.{name}")


def flat(tree, prefix=""):
    """`a.b.c` names of the tensors of nested modules."""
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}.")
        elif isinstance(value, tuple) and len(value) == 3:
            yield prefix + name, value


def archive(data):
    """Tensors of a TorchScript archive."""
    with zipfile.ZipFile(io.BytesIO(data)) as z:
        root = z.namelist()[0].split("/")[0]
        tree = Reader(io.BytesIO(z.read(f"{root}/data.pkl"))).load()
        for name, ((key, kind), offset, shape) in flat(tree):
            yield name, np.frombuffer(z.read(f"{root}/data/{key}"), kind, int(np.prod(shape)), offset * kind().itemsize).reshape(shape)


def older(data):
    """Tensors of a file that `torch.save` wrote before version 1.6."""
    stream = io.BytesIO(data)
    for _ in range(3):  # magic number, version, sizes of numbers
        Reader(stream).load()
    tensors = dict(flat(Reader(stream).load()["generator"]))
    kinds = {storage[0]: storage[1] for storage, _, _ in tensors.values()}
    stored = {}
    for key in Reader(stream).load():
        count = int(np.frombuffer(stream.read(8), np.int64)[0])
        stored[key] = np.frombuffer(stream.read(count * kinds[key]().itemsize), kinds[key])
    for name, ((key, _), offset, shape) in tensors.items():
        yield name, stored[key][offset : offset + int(np.prod(shape))].reshape(shape)


def weights(data):
    """Name -> array, weight normalisation multiplied out."""
    found = dict(archive(data) if data[:2] == b"PK" else older(data))
    for name in [n for n in found if n.endswith("weight_v")]:
        v, g = found.pop(name), found.pop(name[:-1] + "g")
        found[name[:-2]] = g * v / np.sqrt((v**2).sum(axis=(1, 2), keepdims=True))
    return found


def generator(data, rates, kernels):
    """HiFi-GAN V1 (https://arxiv.org/abs/2010.05646, its `models.py`) as ONNX: `mel` [1, 80, frames] to samples."""
    w = weights(data)
    nodes, constants = [], []

    def node(op, inputs, **attributes):
        nodes.append(helper.make_node(op, inputs, [f"n{len(nodes)}"], **attributes))
        return nodes[-1].output[0]

    def constant(name, value):
        constants.append(numpy_helper.from_array(np.ascontiguousarray(value, np.float32), name))
        return name

    def convolution(op, x, name, **attributes):
        parts = [constant(f"{name}.{part}", w[f"{name}.{part}"]) for part in ("weight", "bias")]
        return node(op, [x, *parts], **attributes)

    def leaky(x, slope=0.1):
        return node("LeakyRelu", [x], alpha=slope)

    def block(x, name):
        for i, dilation in enumerate((1, 3, 5)):
            half = w[f"{name}.convs1.{i}.weight"].shape[2] // 2
            y = convolution("Conv", leaky(x), f"{name}.convs1.{i}", dilations=[dilation], pads=[half * dilation] * 2)
            x = node("Add", [convolution("Conv", leaky(y), f"{name}.convs2.{i}", pads=[half] * 2), x])
        return x

    third = constant("third", 1 / 3)
    x = convolution("Conv", "mel", "conv_pre", pads=[3, 3])
    for i, (rate, kernel) in enumerate(zip(rates, kernels)):
        before = (kernel - rate) // 2
        x = convolution("ConvTranspose", leaky(x), f"ups.{i}", strides=[rate], pads=[before, kernel - rate - before])
        x = node("Mul", [node("Sum", [block(x, f"resblocks.{3 * i + j}") for j in range(3)]), third])
    x = node("Tanh", [convolution("Conv", leaky(x, 0.01), "conv_post", pads=[3, 3])])
    graph = helper.make_graph(
        nodes,
        "generator",
        [helper.make_tensor_value_info("mel", TensorProto.FLOAT, [1, 80, "frames"])],
        [helper.make_tensor_value_info(x, TensorProto.FLOAT, None)],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8).SerializeToString()
