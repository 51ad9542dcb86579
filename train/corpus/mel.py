"""The mel spectrograms that HiFi-GAN's generators take: 80 Slaney bands 0 to 8 kHz, natural log. The usual one is of 22,050 Hz,
FFT 1024, hop 256."""

from functools import lru_cache

import numpy as np

RATE, SIZE, HOP, BANDS, TOP = 22_050, 1024, 256, 80, 8000.0


@lru_cache(maxsize=None)
def slaney(rate=RATE, size=SIZE, bands=BANDS, top=TOP):
    """Triangular filters [bands, size / 2 + 1] of unit area on the Slaney scale (linear below 1 kHz, log above)."""

    def to_mel(f):
        return np.where(f < 1000, f * 3 / 200, 15 + np.log(np.maximum(f, 1) / 1000) * 27 / np.log(6.4))

    def to_hz(m):
        return np.where(m < 15, m * 200 / 3, 1000 * np.exp((m - 15) * np.log(6.4) / 27))

    edges = to_hz(np.linspace(0, to_mel(np.array(top)), bands + 2))
    f = np.linspace(0, rate / 2, size // 2 + 1)
    up = (f - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    down = (edges[2:, None] - f) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(0, np.minimum(up, down)) * (2 / (edges[2:] - edges[:-2]))[:, None]


def stft(x, size=SIZE, hop=HOP, pad=None):
    """Complex frames [frames, size / 2 + 1], Hann, after reflection by `pad` at both ends: half a frame centres them."""
    window = np.hanning(size + 1)[:-1]
    x = np.pad(x, size // 2 if pad is None else pad, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(x, size)[::hop]
    return np.fft.rfft(frames * window)


def istft(frames, hop, length):
    """Overlap-add inverse of `stft`, by least squares."""
    size = 2 * (frames.shape[1] - 1)
    window = np.hanning(size + 1)[:-1]
    parts = np.fft.irfft(frames, size) * window
    total = hop * (len(parts) - 1) + size
    y, w = np.zeros(total), np.zeros(total)
    # Frames that do not overlap are added at once: size / hop passes in place of one a frame.
    step = -(-size // hop)
    for first in range(step):
        chosen = parts[first::step]
        for table, block in ((y, chosen), (w, np.broadcast_to(window**2, chosen.shape))):
            padded = np.zeros((len(chosen), step * hop))
            padded[:, :size] = block
            flat = padded.reshape(-1)[: total - first * hop]
            table[first * hop : first * hop + len(flat)] += flat
    y = y / np.maximum(w, 1e-3)
    y = y[size // 2 : size // 2 + length]
    return np.pad(y, (0, length - len(y)))


def log_mel(x, rate=RATE, size=SIZE, hop=HOP):
    """[80, frames] of samples at `rate`, as HiFi-GAN's own training code makes it (reflect by (size − hop) / 2)."""
    frames = stft(np.asarray(x, np.float64), size, hop, (size - hop) // 2)
    magnitude = np.sqrt(np.abs(frames) ** 2 + 1e-9)
    return np.log(np.maximum(magnitude @ slaney(rate, size).T, 1e-5)).T.astype(np.float32)
