"""Pools that the trainer mixes in: OUT/augment/rir/*.flac (impulse responses) and OUT/augment/noise/*.flac (10 s each).

    augment.py OUT

Everything is made from training material only, and is mixed into both classes.
"""

import sys
from pathlib import Path

import numpy as np
from scipy.signal import butter, sosfilt

from bonafide import download
from common import RATE, load, rms, rng_of, save

ROOMS, COLOURED, BABBLE, EFFECTS = 240, 48, 80, 160
SECONDS = 10


def room(rng):
    """A simulated room: direct sound, a few early reflections, and a tail of noise that decays by 60 dB in T60.

    High frequencies decay faster, as air and walls take them first.
    """
    t60 = float(np.exp(rng.uniform(np.log(0.12), np.log(0.9))))
    t = np.arange(int(min(t60, 0.8) * RATE)) / RATE
    tail = rng.standard_normal(len(t)) * 10 ** (-3 * t / t60)
    dull = sosfilt(butter(2, rng.uniform(1500, 5000), fs=RATE, output="sos"), tail)
    share = np.clip(t / t60, 0, 1)
    tail = (1 - share) * tail + share * dull
    start = int(rng.uniform(0.002, 0.02) * RATE)
    tail[:start] = 0
    y = tail / (rms(tail) * np.sqrt(len(tail))) * 10 ** (-rng.uniform(0, 15) / 20)
    y[0] = 1
    for _ in range(int(rng.integers(2, 8))):
        at = int(rng.uniform(0.001, 0.03) * RATE)
        y[at] += rng.choice([-1, 1]) * rng.uniform(0.1, 0.6)
    return y / np.abs(y).max() * 0.9


def coloured(rng, samples):
    """Noise with a power law from blue to brown, and sometimes mains hum."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    f = np.maximum(np.fft.rfftfreq(samples, 1 / RATE), 20)
    y = np.fft.irfft(spectrum * f ** rng.uniform(-1.2, 0.4), samples)
    y = y / rms(y)
    if rng.random() < 0.3:
        t, mains = np.arange(samples) / RATE, float(rng.choice([50, 60]))
        y += sum(rng.uniform(0, 1) * np.sin(2 * np.pi * k * mains * t + rng.uniform(0, 6)) for k in range(1, 8))
    return y


def main():
    out = Path(sys.argv[1])
    noise, rir, samples = out / "augment" / "noise", out / "augment" / "rir", SECONDS * RATE

    def keep(path, make):
        if not path.exists():
            y = make(rng_of("augment", path.name))
            save(path, y / max(np.abs(y).max() / 0.9, rms(y) / 0.1))

    for n in range(ROOMS):
        if not (rir / f"{n}.flac").exists():
            save(rir / f"{n}.flac", room(rng_of("room", n)))
    for n in range(COLOURED):
        keep(noise / f"coloured-{n}.flac", lambda rng: coloured(rng, samples))

    # The clean cut clips, because they are there before the lists: speakers of the training split only.
    from splits import split_of

    voices = [p for p in sorted((out / "clean").glob("*/*/*.flac")) if split_of(p.parent.name) == "train"]

    def babble(rng):
        y = np.zeros(samples)
        for _ in range(int(rng.integers(3, 9))):
            x = np.concatenate([load(voices[int(i)]) for i in rng.integers(len(voices), size=6)])
            y += np.resize(x / rms(x), samples) * rng.uniform(0.3, 1)
        return y

    for n in range(BABBLE):
        keep(noise / f"babble-{n}.flac", babble)

    packages = {"colobot-common-sounds": "", "unknown-horizons": "content/audio/", "hedgewars-data": "Data/Sounds/"}
    sounds = []
    for package, folder in packages.items():
        for p in sorted(download(package, out / "cache").rglob("*")):
            if p.suffix in (".ogg", ".wav") and folder in str(p) and "voice" not in str(p):
                sounds.append(p)

    def effect(rng):
        for _ in range(20):
            x = load(sounds[int(rng.integers(len(sounds)))])
            if len(x) > RATE // 4 and rms(x) > 1e-3:
                break
        start = int(rng.integers(max(1, len(x) - samples)))
        return np.resize(x[start : start + samples], samples)

    for n in range(EFFECTS):
        keep(noise / f"effect-{n}.flac", effect)
    print("augment: done")


if __name__ == "__main__":
    main()
