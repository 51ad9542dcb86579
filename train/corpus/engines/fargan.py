"""FARGAN, the neural vocoder of libopus 1.5 (adversarially trained, 16 kHz), built from the crate `opusic-sys`.

`build.sh` compiles `fargan_demo` once as it is and once for each number with every weight multiplied by noise:
OUT/tools/fargan-0 and OUT/tools/fargan-1, -2, ...

- `fargan`: as it is.
- `fargan-perturbed-N`: a relative of it.
- `fargan-smooth`: its cepstra blurred in time, its pitch moved.
"""

import subprocess
import tempfile
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d

from common import fit

TOOLS = None
FEATURES = 20


def use(tools):
    """Where the programs lie, in order."""
    global TOOLS
    TOOLS = sorted(Path(tools).glob("fargan-*"), key=lambda p: int(p.name.split("-")[1]))


def resynthesise(x, tool, change=None):
    """Features by the reference program, `change`d, and back to samples."""
    with tempfile.TemporaryDirectory() as folder:
        pcm, features, out = (str(Path(folder) / n) for n in ("in.pcm", "features.f32", "out.pcm"))
        (np.clip(x, -1, 32767 / 32768) * 32768).astype("<i2").tofile(pcm)
        subprocess.run([TOOLS[0], "-features", pcm, features], check=True, stderr=subprocess.DEVNULL)
        if change:
            f = np.fromfile(features, np.float32).reshape(-1, FEATURES)
            change(f)
            f.tofile(features)
        subprocess.run([TOOLS[tool], "-fargan-synthesis", features, out], check=True, stderr=subprocess.DEVNULL)
        y = np.fromfile(out, "<i2").astype(np.float32) / 32768
    return fit(y, len(x))


def plain(x, rng):
    return resynthesise(x, 0), "fargan"


def perturbed(x, rng):
    number = int(rng.integers(1, len(TOOLS)))
    return resynthesise(x, number), f"fargan-perturbed-{number}"


def smooth(x, rng):
    sigma, pitch = rng.uniform(0.4, 1.2), rng.uniform(-0.25, 0.25)

    def change(f):
        f[:, :18] = gaussian_filter1d(f[:, :18], sigma, axis=0)
        f[:, 18] = np.clip(f[:, 18] + pitch, -1.4, 2.2)  # log2 of the pitch period, shifted

    return resynthesise(x, int(rng.integers(0, len(TOOLS))), change), "fargan-smooth"
