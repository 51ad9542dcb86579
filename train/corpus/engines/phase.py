"""Synthesis from magnitudes, with a phase that is found or made up.

- `griffinlim-mel`: from a mel spectrogram by its pseudo-inverse, 8 to 60 iterations of fast Griffin-Lim.
- `griffinlim`: from the linear magnitude, with a random frame size. Frames that overlap by three quarters hold the phase,
  so that after some ten iterations this is nearly the recording again: few iterations there.
- `phase-random`: the recording's phase shaken, a pass or two of Griffin-Lim, or a hop that holds less of it.
"""

import numpy as np
from scipy.ndimage import gaussian_filter1d

from common import RATE
from mel import istft, slaney, stft


def griffin_lim(magnitude, hop, length, turns, rng, phase=None):
    """Fast Griffin-Lim (momentum 0.99)."""
    size = 2 * (magnitude.shape[1] - 1)
    angle = rng.uniform(-np.pi, np.pi, magnitude.shape) if phase is None else phase
    unit, last = np.exp(1j * angle), 0
    for _ in range(turns):
        rebuilt = stft(istft(magnitude * unit, hop, length), size, hop)[: len(magnitude)]
        rebuilt = np.pad(rebuilt, ((0, len(magnitude) - len(rebuilt)), (0, 0)))
        ahead = rebuilt + 0.99 / 1.99 * (rebuilt - last)
        last = rebuilt
        unit = ahead / (np.abs(ahead) + 1e-9)
    return istft(magnitude * unit, hop, length).astype(np.float32)


def from_mel(x, rng):
    size = int(rng.choice([512, 800, 1024]))
    hop, bands = size // 4, int(rng.choice([64, 80, 80, 100]))
    filters = slaney(RATE, size, bands, 8000.0)
    mel = np.maximum(np.abs(stft(x, size, hop)) @ filters.T, 1e-7)
    if rng.random() < 0.5:
        mel = np.exp(gaussian_filter1d(np.log(mel), rng.uniform(0.4, 1.2), axis=0))
    magnitude = np.maximum(mel @ np.linalg.pinv(filters).T, 1e-8)
    return griffin_lim(magnitude, hop, len(x), int(rng.integers(8, 61)), rng), "griffinlim-mel"


def from_linear(x, rng):
    size, overlap = int(rng.choice([400, 512, 1024, 2048])), int(rng.choice([2, 4]))
    hop = size // overlap
    turns = int(rng.integers(8, 61)) if overlap == 2 else int(rng.integers(1, 13))
    return griffin_lim(np.abs(stft(x, size, hop)), hop, len(x), turns, rng), "griffinlim"


def shaken(x, rng):
    size = int(rng.choice([256, 512, 1024]))
    hop = size // int(rng.choice([2, 4]))
    frames = stft(x, size, hop)
    phase = np.angle(frames) + rng.uniform(0.8, 2.0) * rng.standard_normal(frames.shape)
    return griffin_lim(np.abs(frames), hop, len(x), int(rng.integers(0, 3)), rng, phase), "phase-random"
