"""MelGAN (another GAN vocoder), from the wheel `ttskit`, trained on Mandarin voices.

- `melgan`: as it is.
- `melgan-smooth`: from a mel that is blurred as an acoustic model's is.
- `melgan-perturbed-N`: every weight multiplied by noise, drawn once for each N.
"""

import zipfile
from functools import lru_cache

import numpy as np

from common import RATE, resample
from engines import generators, hifigan
from mel import RATE as MEL_RATE
from mel import log_mel

PERTURBED = {1: 0.04, 2: 0.07, 3: 0.10}


@lru_cache(maxsize=None)
def session(relative):
    """The vocoder, or number `relative` of its relatives."""
    with zipfile.ZipFile(hifigan.package("ttskit-*.whl")) as z:
        graph = generators.melgan(z.read("ttskit/resource/model/melgan.kuangdd.pt"))
    return generators.session(graph, ("melgan-perturbed", relative), PERTURBED[relative] if relative else 0)


def again(x, relative=0, change=lambda mel: mel):
    mel = change(log_mel(resample(x, RATE, MEL_RATE)))
    y = session(relative).run(None, {"mel": mel[None].astype(np.float32)})[0].reshape(-1)
    return hifigan.fit(resample(y, MEL_RATE, RATE), len(x))


def plain(x, rng):
    return again(x), "melgan"


def smooth(x, rng):
    return again(x, change=lambda mel: hifigan.blurred(mel, rng)), "melgan-smooth"


def perturbed(x, rng):
    relative = int(rng.integers(1, len(PERTURBED) + 1))
    return again(x, relative), f"melgan-perturbed-{relative}"
