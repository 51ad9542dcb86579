"""GAN vocoders' generators out of PyTorch files, as ONNX graphs, without PyTorch.

Reads the forms that packages carry: a TorchScript archive, a whole module in `torch.save`'s archive, and the older form of
`torch.save` (one pickle after another, then the storages). Nothing in a file is run: only what names tensors, lists and
dictionaries is taken.
"""

import io
import pickle
import zipfile
from collections import OrderedDict

import numpy as np
from onnx import TensorProto, helper, numpy_helper


class Module(dict):
    """A module: its attributes by name."""

    def __init__(self, *_):
        super().__init__()

    def __setstate__(self, state):
        self.update(state)


class Reader(pickle.Unpickler):
    """Tensors, all of 32-bit floats, come out as (storage's key, offset, shape)."""

    def persistent_load(self, pid):
        kind, _, key = pid[:3]
        if kind != "storage":
            raise pickle.UnpicklingError(f"expected a storage, found {kind!r}")
        return key

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, *_: (storage, offset, tuple(shape))
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return lambda tensor, *_: tensor
        if (module, name) == ("torch", "FloatStorage"):
            return name
        if module.startswith(("__torch__.", "torch.nn.", "melgan.")) or (module, name) == ("__builtin__", "set"):
            return Module
        raise pickle.UnpicklingError(f"expected tensors only, found {module}.{name}")


def flat(tree, prefix=""):
    """`a.b.c` names of the tensors of nested modules."""
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from flat(value, prefix if name in ("_modules", "_parameters") else f"{prefix}{name}.")
        elif isinstance(value, tuple) and len(value) == 3:
            yield prefix + name, value


def taken(storage, tensor):
    """A tensor out of its storage's bytes."""
    _, offset, shape = tensor
    return np.frombuffer(storage, np.float32)[offset : offset + int(np.prod(shape))].reshape(shape)


def archive(data):
    """Tensors of a TorchScript archive, or of a module in an archive of `torch.save`."""
    with zipfile.ZipFile(io.BytesIO(data)) as z:
        root = z.namelist()[0].split("/")[0]
        tree = Reader(io.BytesIO(z.read(f"{root}/data.pkl"))).load()
        for name, tensor in flat(tree):
            yield name, taken(z.read(f"{root}/data/{tensor[0]}"), tensor)


def older(data):
    """Tensors of a file that `torch.save` wrote before version 1.6."""
    stream = io.BytesIO(data)
    for _ in range(3):  # magic number, version, sizes of numbers
        Reader(stream).load()
    tensors = dict(flat(Reader(stream).load()["generator"]))
    stored = {}
    for key in Reader(stream).load():
        count = int(np.frombuffer(stream.read(8), np.int64)[0])
        stored[key] = stream.read(4 * count)
    for name, tensor in tensors.items():
        yield name, taken(stored[tensor[0]], tensor)


def weights(data):
    """Name -> array, weight normalisation multiplied out."""
    found = dict(archive(data) if data[:2] == b"PK" else older(data))
    for name in [n for n in found if n.endswith("weight_v")]:
        v, g = found.pop(name), found.pop(name[:-1] + "g")
        found[name[:-2]] = g * v / np.sqrt((v**2).sum(axis=(1, 2), keepdims=True))
    return found


class Graph:
    """An ONNX graph that grows node by node; weights are taken by their names."""

    def __init__(self, named):
        self.weights, self.nodes, self.constants = named, [], []

    def node(self, op, inputs, **attributes):
        self.nodes.append(helper.make_node(op, inputs, [f"n{len(self.nodes)}"], **attributes))
        return self.nodes[-1].output[0]

    def constant(self, name, value, kind=np.float32):
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value, kind), name))
        return name

    def convolution(self, op, x, name, **attributes):
        parts = [self.constant(f"{name}.{part}", self.weights[f"{name}.{part}"]) for part in ("weight", "bias")]
        return self.node(op, [x, *parts], **attributes)

    def raised(self, x, name, rate, kernel):
        """`rate` samples in place of one."""
        # Where the kernel exceeds the rate by an odd number, PyTorch's files pad by the larger half, and add a sample at the end.
        before = (kernel - rate + 1) // 2
        return self.convolution("ConvTranspose", x, name, strides=[rate], pads=[before, kernel - rate - before])

    def leaky(self, x, slope):
        return self.node("LeakyRelu", [x], alpha=slope)

    def model(self, x):
        """All of it: `mel` [1, 80, frames] to samples."""
        graph = helper.make_graph(
            self.nodes,
            "generator",
            [helper.make_tensor_value_info("mel", TensorProto.FLOAT, [1, 80, "frames"])],
            [helper.make_tensor_value_info(x, TensorProto.FLOAT, None)],
            self.constants,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8).SerializeToString()


def hifigan(data, rates, kernels):
    """HiFi-GAN V1: https://arxiv.org/abs/2010.05646, its `models.py`."""
    g = Graph(weights(data))

    def block(x, name):
        for i, dilation in enumerate((1, 3, 5)):
            half = g.weights[f"{name}.convs1.{i}.weight"].shape[2] // 2
            y = g.convolution("Conv", g.leaky(x, 0.1), f"{name}.convs1.{i}", dilations=[dilation], pads=[half * dilation] * 2)
            x = g.node("Add", [g.convolution("Conv", g.leaky(y, 0.1), f"{name}.convs2.{i}", pads=[half] * 2), x])
        return x

    third = g.constant("third", 1 / 3)
    x = g.convolution("Conv", "mel", "conv_pre", pads=[3, 3])
    for i, (rate, kernel) in enumerate(zip(rates, kernels)):
        x = g.raised(g.leaky(x, 0.1), f"ups.{i}", rate, kernel)
        x = g.node("Mul", [g.node("Sum", [block(x, f"resblocks.{3 * i + j}") for j in range(3)]), third])
    return g.model(g.node("Tanh", [g.convolution("Conv", g.leaky(x, 0.01), "conv_post", pads=[3, 3])]))


def melgan(data):
    """MelGAN (https://arxiv.org/abs/1910.06711) as in seungwonpark's implementation, which normalises the mel first."""
    g = Graph(weights(data))

    def mirrored(x, by):
        return g.node("Pad", [x, g.constant(f"pads{len(g.nodes)}", [0, 0, by, 0, 0, by], np.int64)], mode="reflect")

    def stack(x, name):
        for i, dilation in enumerate((1, 3, 9)):
            y = mirrored(g.leaky(x, 0.2), dilation)
            y = g.convolution("Conv", y, f"{name}.blocks.{i}.2", dilations=[dilation])
            y = g.convolution("Conv", g.leaky(y, 0.2), f"{name}.blocks.{i}.4")
            x = g.node("Add", [g.convolution("Conv", x, f"{name}.shortcuts.{i}"), y])
        return x

    five = g.constant("five", 5)
    x = g.node("Div", [g.node("Add", ["mel", five]), five])
    x = g.convolution("Conv", mirrored(x, 3), "generator.1")
    for i, (rate, kernel) in enumerate(((8, 16), (8, 16), (2, 4), (2, 4))):
        x = stack(g.raised(g.leaky(x, 0.2), f"generator.{3 * i + 3}", rate, kernel), f"generator.{3 * i + 4}")
    return g.model(g.node("Tanh", [g.convolution("Conv", mirrored(g.leaky(x, 0.2), 3), "generator.16")]))
