"""Griffin-Lim: a phase found for magnitudes that come from a mel spectrogram by its pseudo-inverse, in 8 to 60 turns.

A mel spectrogram, because that is what a machine predicts. A recording's own fine magnitudes with another phase are not
called spoof: noise suppression, time stretching and lossy codecs do as much to voices that are real.
"""

import numpy as np
from scipy.ndimage import gaussian_filter1d

from common import RATE
from mel import istft, slaney, stft


def griffin_lim(magnitude, hop, length, turns, rng):
    """Fast Griffin-Lim (momentum 0.99)."""
    size = 2 * (magnitude.shape[1] - 1)
    unit, last = np.exp(1j * rng.uniform(-np.pi, np.pi, magnitude.shape)), 0
    for _ in range(turns):
        rebuilt = stft(istft(magnitude * unit, hop, length), size, hop)[: len(magnitude)]
        rebuilt = np.pad(rebuilt, ((0, len(magnitude) - len(rebuilt)), (0, 0)))
        ahead = rebuilt + 0.99 / 1.99 * (rebuilt - last)
        last = rebuilt
        unit = ahead / (np.abs(ahead) + 1e-9)
    return istft(magnitude * unit, hop, length).astype(np.float32)


def resynthesise(x, rng):
    size = int(rng.choice([512, 800, 1024]))
    hop, bands = size // 4, int(rng.choice([64, 80, 80, 100]))
    filters = slaney(RATE, size, bands, 8000.0)
    mel = np.maximum(np.abs(stft(x, size, hop)) @ filters.T, 1e-7)
    if rng.random() < 0.5:
        mel = np.exp(gaussian_filter1d(np.log(mel), rng.uniform(0.4, 1.2), axis=0))
    magnitude = np.maximum(mel @ np.linalg.pinv(filters).T, 1e-8)
    return griffin_lim(magnitude, hop, len(x), int(rng.integers(8, 61)), rng), "griffinlim-mel"
