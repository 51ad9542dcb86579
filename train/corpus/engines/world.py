"""WORLD: the vocoder of many statistical synthesisers.

- `world`: analysis and synthesis at a random frame period.
- `world-coded`: envelope and aperiodicity coded to a few dozen numbers, as a model would predict them, and smoothed.
- `world-pitch`: pitch shifted or flattened, envelope warped.
"""

import numpy as np
import pyworld
from scipy.ndimage import gaussian_filter1d

from common import RATE, fit


def analyse(x, period):
    x = np.ascontiguousarray(x, np.float64)
    f0, t = pyworld.dio(x, RATE, frame_period=period)
    f0 = pyworld.stonemask(x, f0, t, RATE)
    return f0, pyworld.cheaptrick(x, f0, t, RATE), pyworld.d4c(x, f0, t, RATE)


def synthesise(f0, envelope, aperiodicity, period, length):
    y = pyworld.synthesize(f0, np.ascontiguousarray(envelope), np.ascontiguousarray(aperiodicity), RATE, period)
    return fit(y, length).astype(np.float32)


def plain(x, rng):
    period = float(rng.choice([2.0, 3.0, 5.0, 8.0]))
    return synthesise(*analyse(x, period), period, len(x)), "world"


def coded(x, rng):
    period, dims = float(rng.choice([5.0, 8.0, 10.0])), int(rng.integers(20, 61))
    f0, envelope, aperiodicity = analyse(x, period)
    code = pyworld.code_spectral_envelope(envelope, RATE, dims)
    code = gaussian_filter1d(code, rng.uniform(0.3, 1.2), axis=0)
    size = 2 * (envelope.shape[1] - 1)
    envelope = pyworld.decode_spectral_envelope(np.ascontiguousarray(code), RATE, size)
    aperiodicity = pyworld.decode_aperiodicity(pyworld.code_aperiodicity(aperiodicity, RATE), RATE, size)
    return synthesise(f0, envelope, aperiodicity, period, len(x)), "world-coded"


def pitch(x, rng):
    f0, envelope, aperiodicity = analyse(x, 5.0)
    voiced = f0 > 0
    if voiced.any():
        mean = np.exp(np.log(f0[voiced]).mean())
        spread, shift = rng.uniform(0.4, 1.5), 2 ** rng.uniform(-0.4, 0.4)
        f0[voiced] = np.clip(mean * shift * (f0[voiced] / mean) ** spread, 50, 600)
    at = np.clip(np.arange(envelope.shape[1]) * rng.uniform(0.88, 1.14), 0, envelope.shape[1] - 1)
    low = at.astype(int)
    high = np.minimum(low + 1, envelope.shape[1] - 1)
    envelope = envelope[:, low] * (1 - (at - low)) + envelope[:, high] * (at - low)
    return synthesise(f0, envelope, aperiodicity, 5.0, len(x)), "world-pitch"
