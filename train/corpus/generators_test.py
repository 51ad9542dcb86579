"""Run by `test.sh`: what reading weights without PyTorch promises, and that a clip's copy does not depend on the clips
before it."""

import ctypes.util
import io
import os
import pickle
import sys
import types
import unittest
import zipfile
from unittest import mock

import numpy as np

from common import rng_of
from engines import lpcnet
from engines.generators import Graph, Reader, weights
from engines.mel_driven import session


class Tensor:
    """Pickled as PyTorch pickles a tensor: a call of its rebuilding function with a storage elsewhere."""

    def __init__(self, key, value):
        self.key, self.value = key, np.asarray(value, np.float32)

    def __reduce__(self):
        storage = ("storage", sys.modules["torch"].FloatStorage, self.key, "cpu", self.value.size)
        return sys.modules["torch._utils"]._rebuild_tensor_v2, (Stored(storage), 0, self.value.shape, (), False, None)


class Stored:
    def __init__(self, pid):
        self.pid = pid


class Pickler(pickle.Pickler):
    def persistent_id(self, found):
        return found.pid if isinstance(found, Stored) else None


def torch_modules():
    """Modules with PyTorch's names, so that the pickles have them."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    exec("class FloatStorage: pass", torch.__dict__)
    exec("def _rebuild_tensor_v2(*_): pass", utils.__dict__)
    torch.FloatStorage.__module__, utils._rebuild_tensor_v2.__module__ = "torch", "torch._utils"
    return {"torch": torch, "torch._utils": utils}


def pickled(value):
    stream = io.BytesIO()
    with mock.patch.dict(sys.modules, torch_modules()):
        Pickler(stream, 2).dump(value)
    return stream.getvalue()


TENSORS = {"weight_g": [[[5.0]], [[2.0]]], "weight_v": [[[3.0, 4.0]], [[0.0, 1.0]]], "bias": [1.0, -1.0]}
STORED = {name: Tensor(str(key), value) for key, (name, value) in enumerate(TENSORS.items())}


class Generators(unittest.TestCase):
    def check(self, data):
        found = weights(data)
        # g v / |v|
        self.assertTrue(np.array_equal(found["post.weight"], [[[3.0, 4.0]], [[0.0, 2.0]]]))
        self.assertTrue(np.array_equal(found["post.bias"], [1.0, -1.0]))
        self.assertEqual(len(found), 2)

    def test_an_archive_gives_its_weights_by_name(self):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as z:
            z.writestr("m/data.pkl", pickled({"_modules": {"post": {"_parameters": STORED}}}))
            for tensor in STORED.values():
                z.writestr(f"m/data/{tensor.key}", tensor.value.tobytes())
        self.check(stream.getvalue())

    def test_the_older_form_gives_the_same(self):
        state = {f"post.{name}": tensor for name, tensor in STORED.items()}
        parts = [pickled(0x1950A86A20F9469CFC6C), pickled(1001), pickled({}), pickled({"generator": state})]
        tensors = sorted(STORED.values(), key=lambda t: t.key)
        parts += [pickled([t.key for t in tensors])]
        parts += [np.int64(t.value.size).tobytes() + t.value.tobytes() for t in tensors]
        self.check(b"".join(parts))

    def test_a_file_that_calls_something_else_is_refused(self):
        class Harmful:
            def __reduce__(self):
                return os.system, ("echo this should not run",)

        with self.assertRaisesRegex(pickle.UnpicklingError, "system"):
            Reader(io.BytesIO(pickle.dumps(Harmful()))).load()

    def test_a_graph_computes_and_its_relative_differs(self):
        g = Graph({"post.weight": np.eye(80)[:, :, None], "post.bias": np.zeros(80)})
        graph = g.model(g.convolution("Conv", "mel", "post"))
        mel = np.random.default_rng(0).standard_normal((1, 80, 7)).astype(np.float32)
        same, other = (session(graph, ("test", 1), noise).run(None, {"mel": mel})[0] for noise in (0, 0.1))
        self.assertTrue(np.array_equal(same, mel))
        self.assertTrue(0.02 < np.abs(other / mel - 1).mean() < 0.2)

    @unittest.skipUnless(ctypes.util.find_library("codec2"), "needs Debian's libcodec2-1.0")
    def test_lpcnet_gives_the_same_whatever_it_did_before(self):
        x = 0.3 * np.sin(0.05 * np.arange(8000)).astype(np.float32)
        first, other, again = (lpcnet.resynthesise(x, rng_of("lpcnet", name))[0] for name in ("a", "b", "a"))
        self.assertEqual(len(first), len(x))
        self.assertTrue(np.array_equal(first, again))
        self.assertGreater(np.abs(other).max(), 0)


if __name__ == "__main__":
    unittest.main()
