"""What every step shares: paths, seeds that depend on names only, and audio files.

Audio inside the corpus is mono float32 in [-1, 1] at 16 kHz, stored as 16-bit FLAC.
"""

import fcntl
import hashlib
import os
import subprocess
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile
import soxr

RATE = 16_000


def seed_of(*names):
    """A 64-bit seed from names, the same on every machine and in any order of work."""
    return int.from_bytes(hashlib.sha256("/".join(map(str, names)).encode()).digest()[:8], "big")


def rng_of(*names):
    """A generator seeded by `seed_of`."""
    return np.random.default_rng(seed_of(*names))


def resample(x, source, target):
    """Band-limited resampling between two rates in Hz."""
    if source == target:
        return np.asarray(x, np.float32)
    return soxr.resample(np.asarray(x, np.float32), source, target, quality="HQ").astype(np.float32)


def load(path):
    """A file's mono samples at 16 kHz; what libsndfile cannot read goes through ffmpeg."""
    try:
        x, rate = soundfile.read(str(path), dtype="float32", always_2d=True)
        return resample(loudest_channel(x), rate, RATE)
    except soundfile.LibsndfileError:
        return load_with_ffmpeg(path)


def load_with_ffmpeg(path, *options):
    """Decodes with ffmpeg; `options` come before the input (a raw format and its rate)."""
    command = ["ffmpeg", "-v", "error", "-nostdin", *options, "-i", str(path)]
    command += ["-ac", "1", "-ar", str(RATE), "-f", "f32le", "-"]
    out = subprocess.run(command, capture_output=True, check=False)
    if out.returncode != 0:
        raise OSError(f"{path}: ffmpeg: {out.stderr.decode(errors='replace').strip()[:200]}")
    return np.frombuffer(out.stdout, np.float32).copy()


def loudest_channel(x):
    """Some volunteers' stereo clips have a silent channel: a mean would halve them, so take the louder one."""
    return x[:, int(np.argmax((x**2).sum(axis=0)))]


def save(path, x):
    """Writes 16-bit FLAC under a temporary name first, so that a killed run leaves no half file."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.{os.getpid()}.part")
    soundfile.write(str(part), np.clip(x, -1, 32767 / 32768), RATE, format="FLAC", subtype="PCM_16")
    os.replace(part, path)


@contextmanager
def alone(folder):
    """Of two processes that want to work in a folder, which is made if there is none, one waits."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def write_text(path, text):
    """Writes text under a temporary name first. A file that has it is left alone, so that its time says when it changed."""
    path = Path(path)
    if path.exists() and path.read_text() == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_text(text)
    os.replace(part, path)


def fit(y, length):
    """Cut or filled up with zeros to `length` samples."""
    return np.pad(y, (0, max(0, length - len(y))))[:length]


def drawn(table, rng):
    """One of (weight, thing) by weight."""
    weights = [w for w, _ in table]
    return table[int(rng.choice(len(table), p=[w / sum(weights) for w in weights]))][1]


def rms(x):
    """Root mean square; never zero."""
    return float(np.sqrt(np.mean(np.square(x, dtype=np.float64)) + 1e-12))
