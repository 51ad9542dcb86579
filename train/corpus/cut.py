"""Finds speech in recordings and cuts them to clips of 2 to 12 s at pauses."""

import numpy as np
from scipy.signal import lfilter

from common import RATE, rms

FRAME = RATE // 100
SHORTEST, LONGEST = 2.0, 12.0


def levels(x):
    """The level of every 10 ms in dB, smoothed over 50 ms."""
    n = len(x) // FRAME
    if n == 0:
        return np.full(1, -120.0)
    power = np.mean(np.square(x[: n * FRAME], dtype=np.float64).reshape(n, FRAME), axis=1)
    power = np.convolve(power, np.full(5, 0.2), mode="same")
    return 10 * np.log10(power + 1e-12)


def active(x):
    """Which 10 ms frames hold speech: within 35 dB of the loud frames, and above the noise floor."""
    db = levels(x)
    loud, floor = np.percentile(db, 95), np.percentile(db, 5)
    return db > max(loud - 35, min(floor + 8, loud - 12))


def trim(x, lead, trail):
    """Leaves at most `lead` and `trail` seconds before and after the speech."""
    frames = np.flatnonzero(active(x))
    if len(frames) == 0:
        return x[:0]
    start = max(0, frames[0] * FRAME - int(lead * RATE))
    end = min(len(x), (frames[-1] + 1) * FRAME + int(trail * RATE))
    return x[start:end]


def voiced_share(x):
    """The share of active 30 ms frames whose autocorrelation peaks above 0.5 at a pitch of 60 to 450 Hz."""
    low = lfilter([1.0, 1.0, 1.0, 1.0], [4.0], x)[::4]  # 4 kHz is enough for pitch
    rate, size = RATE // 4, 160
    frames = [low[i : i + size] for i in range(0, len(low) - size, size // 2)]
    if not frames:
        return 0.0
    f = np.array(frames)
    f = f - f.mean(axis=1, keepdims=True)
    power = (f**2).sum(axis=1)
    f = f[power > np.percentile(power, 95) * 10**-3.0]
    if len(f) == 0:
        return 0.0
    spectrum = np.abs(np.fft.rfft(f, 2 * size)) ** 2
    ac = np.fft.irfft(spectrum)[:, :size]
    taper = np.arange(size, 0, -1) / size
    ac = ac / (ac[:, :1] + 1e-12) / taper
    peak = ac[:, rate // 450 : min(rate // 60, size - 20)].max(axis=1)
    return float(np.mean(peak > 0.5))


def is_speech(x):
    """Drops silence, steady tones and noise, music and effects: a rough check by level, voicing and modulation."""
    if len(x) < RATE // 2 or rms(x) < 10 ** (-50 / 20):
        return False
    share = voiced_share(x)
    db = levels(x)
    modulation = np.percentile(db, 95) - np.percentile(db, 20)
    return 0.2 < share < 0.98 and modulation > 8


def pieces(x):
    """Cuts one recording at its longest pauses into clips of at most `LONGEST` seconds."""
    x = trim(x, 0.3, 0.3)
    if len(x) <= LONGEST * RATE:
        return [x] if len(x) else []
    db = np.convolve(levels(x), np.full(15, 1 / 15), mode="same")
    lo, hi = int(SHORTEST * RATE / FRAME), int(LONGEST * RATE / FRAME)
    hi = min(hi, len(db) - lo)
    # The quietest 150 ms in the window where a cut may fall; ties of digital silence take the first.
    at = (lo + int(np.argmin(db[lo:hi]))) * FRAME if hi > lo else int(LONGEST * RATE)
    return pieces(x[:at]) + pieces(x[at:])


def join_short(clips, rng, target=3.0):
    """Joins clips below `SHORTEST` seconds to longer ones with pauses of 80 to 350 ms.

    `clips` are (name, samples) of one speaker in order; the joint is made before any vocoder, so that
    bona fide speech and its copies have it alike.
    """
    out, held = [], []

    def flush():
        if held:
            pauses = [np.zeros(int(rng.uniform(0.08, 0.35) * RATE), np.float32) for _ in held]
            level = np.median([rms(c) for _, c in held])
            parts = []
            for (_, clip), pause in zip(held, pauses):
                parts += [clip * np.float32(level / rms(clip)), pause]
            joined = np.concatenate(parts[:-1])
            if len(joined) >= RATE:
                out.append((held[0][0], joined))
            held.clear()

    for name, clip in clips:
        if len(clip) >= SHORTEST * RATE:
            out.append((name, clip))
            continue
        held.append((name, clip))
        if sum(len(c) for _, c in held) >= target * RATE:
            flush()
    flush()
    return out
