"""Source-filter synthesis: a made excitation through a filter from the recording's envelope.

- `nsf`: harmonic-plus-noise in the manner of neural source-filter vocoders: a sum of sines from the pitch below a moving
  maximum voiced frequency, noise above it, filtered frame by frame with zero or minimum phase.
- `lpc`: all-pole filter excited by pulses and noise.
- `mlsa`: mel-cepstrum through an MLSA filter, excited by pulses and noise, as in HMM synthesis.
"""

import numpy as np
import pysptk
import pyworld
from pysptk.synthesis import MLSADF, Synthesizer
from scipy.linalg import solve_toeplitz
from scipy.ndimage import gaussian_filter1d

from common import RATE, fit
from mel import istft, stft


def pitch(x, hop):
    """F0 in Hz every `hop` samples, 0 where unvoiced."""
    x = np.ascontiguousarray(x, np.float64)
    f0, t = pyworld.dio(x, RATE, frame_period=1000 * hop / RATE)
    return pyworld.stonemask(x, f0, t, RATE), t


def fitted(f0, frames):
    return np.pad(f0, (0, max(0, frames - len(f0))), mode="edge")[:frames]


def nsf(x, rng):
    hop, size = int(rng.choice([64, 80, 128])), 512
    f0, t = pitch(x, hop)
    envelope = pyworld.cheaptrick(np.ascontiguousarray(x, np.float64), f0, t, RATE, fft_size=1024)[:, ::2]
    level = np.log(envelope + 1e-14) / 2
    if rng.random() < 0.6:
        level = gaussian_filter1d(level, rng.uniform(0.4, 1.5), axis=0)
    if rng.random() < 0.5:
        level = gaussian_filter1d(level, rng.uniform(1.0, 3.0), axis=1)
    f0 = f0 * 2 ** (rng.uniform(-0.15, 0.15) if rng.random() < 0.4 else 0.0)

    # Pitch at every sample, voiced stretches only, and its running phase.
    voiced = f0 > 0
    if not voiced.any():
        f0, voiced = np.full_like(f0, 120.0), np.zeros_like(voiced)
    track = np.interp(np.arange(len(x)) / hop, np.flatnonzero(voiced) if voiced.any() else [0], f0[voiced] if voiced.any() else [120.0])
    on = np.interp(np.arange(len(x)) / hop, np.arange(len(f0)), voiced.astype(float))
    phase = 2 * np.pi * np.cumsum(track) / RATE + rng.uniform(0, 2 * np.pi)
    harmonics = int(min(80, RATE / 2 / max(60.0, np.percentile(track, 5))))
    tone = np.zeros(len(x))
    start = rng.uniform(0, 2 * np.pi, harmonics + 1) if rng.random() < 0.5 else np.zeros(harmonics + 1)
    for k in range(1, harmonics + 1):
        tone += np.where(k * track < RATE / 2 * 0.98, np.cos(k * phase + start[k]), 0.0)
    tone *= on * np.sqrt(track / RATE * 2)  # a pulse train's power a hertz is that of unit noise
    noise = rng.standard_normal(len(x)) * np.sqrt(0.5)

    tones, noises = stft(tone, size, hop), stft(noise, size, hop)
    frames = min(len(tones), len(level))
    f = np.linspace(0, RATE / 2, size // 2 + 1)
    top = rng.uniform(2500, 6500) * (0.7 + 0.6 * gaussian_filter1d(rng.random(frames), 15))
    share = 1 / (1 + np.exp((f - top[:, None]) / rng.uniform(100, 500)))
    share = share * fitted(voiced.astype(float), frames)[:, None]
    breath = rng.uniform(0.0, 0.15)
    mixed = tones[:frames] * np.sqrt(share) + noises[:frames] * np.sqrt(np.clip(1 - share + breath, 0, 1))
    gain = np.exp(level[:frames])
    if rng.random() < 0.5:  # minimum phase by the folded cepstrum
        cepstrum = np.fft.irfft(level[:frames], size)
        cepstrum[:, 1 : size // 2] *= 2
        cepstrum[:, size // 2 + 1 :] = 0
        gain = np.exp(np.fft.rfft(cepstrum))
    y = istft(mixed * gain, hop, len(x))
    return y.astype(np.float32), "nsf"


def excitation(f0, hop, length, rng):
    """Pulses where voiced, noise elsewhere, of equal power."""
    out, at = np.zeros(length), 0.0
    track = np.repeat(f0, hop)
    track = np.pad(track, (0, max(0, length - len(track))))[:length]
    noise = rng.standard_normal(length)
    out[track == 0] = noise[track == 0]
    while at < length - 1:
        f = track[int(at)]
        if f <= 0:
            at += 1
            continue
        period = RATE / f
        out[int(at)] = np.sqrt(period)
        at += period
    return out + rng.uniform(0, 0.25) * noise


def lpc(x, rng):
    hop, order = 160, int(rng.integers(14, 29))
    f0, _ = pitch(x, hop)
    driver = excitation(f0, hop, len(x), rng)
    window = np.hanning(2 * hop + 2)[1:-1]
    padded = np.pad(np.asarray(x, np.float64), (hop, 2 * hop))
    driven = np.pad(driver, (hop, 2 * hop))
    y = np.zeros(len(padded) + 1024)
    for i in range(0, len(padded) - 2 * hop, hop):
        frame = padded[i : i + 2 * hop] * window
        r = np.correlate(frame, frame, "full")[2 * hop - 1 : 2 * hop + order]
        r[0] = r[0] * 1.0001 + 1e-9
        a = solve_toeplitz(r[:-1], r[1:])
        error = max(r[0] - a @ r[1:], 1e-10) / np.sum(window**2)
        filled = np.fft.rfft(driven[i : i + 2 * hop] * window, 1024)
        y[i : i + 1024] += np.fft.irfft(filled * np.sqrt(error) / np.fft.rfft(np.r_[1.0, -a], 1024), 1024)
    return y[hop : hop + len(x)].astype(np.float32), "lpc"


def mlsa(x, rng):
    hop, order = 80, int(rng.choice([20, 24, 30]))
    f0, t = pitch(x, hop)
    envelope = pyworld.cheaptrick(np.ascontiguousarray(x, np.float64), f0, t, RATE)
    envelope = np.maximum(envelope, envelope.max() * 1e-7)  # the filter is stable for a limited range of levels
    cepstra = pysptk.sp2mc(envelope, order, 0.42)
    cepstra = gaussian_filter1d(cepstra, rng.uniform(0.5, 2.5), axis=0)
    driver = excitation(f0, hop, len(f0) * hop, rng)
    filters = Synthesizer(MLSADF(order=order, alpha=0.42, pd=5), hop)
    b = np.ascontiguousarray(np.apply_along_axis(pysptk.mc2b, 1, cepstra, 0.42))
    y = filters.synthesis(np.ascontiguousarray(driver), b)
    if not np.abs(y).max() < 100:  # the filter is not always stable
        raise ArithmeticError("the MLSA filter ran away")
    return fit(y, len(x)).astype(np.float32), "mlsa"
