"""The last step of every clip, bona fide or spoof: whatever could tell the classes apart without listening is redrawn.

Leading and trailing silence, bandwidth, loudness and noise floor come from one distribution for both classes, so they
carry no label. `leaks.py` checks that.
"""

import numpy as np
from scipy.signal import firwin, oaconvolve

from common import RATE, rms
from cut import LONGEST, trim

# The share of clips limited to a telephone's band because some engines (codec2) give no more.
NARROW = 0.05


def cutoff(rng, narrow):
    """An upper band limit in Hz, or None: alike for both classes. `narrow` says that the engine gives 4 kHz at most."""
    if narrow or rng.random() < NARROW:
        return rng.uniform(3300, 3700)
    return None if rng.random() < 0.5 else rng.uniform(3800, 7800)


def low_pass(x, edge):
    """A steep linear-phase low-pass, 60 dB."""
    taps = firwin(257, edge, fs=RATE, window=("kaiser", 6.0))
    return oaconvolve(x, taps, mode="same").astype(np.float32)


def finish(x, rng, narrow=False):
    """Trimmed, band-limited, levelled and dithered; empty if nothing of a second is left."""
    x = np.asarray(x, np.float32)
    x = x - x.mean() if len(x) else x
    edge = cutoff(rng, narrow)
    lead, trail = rng.uniform(0, 0.3, 2)
    level, floor = rng.uniform(-34, -18), rng.uniform(-96, -64)
    noise = rng.standard_normal(int((LONGEST + 4) * RATE))
    x = trim(x, lead, trail)[: int((LONGEST + 3) * RATE)]
    if len(x) < RATE or rms(x) < 1e-5:
        return x[:0]
    if edge:
        x = low_pass(x, edge)
    x = x - x.mean()
    x = x * (10 ** (level / 20) / rms(x))
    x = x * min(1.0, 0.95 / np.abs(x).max())
    return (x + 10 ** (floor / 20) * noise[: len(x)]).astype(np.float32)
