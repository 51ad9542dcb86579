"""MelGAN (another GAN vocoder), from the wheel `ttskit`, trained on Mandarin voices.

- `melgan`: as it is.
- `melgan-smooth`: from a mel that is blurred as an acoustic model's is.
- `melgan-perturbed-N`: every weight multiplied by noise, drawn once for each N.
"""

import zipfile
from functools import lru_cache

from common import fit
from engines import generators, mel_driven

PERTURBED = {1: 0.04, 2: 0.07, 3: 0.10}


@lru_cache(maxsize=None)
def model():
    """The vocoder as ONNX."""
    with zipfile.ZipFile(mel_driven.package("ttskit-*.whl")) as z:
        return generators.melgan(z.read("ttskit/resource/model/melgan.kuangdd.pt"))


@lru_cache(maxsize=None)
def session(relative):
    """The vocoder, or number `relative` of its relatives."""
    return mel_driven.session(model(), ("melgan-perturbed", relative), PERTURBED[relative] if relative else 0)


def again(x, relative=0, **options):
    return fit(mel_driven.again(session(relative), x, **options), len(x))


def plain(x, rng):
    return again(x), "melgan"


def smooth(x, rng):
    return again(x, change=lambda mel: mel_driven.blurred(mel, rng)), "melgan-smooth"


def perturbed(x, rng):
    relative = int(rng.integers(1, len(PERTURBED) + 1))
    return again(x, relative), f"melgan-perturbed-{relative}"
